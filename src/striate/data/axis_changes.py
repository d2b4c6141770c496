"""Random changes of series, volumes and clips: windows and speeds of time or depth, and amplitudes.

Places along an axis are counted in values, as `striate.data.changes.Change.along` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from striate.data.changes import Change


@dataclass(frozen=True)
class Window(Change):
    """Show a part of the first axis (time, depth) at full length; up to so much of it is cut away."""

    strength: float = 0.3
    name: ClassVar[str] = "window"
    limit: ClassVar[float] = 0.95
    columns: ClassVar[int] = 2
    dims: ClassVar[tuple[int, ...]] = (3,)

    def along(self, places: list[Tensor], drawn: Tensor) -> list[Tensor]:
        sides = 1 - self.strength * drawn[:, 0].abs()
        return [shown(places[0], sides, drawn[:, 1]), *places[1:]]


@dataclass(frozen=True)
class Warp(Change):
    """Go through the first axis at a speed that changes smoothly, from ``1 - s`` to ``1 + s``; the ends stay.

    At the share u of the axis values are read at ``u + s/2 (a sin(pi u)/pi + b sin(2 pi u)/(2 pi))``, with a
    and b drawn from [-1, 1].

    Source: in the manner of the time warping of Um et al., Data Augmentation of Wearable Sensor Data for
        Parkinson's Disease Monitoring using Convolutional Neural Networks (2017), section 3, whose speeds are
        splines.
    """

    strength: float = 0.3
    name: ClassVar[str] = "warp"
    limit: ClassVar[float] = 0.95
    columns: ClassVar[int] = 2
    dims: ClassVar[tuple[int, ...]] = (1, 3)

    def along(self, places: list[Tensor], drawn: Tensor) -> list[Tensor]:
        last = max(1, places[0].shape[1] - 1)
        share = places[0] / last
        bent = drawn[:, :1] * torch.sin(math.pi * share) / math.pi
        bent = bent + drawn[:, 1:] * torch.sin(2 * math.pi * share) / (2 * math.pi)
        return [places[0] + last * self.strength / 2 * bent, *places[1:]]


@dataclass(frozen=True)
class Amplitude(Change):
    """Multiply the distances from the mean of each channel by a factor from ``1 - s`` to ``1 + s``."""

    strength: float = 0.2
    name: ClassVar[str] = "amplitude"
    dims: ClassVar[tuple[int, ...]] = (1, 3)

    def alter(self, values: Tensor, drawn: Tensor) -> Tensor:
        axes = tuple(range(2, values.ndim))
        factors = (1 + self.strength * drawn[:, 0]).to(values).view(-1, *(1 for _ in values.shape[1:]))
        means = values.mean(dim=axes, keepdim=True)
        return torch.lerp(means, values, factors)


def shown(places: Tensor, sides: Tensor, where: Tensor) -> Tensor:
    """Read a window of an axis at full length.

    Args:
        places: N x length.
        sides: N shares of the axis that are shown, over 0.
        where: N in [-1, 1]: from the first window to the last one.

    Returns:
        Places of the same shape, in the window.

    >>> shown(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([0.5]), torch.tensor([1.0]))
    tensor([[1.0000, 1.5000, 2.0000]])
    """
    middle = (places.shape[1] - 1) / 2
    return middle * (1 + (where * (1 - sides))[:, None]) + (places - middle) * sides[:, None]
