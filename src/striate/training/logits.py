"""The logits of images of a part, computed in the fastest way that a training has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.classifier import Classifier
from striate.data import Split
from striate.engine.world import World
from striate.training.frozen_features import HeadTraining
from striate.training.program import Program

MOST_AT_ONCE = 512
"""How many images, at most, are brought into memory at once of those that are chosen from a part."""


@dataclass(frozen=True)
class LogitsOf:
    """Computes logits as a classifier does.

    Args:
        classifier: whose logits are wanted.
        world: the processes that compute them together.
        program: of the same network, where there is one.
        head: what has the features of images already, where only the head was trained.
    """

    classifier: Classifier
    world: World
    program: Program | None = None
    head: HeadTraining | None = None

    def __call__(self, split: Split, rows: NDArray[np.int64] | None = None) -> Tensor:
        """Compute the logits of a part.

        Args:
            split: the part.
            rows: the numbers of the images that are wanted; ``None``: all.

        Returns:
            N x classes, float32 on the CPU.
        """
        if self.head is not None:
            return self.head.logits(split, rows)
        if rows is None and self.program is not None:
            return self.program.logits(split.images).cpu()
        if rows is None:
            compute = self.classifier.logits
            return self.world.in_shares(len(split), lambda share: compute(split.images[share]))
        return self.world.in_shares(len(rows), lambda share: self._of_rows(split, rows[share]))

    def _of_rows(self, split: Split, rows: NDArray[np.int64]) -> Tensor:
        compute = self.classifier.logits if self.program is None else self.program.logits
        pieces = (rows[start : start + MOST_AT_ONCE] for start in range(0, max(1, len(rows)), MOST_AT_ONCE))
        return torch.cat([compute(split.images[piece]).cpu() for piece in pieces])
