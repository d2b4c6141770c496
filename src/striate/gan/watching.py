"""Watch a training of a generator: steps, which cost next to nothing, and samples of it every so often."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from striate.core.finding import Finding
from striate.data.dataset import Labels, Pixels
from striate.gan.balance import (
    COLUMNS,
    FEWEST_STEPS,
    judge_balance,
    judge_gradients,
    step_row,
    usual_gradients,
)
from striate.gan.class_shares import Judge
from striate.gan.diagnosis import Reference, diagnose

EVERY = 4
"""Of so many steps one is looked at."""

WINDOW = 128
"""So many of the latest are kept until the next check."""

MOST_SCORES = 256
"""So many scores of a step are kept, at most, of real and of generated images each."""

EARLY_IMAGES, EARLY_STEPS = 20_000, 250
"""A generator that has not been good yet is still learning in its first steps, and while its samples have
come to reach more of the data within so many images, and have not lost half of it again."""

MORE, LEAST = 1.1, 0.03
"""It reaches more where it covers so many times the share that it ever did, and at least so much of all."""

REMEMBERED = 50
"""Gradients are compared with those of so many earlier checks, at most."""

_NEEDED = ("samples", "diversity", "resemblance", "coverage", "classes")

_Figures = tuple[Tensor, Tensor, tuple[float | Tensor, ...]]


class Watch:
    """What watches a training: it is told of every step, and shown samples at least once an epoch.

    Args:
        real: the images that the generator learns from, uint8 of shape (N, C, S, S), perhaps on the disk.
        labels: as for `striate.gan.Reference.of`.
        held_out: as there.
        classifier: as there.
        class_names: as there.
        flip: as there.
        seed: which images samples are compared with.

    Raises:
        DataError: as there.
        ShapeError: as there.
    """

    def __init__(
        self,
        real: Pixels,
        *,
        labels: Labels | None = None,
        held_out: Pixels | None = None,
        classifier: Judge | None = None,
        class_names: Sequence[str] = (),
        flip: bool = False,
        seed: int = 0,
    ) -> None:
        self._real = Reference.of(
            real,
            labels=labels,
            held_out=held_out,
            classifier=classifier,
            class_names=class_names,
            flip=flip,
            seed=seed,
        )
        self._waiting: deque[_Figures] = deque(maxlen=WINDOW)
        self._rows = torch.empty(0, len(COLUMNS), dtype=torch.float64)
        self._usual = torch.empty(0, 2, dtype=torch.float64)
        self._most_covered = LEAST / MORE
        self._steps = self._images_then = 0
        self._learnt = self._collapsed = False

    @property
    def collapsed(self) -> bool:
        """Whether the generator had collapsed, or was no longer finite, when it was last checked."""
        return self._collapsed

    def step(
        self,
        *,
        real_scores: Tensor,
        fake_scores: Tensor,
        generator_loss: float | Tensor,
        discriminator_loss: float | Tensor,
        generator_gradients: float | Tensor,
        discriminator_gradients: float | Tensor,
    ) -> None:
        """Take note of a step; nothing is computed, and the device is not waited for.

        Args:
            real_scores: of the discriminator, (N) or (N, 1), for real images.
            fake_scores: the same for generated ones.
            generator_loss: of the step.
            discriminator_loss: of the step.
            generator_gradients: Euclidean norm of the gradient of all weights of the generator.
            discriminator_gradients: the same of the discriminator.
        """
        self._steps += 1
        if self._steps % EVERY:
            return
        figures = (generator_loss, discriminator_loss, generator_gradients, discriminator_gradients)
        # Copies: a recorded step writes its results where the last ones were.
        self._waiting.append(
            (
                real_scores.detach()[:MOST_SCORES].clone(),
                fake_scores.detach()[:MOST_SCORES].clone(),
                tuple(each.detach().clone() if isinstance(each, Tensor) else each for each in figures),
            )
        )

    def check(self, samples: Tensor, *, images_seen: int, epoch: float) -> tuple[Finding, ...]:
        """Say how the training goes, by samples and by the steps since the last check.

        Args:
            samples: some hundreds, N x C x S x S in [0, 1], of the generator whose weights are to be kept.
            images_seen: how many real images the discriminator has been shown since its weights were drawn.
            epoch: for the messages, counted from 1.

        Returns:
            What `striate.gan.diagnose` finds, and findings named ``discriminator`` and ``gradients`` where
            there were some steps. Of a generator that has yet to learn, what would be a warning or an error
            is a note, ``starting``.

        Raises:
            ShapeError: where samples are too few or of another shape than the images.
        """
        findings = list(diagnose(samples, self._real))
        levels = {finding.name: finding.level for finding in findings}
        good = all(levels.get(name, "note") == "note" for name in _NEEDED)
        rows = self._taken()
        self._rows = rows[:0]
        if len(rows) >= FEWEST_STEPS:
            findings.append(judge_balance(rows, good=good))
            findings.append(judge_gradients(rows, self._usual))
        self._learnt |= good
        learning = self._reaches_more(findings, images_seen) or 0 < self._steps < EARLY_STEPS
        if learning and not self._learnt:
            findings = [_starting(finding) for finding in findings]
        elif len(rows) >= FEWEST_STEPS:
            usual = usual_gradients(rows)[None]
            self._usual = torch.cat([self._usual, usual[usual.isfinite().all(dim=1)]])[-REMEMBERED:]
        self._collapsed = any(finding.level == "error" for finding in findings)
        return tuple(
            finding
            if finding.level == "note"
            else replace(finding, message=f"at epoch {epoch:.4g} {finding.message}")
            for finding in findings
        )

    def state(self) -> dict[str, Tensor]:
        """Give all that a later `check` depends on, for a checkpoint.

        Returns:
            Tensors on the CPU, by name.
        """
        self._rows = self._taken()
        counts = torch.tensor(
            [self._steps, self._images_then, self._learnt, self._collapsed], dtype=torch.int64
        )
        covered = torch.tensor(self._most_covered, dtype=torch.float64)
        return {"rows": self._rows, "usual": self._usual, "covered": covered, "counts": counts}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on where a watch stood.

        Args:
            state: from `state`, of a watch over the same images with the same seed; from a new one, where
                new weights were drawn.
        """
        self._waiting.clear()
        self._rows, self._usual = state["rows"].clone(), state["usual"].clone()
        self._most_covered = state["covered"].item()
        self._steps, self._images_then, learnt, collapsed = state["counts"].tolist()
        self._learnt, self._collapsed = bool(learnt), bool(collapsed)

    def _reaches_more(self, findings: Sequence[Finding], images_seen: int) -> bool:
        """Say whether samples have come to reach more of the data within the latest images."""
        covered = next((finding.value or 0.0 for finding in findings if finding.name == "coverage"), 0.0)
        if covered >= MORE * self._most_covered:
            self._most_covered, self._images_then = covered, images_seen
        fallen = self._images_then > 0 and covered < self._most_covered / 2
        return not fallen and images_seen - self._images_then < EARLY_IMAGES

    def _taken(self) -> Tensor:
        """Compute the rows of the steps that wait, behind those that are known."""
        new = [step_row(*figures) for figures in self._waiting]
        self._waiting.clear()
        rows = torch.tensor(new, dtype=torch.float64).reshape(len(new), len(COLUMNS))
        return torch.cat([self._rows, rows])[-WINDOW:]


def _starting(finding: Finding) -> Finding:
    if finding.level == "note" or finding.verdict == "not finite":
        return finding
    return replace(finding, verdict="starting", level="note", advice="train longer")
