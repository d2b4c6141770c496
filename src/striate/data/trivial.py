"""An automatic policy in the manner of TrivialAugment: one change for each image, of any strength."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from striate.data.changes import Change, neutral, on_rows
from striate.nn import equalise, moving, posterise, sharpen, shearing, solarise, stretch, turning

CHOICES = (
    "nothing",
    "shear right",
    "shear down",
    "shift right",
    "shift down",
    "turn",
    "brightness",
    "contrast",
    "saturation",
    "sharpness",
    "posterise",
    "solarise",
    "stretch",
    "equalise",
)
"""What an image may get."""

LEVELS = 31
"""How many strengths there are, from nothing to the whole."""

MOST_SHEARED, MOST_SHIFTED, MOST_TURNED, MOST_WEIGHED, MOST_BITS = 0.99, 32 / 224, 135.0, 0.99, 6
"""The widest: pixels a pixel, share of the side, degrees, distance of factors from 1, bits that are lost."""


@dataclass(frozen=True)
class Trivial(Change):
    """Do one of fourteen things to each image, drawn evenly, with a strength drawn evenly from 31.

    Source: Mueller and Hutter, TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation, ICCV 2021,
        their wide space; a ``strength`` under 1 narrows it. Shifts are by shares of the side (there
        32 pixels whatever the size), and what comes in from outside is mirrored, not black.
    """

    strength: float = 1.0
    name: ClassVar[str] = "trivial"
    columns: ClassVar[int] = 3

    def matrices(self, drawn: Tensor, size: Sequence[int]) -> Tensor:
        chosen, amounts = self._read(drawn)
        along = torch.stack([chosen == 1, chosen == 2], dim=1) * amounts[:, None] * MOST_SHEARED
        moved = torch.stack([chosen == 3, chosen == 4], dim=1) * amounts[:, None] * MOST_SHIFTED
        turned = (chosen == 5) * amounts * math.radians(MOST_TURNED)
        sides = torch.tensor([size[1], size[0]], dtype=torch.float64)
        return shearing(along) @ moving(moved * sides) @ turning(turned)

    def colours(self, drawn: Tensor) -> Tensor:
        chosen, amounts = self._read(drawn)
        factors = neutral(len(drawn))
        weighed = torch.stack([chosen == 6, chosen == 7, chosen == 8], dim=1)
        factors[:, :3] += weighed * amounts[:, None] * MOST_WEIGHED
        return factors

    def touch(self, images: Tensor, drawn: Tensor) -> Tensor:
        chosen, amounts = self._read(drawn)
        factors = 1 + amounts * MOST_WEIGHED
        bits = 8 - (amounts.abs() * MOST_BITS).round()
        thresholds = 1 - amounts.abs()
        images = on_rows(images, chosen == 9, lambda some, rows: sharpen(some, factors[rows]))
        images = on_rows(images, chosen == 10, lambda some, rows: posterise(some, bits[rows]))
        images = on_rows(images, chosen == 11, lambda some, rows: solarise(some, thresholds[rows]))
        images = on_rows(images, chosen == 12, lambda some, rows: stretch(some))  # noqa: ARG005
        return on_rows(images, chosen == 13, lambda some, rows: equalise(some))  # noqa: ARG005

    def _read(self, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Give which change every image gets, and how much of it in [-1, 1]."""
        evenly = (drawn + 1) / 2
        chosen = (evenly[:, 0] * len(CHOICES)).long().clamp(max=len(CHOICES) - 1)
        chosen = torch.where(drawn.any(dim=1), chosen, 0)
        levels = (evenly[:, 1] * LEVELS).floor().clamp(max=LEVELS - 1) / (LEVELS - 1)
        return chosen, levels * self.strength * torch.where(drawn[:, 2] < 0, -1.0, 1.0)
