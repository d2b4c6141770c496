"""Random changes of place and shape: turns, shifts, scales, shears, viewpoints and windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from striate.data.axis_changes import shown
from striate.data.changes import Change
from striate.nn import cropping, moving, scaling, shearing, turning, viewing


@dataclass(frozen=True)
class Turn(Change):
    """Turn about the centre, by up to so many degrees either way."""

    strength: float = 15.0
    name: ClassVar[str] = "turn"
    limit: ClassVar[float] = 180.0

    def matrices(self, drawn: Tensor, size: Sequence[int]) -> Tensor:
        del size
        return turning(drawn[:, 0] * math.radians(self.strength))


@dataclass(frozen=True)
class Shift(Change):
    """Shift along both axes, by up to so much of the side; series along time, volumes within planes."""

    strength: float = 0.1
    name: ClassVar[str] = "shift"
    limit: ClassVar[float] = 0.5
    columns: ClassVar[int] = 2
    dims: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def matrices(self, drawn: Tensor, size: Sequence[int]) -> Tensor:
        sides = torch.tensor([size[1], size[0]], dtype=torch.float64)
        return moving(drawn * self.strength * sides)

    def along(self, places: list[Tensor], drawn: Tensor) -> list[Tensor]:
        def moved(each: Tensor, axis: int) -> Tensor:
            return each - drawn[:, axis : axis + 1] * self.strength * each.shape[1]

        return _in_space(places, moved)


@dataclass(frozen=True)
class Scale(Change):
    """Enlarge or shrink about the centre, by a factor from ``1 / (1 + s)`` to ``1 + s``."""

    strength: float = 0.2
    name: ClassVar[str] = "scale"
    dims: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def matrices(self, drawn: Tensor, size: Sequence[int]) -> Tensor:
        del size
        return scaling((1 + self.strength) ** drawn[:, 0])

    def along(self, places: list[Tensor], drawn: Tensor) -> list[Tensor]:
        factors = (1 + self.strength) ** drawn[:, :1]

        def scaled(each: Tensor, _: int) -> Tensor:
            middle = (each.shape[1] - 1) / 2
            return middle + (each - middle) / factors

        return _in_space(places, scaled)


@dataclass(frozen=True)
class Shear(Change):
    """Shear along both axes, by up to so many pixels for each pixel."""

    strength: float = 0.2
    name: ClassVar[str] = "shear"
    columns: ClassVar[int] = 2

    def matrices(self, drawn: Tensor, size: Sequence[int]) -> Tensor:
        del size
        return shearing(drawn * self.strength)


@dataclass(frozen=True)
class Perspective(Change):
    """Look from another viewpoint: each corner moves by up to so much of half a side, along both axes."""

    strength: float = 0.2
    name: ClassVar[str] = "perspective"
    # Beyond 1 the corners need not be a convex shape any more, and near it the horizon comes near.
    limit: ClassVar[float] = 0.8
    columns: ClassVar[int] = 8

    def matrices(self, drawn: Tensor, size: Sequence[int]) -> Tensor:
        return viewing(drawn.view(-1, 4, 2) * self.strength / 2, size)


@dataclass(frozen=True)
class Crop(Change):
    """Show a window of the picture's own shape anywhere in it; up to so much of the area is cut away.

    Of series up to so much of the length is cut away, of the planes of volumes and clips so much of the area.
    """

    strength: float = 0.3
    name: ClassVar[str] = "crop"
    limit: ClassVar[float] = 0.95
    columns: ClassVar[int] = 3
    dims: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def matrices(self, drawn: Tensor, size: Sequence[int]) -> Tensor:
        sides = (1 - self.strength * drawn[:, :1].abs()).sqrt().expand(-1, 2)
        return cropping(_placed(sides, drawn[:, 1:3]), size)

    def along(self, places: list[Tensor], drawn: Tensor) -> list[Tensor]:
        sides = (1 - self.strength * drawn[:, 0].abs()) ** (1 / len(places[-2:]))
        return _in_space(places, lambda each, axis: shown(each, sides, drawn[:, 1 + axis]))


@dataclass(frozen=True)
class ResizedCrop(Change):
    """Show a window whose sides are as 3 to 4 at most; up to so much of the area is cut away.

    Source: Szegedy et al., Going Deeper with Convolutions, CVPR 2015, section 6: 0.92 there. A window that
        does not fit is made to fit.
    """

    strength: float = 0.92
    name: ClassVar[str] = "resized-crop"
    limit: ClassVar[float] = 0.95
    columns: ClassVar[int] = 4

    def matrices(self, drawn: Tensor, size: Sequence[int]) -> Tensor:
        area = 1 - self.strength * drawn[:, 0].abs()
        shape = (4 / 3) ** drawn[:, 3]
        sides = torch.stack([(area * shape).sqrt(), (area / shape).sqrt()], dim=1).clamp(max=1)
        return cropping(_placed(sides, drawn[:, 1:3]), size)


def _in_space(places: list[Tensor], change: Callable[[Tensor, int], Tensor]) -> list[Tensor]:
    """Change places along the axes within planes, those of width first; the only one of series is such."""
    within = places[-2:]
    changed = [change(each, axis) for axis, each in enumerate(within[::-1])]
    return [*places[: -len(within)], *changed[::-1]]


def _placed(sides: Tensor, drawn: Tensor) -> Tensor:
    """Put windows anywhere in the picture: N x 4, their centres and sides."""
    return torch.cat([drawn * (1 - sides) / 2, sides], dim=1)
