"""Where a training stands, and its checkpoint: all that a resumed training needs to go on bit for bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from striate.core.errors import ModelFileError, RunError
from striate.core.tensors import load_tensors, save_tensors
from striate.engine.checkpoints import learned
from striate.engine.run_directory import Row

FORMAT = "striate.checkpoint.2"

_GROUPS = ("best", "pruning", "averages")


@dataclass
class State:
    """Where a training stands between two steps.

    Args:
        step: steps taken in all.
        epoch: the epoch that is under way, from 0.
        epoch_step: steps taken in it.
        elapsed: seconds of training.
        loss_sum: sum of the losses of the images seen since the last validation.
        right: how many of these images were predicted correctly.
        weight: how many images those count for.
        seen: how many images those are; fewer than they count for, where others are left out.
        rate: the first optimiser's learning rate in the last step.
        rows: the figures of the epochs so far.
        best_epoch: the row of the best epoch so far, counted from 1; 0 before the first validation.
        reserve: seconds that the last validation will take, as far as that is known.
        trained: whether there is nothing left but to finish.
        rate_share: what the rates are multiplied by, since the head was fitted first.
        steps_back: how often a robust training went back from weights that had overfitted to its attack.
        best: the network's tensors after the best epoch.
        pruning: what `striate.training.pruning.Pruning` goes on from.
        averages: of the network's tensors over the latest steps, where they are kept.
    """

    step: int = 0
    epoch: int = 0
    epoch_step: int = 0
    elapsed: float = 0.0
    loss_sum: float = 0.0
    right: float = 0.0
    weight: float = 0.0
    seen: int = 0
    rate: float = 0.0
    rows: list[Row] = field(default_factory=list)
    best_epoch: int = 0
    reserve: float = 0.0
    trained: bool = False
    rate_share: float = 1.0
    steps_back: int = 0
    best: dict[str, Tensor] = field(default_factory=dict, repr=False)
    pruning: dict[str, Tensor] = field(default_factory=dict, repr=False)
    averages: dict[str, Tensor] = field(default_factory=dict, repr=False)


def save_checkpoint(
    path: Path,
    *,
    state: State,
    network: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    facts: Mapping[str, Any],
) -> None:
    """Write everything to one file, atomically.

    Args:
        path: the file to be made or replaced.
        state: where the training stands.
        network: its parameters and buffers.
        optimizers: their momenta.
        facts: what does not change in a run and is needed to open it again, as JSON can hold it.
    """
    tensors = learned({"network": network}, optimizers)
    for group in _GROUPS:
        tensors |= {f"{group}.{name}": tensor for name, tensor in getattr(state, group).items()}
    figures = {name: value for name, value in vars(state).items() if name not in _GROUPS}
    texts = {"format": FORMAT, "state": json.dumps(figures), "facts": json.dumps(dict(facts))}
    save_tensors(path, tensors, texts)


def read_checkpoint(path: Path) -> tuple[State, dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint.

    Args:
        path: what `save_checkpoint` wrote.

    Returns:
        Where the training stood, the tensors for `striate.engine.checkpoints.restore`, and the facts.

    Raises:
        RunError: where the file is damaged or no checkpoint.
    """
    try:
        tensors, texts = load_tensors(path)
        if texts.get("format") != FORMAT:
            raise RunError(f"{path} is not a checkpoint that this version of striate wrote")
        state = State(**json.loads(texts["state"]))
        facts = json.loads(texts["facts"])
    except (ModelFileError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"the checkpoint {path} is damaged: {error}") from error
    for group in _GROUPS:
        names = [name for name in tensors if name.startswith(f"{group}.")]
        setattr(state, group, {name.removeprefix(f"{group}."): tensors.pop(name) for name in names})
    return state, tensors, facts
