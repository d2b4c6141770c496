"""Where the training of a generator stands, and its checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from striate.core.errors import ModelFileError, RunError
from striate.core.tensors import load_tensors, save_tensors
from striate.engine.checkpoints import learned
from striate.engine.run_directory import Row

FORMAT = "striate.gan.checkpoint.1"

_WATCH = "watch."


@dataclass
class GanState:
    """Where a training stands between two steps.

    Args:
        step: steps of the discriminator in all.
        born: the step at which the present weights were drawn.
        epoch: the epoch that is under way, from 0.
        epoch_step: steps taken in it.
        elapsed: seconds of training.
        sums: of the figures of the steps since the last row, by name.
        counts: how many of each were added up.
        rows: the figures of the epochs so far.
        rate: the generator's learning rate in the last step.
        sheets: how many are drawn.
        reserve: seconds that the last check and sheet will take, as far as that is known.
        restarts: how often new weights were drawn after a collapse.
        trained: whether there is nothing left but to finish.
        findings: of the last check, as plain values.
        watch: what the watch goes on from.
    """

    step: int = 0
    born: int = 0
    epoch: int = 0
    epoch_step: int = 0
    elapsed: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    rate: float = 0.0
    sheets: int = 0
    reserve: float = 0.0
    restarts: int = 0
    trained: bool = False
    findings: list[dict[str, Any]] = field(default_factory=list)
    watch: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def add(self, figures: Mapping[str, float]) -> None:
        """Add a step's figures to the sums.

        Args:
            figures: by name.
        """
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def mean(self, name: str) -> float:
        """Give the mean of a figure over the steps that had it since the last row.

        Args:
            name: of the figure.

        Returns:
            The mean; 0 where no step had it.
        """
        return self.sums.get(name, 0.0) / max(1, self.counts.get(name, 0))

    def forget_sums(self) -> None:
        """Begin the sums anew."""
        self.sums, self.counts = {}, {}


def save_gan_checkpoint(
    path: Path,
    *,
    state: GanState,
    networks: Mapping[str, nn.Module],
    optimizers: Sequence[torch.optim.Optimizer],
    facts: Mapping[str, Any],
) -> None:
    """Write everything to one file, atomically.

    Args:
        path: the file to be made or replaced.
        state: where the training stands.
        networks: by name.
        optimizers: of their parameters.
        facts: what does not change in a run and is needed to open it again, as JSON can hold it.
    """
    tensors = learned(networks, optimizers)
    tensors |= {f"{_WATCH}{name}": tensor for name, tensor in state.watch.items()}
    figures = {name: value for name, value in vars(state).items() if name != "watch"}
    texts = {"format": FORMAT, "state": json.dumps(figures), "facts": json.dumps(dict(facts))}
    save_tensors(path, tensors, texts)


def read_gan_checkpoint(path: Path) -> tuple[GanState, dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint.

    Args:
        path: what `save_gan_checkpoint` wrote.

    Returns:
        Where the training stood, the tensors for `striate.engine.checkpoints.restore`, and the facts.

    Raises:
        RunError: where the file is damaged or no checkpoint of a generator's training.
    """
    try:
        tensors, texts = load_tensors(path)
        if texts.get("format") != FORMAT:
            raise RunError(
                f"{path} is not a checkpoint of a generator's training that this version of striate wrote"
            )
        state = GanState(**json.loads(texts["state"]))
        facts = json.loads(texts["facts"])
    except (ModelFileError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"the checkpoint {path} is damaged: {error}") from error
    names = [name for name in tensors if name.startswith(_WATCH)]
    state.watch = {name.removeprefix(_WATCH): tensors.pop(name) for name in names}
    return state, tensors, facts
