"""The worst rotation and shift of each image."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Generator, Tensor

from striate.attack.attack import Attack
from striate.attack.draws import Draws
from striate.attack.judging import Judge
from striate.attack.pictures import as_pictures
from striate.attack.settings import worst_settings
from striate.attack.victim import Victim
from striate.core.errors import AttackError
from striate.core.seeds import derive
from striate.nn.resampling import project

ANGLES = 31
SHIFTS = 5
"""How many angles, and how many shifts along each axis, the grid has; odd, so that 0 is among them."""


@dataclass(frozen=True)
class Motion:
    """How far images may be turned and shifted.

    Args:
        rotation: the largest angle to either side, degrees in [0, 180]; images of one dimension do not turn.
        shift: the largest shift to either side, as a share of each side in [0, 0.5].

    Raises:
        AttackError: where one is out of its range.

    >>> Motion(rotation=15)
    Motion(rotation=15, shift=0.1)
    """

    rotation: float = 30.0
    shift: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.rotation <= 180 or not 0 <= self.shift <= 0.5:
            raise AttackError(
                f"a rotation by {self.rotation} degrees and a shift by {self.shift} of the side cannot be "
                "searched; rotations are from 0 to 180, and shifts from 0 to 0.5"
            )


@dataclass(frozen=True, kw_only=True)
class Spatial(Attack):
    """Search the rotation and shift of each image that mislead a model most; no gradients are needed.

    A grid of 31 angles and 5 x 5 shifts is tried first, in an order that jumps about it, and then random
    rotations and shifts around the worst, ever nearer. What moves in from outside is the image mirrored, so
    that it is not black corners that mislead. The last two axes are rows and columns: all slices of a volume
    move alike, and a signal of one axis is shifted.

    Args:
        motion: how far images may move.
        refinements: rounds of 8 tries after the grid, from 0.
        goal: what the model shall answer.

    Raises:
        AttackError: where there are less than no rounds.

    Source: Engstrom, Tran, Tsipras, Schmidt and Madry, Exploring the landscape of spatial robustness (2019),
    section 3, the grid search; there pixels from outside are black.

    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    >>> images = torch.rand(1, 1, 4, 4)
    >>> Spatial(motion=Motion(0, 0))(network, images, network(images).argmax(dim=1)).equal(images)
    True
    """

    needs_gradient: ClassVar[bool] = False

    motion: Motion = field(default=Motion())
    refinements: int = 10

    def __post_init__(self) -> None:
        if self.refinements < 0:
            raise AttackError(f"there cannot be {self.refinements} rounds of refining; 0 is the least")

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        pictures = as_pictures(images)
        grid = self._grid(pictures)
        if not grid.any():
            return images
        judge = Judge(victim, labels, self.goal)
        return worst_settings(
            judge, images, grid, apply=self._moved, draws=draws, refinements=self.refinements
        )

    def _confined(self, images: Tensor, changed: Tensor) -> Tensor:
        return changed.clamp(0, 1).to(images.dtype)

    def _grid(self, pictures: Tensor) -> Tensor:
        """Give angles and shifts in a fixed order without pattern: none comes late for being large."""
        height, width = pictures.shape[2:]
        turns = self.motion.rotation > 0 and min(height, width) > 1
        shifts = self.motion.shift > 0
        counts = (ANGLES if turns else 1, *(SHIFTS if shifts and side > 1 else 1 for side in (height, width)))
        along = [torch.linspace(-1, 1, count) if count > 1 else torch.zeros(1) for count in counts]
        grid = torch.cartesian_prod(*along)
        return grid[torch.randperm(len(grid), generator=Generator().manual_seed(derive(0, "spatial")))]

    def _moved(self, images: Tensor, settings: Tensor) -> Tensor:
        """Turn images counter-clockwise, and then shift them down and to the right."""
        pictures = as_pictures(images)
        height, width = pictures.shape[2:]
        angle = settings[:, 0] * math.radians(self.motion.rotation) * (min(height, width) > 1)
        down, right = settings[:, 1] * self.motion.shift * height, settings[:, 2] * self.motion.shift * width
        down = down * (height > 1)
        cosine, sine = angle.cos(), angle.sin()
        nothing, one = torch.zeros_like(angle), torch.ones_like(angle)
        rows = [
            [cosine, -sine, sine * down - cosine * right],
            [sine, cosine, -sine * right - cosine * down],
            [nothing, nothing, one],
        ]
        maps = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
        return project(pictures, maps, cubic=False).reshape(images.shape)
