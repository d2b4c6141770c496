"""Random changes of what pixels are: colours, gamma, blur, noise, erased parts, the resolution of an eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from striate.data.boxes import box_of
from striate.data.changes import Change, neutral, on_rows
from striate.nn import add_noise, erase, foveate, gamma, jitter, soften


@dataclass(frozen=True)
class Brightness(Change):
    """Multiply all values by a factor from ``1 - s`` to ``1 + s``."""

    strength: float = 0.3
    name: ClassVar[str] = "brightness"

    def colours(self, drawn: Tensor) -> Tensor:
        return amounts(0, 1 + self.strength * drawn[:, 0])


@dataclass(frozen=True)
class Contrast(Change):
    """Multiply the distances from the mean grey by a factor from ``1 - s`` to ``1 + s``."""

    strength: float = 0.3
    name: ClassVar[str] = "contrast"

    def colours(self, drawn: Tensor) -> Tensor:
        return amounts(1, 1 + self.strength * drawn[:, 0])


@dataclass(frozen=True)
class Saturation(Change):
    """Multiply the distances from each pixel's own grey by a factor from ``1 - s`` to ``1 + s``."""

    strength: float = 0.3
    name: ClassVar[str] = "saturation"
    needs_colour: ClassVar[bool] = True

    def colours(self, drawn: Tensor) -> Tensor:
        return amounts(2, 1 + self.strength * drawn[:, 0])


@dataclass(frozen=True)
class Hue(Change):
    """Turn the colours about the axis of greys, by up to so much of the full circle either way."""

    strength: float = 0.05
    name: ClassVar[str] = "hue"
    limit: ClassVar[float] = 0.5
    needs_colour: ClassVar[bool] = True

    def colours(self, drawn: Tensor) -> Tensor:
        return amounts(3, self.strength * drawn[:, 0])


@dataclass(frozen=True)
class Gamma(Change):
    """Raise all values to a power from ``1 / (1 + s)`` to ``1 + s``: black and white stay."""

    strength: float = 0.3
    name: ClassVar[str] = "gamma"
    limit: ClassVar[float] = 3.0

    def touch(self, images: Tensor, drawn: Tensor) -> Tensor:
        exponents = (1 + self.strength) ** drawn[:, 0]
        return on_rows(images, exponents != 1, lambda some, rows: gamma(some, exponents[rows]))


@dataclass(frozen=True)
class Blur(Change):
    """Blur by a Gaussian whose standard deviation is up to so much of the shorter side."""

    strength: float = 0.01
    share: float = 0.5
    name: ClassVar[str] = "blur"
    limit: ClassVar[float] = 0.25

    def touch(self, images: Tensor, drawn: Tensor) -> Tensor:
        deviations = drawn[:, 0].abs() * self.strength * min(images.shape[2:])
        return on_rows(images, deviations > 0, lambda some, rows: soften(some, deviations[rows]).clamp_(0, 1))


@dataclass(frozen=True)
class Noise(Change):
    """Add normally distributed noise whose standard deviation is up to so much of white.

    In series, volumes and clips it is up to so much of the standard deviation of each channel of the item.
    """

    strength: float = 0.05
    share: float = 0.5
    name: ClassVar[str] = "noise"
    columns: ClassVar[int] = 2
    dims: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def touch(self, images: Tensor, drawn: Tensor) -> Tensor:
        return add_noise(images, drawn[:, 0].abs() * self.strength, (drawn[:, 1] + 1) / 2)

    def alter(self, values: Tensor, drawn: Tensor) -> Tensor:
        deviations = values.flatten(2).std(dim=2, correction=0)
        amounts = (drawn[:, :1].abs() * self.strength).to(values)
        return jitter(values, amounts * deviations, (drawn[:, 1] + 1) / 2)


@dataclass(frozen=True)
class Erase(Change):
    """Fill a rectangle of up to so much of the area, of any shape up to 1 to 3, with one colour.

    Source: Zhong et al., Random Erasing Data Augmentation, AAAI 2020, section 3.
    """

    strength: float = 0.3
    share: float = 0.5
    name: ClassVar[str] = "erase"
    limit: ClassVar[float] = 0.9
    columns: ClassVar[int] = 8

    def touch(self, images: Tensor, drawn: Tensor) -> Tensor:
        areas, shapes = drawn[:, 0].abs() * self.strength, 3 ** drawn[:, 1]
        sides = torch.stack([(areas * shapes).sqrt(), (areas / shapes).sqrt()], dim=1).clamp(max=1)
        centres = (drawn[:, 2:4] * (1 - sides) + 1) / 2
        size = images.shape[2], images.shape[3]
        boxes = [
            box_of(centre, side, size) if area else None
            for area, centre, side in zip(areas.tolist(), centres.tolist(), sides.tolist(), strict=True)
        ]
        # Four colours are drawn; pictures of more channels have them again.
        colours = drawn[:, 4 + torch.arange(images.shape[1]) % 4]
        return erase(images, boxes, (colours + 1) / 2)


@dataclass(frozen=True)
class Foveate(Change):
    """See as an eye that looks anywhere: at 1/s of the shorter side from there, half as sharp."""

    strength: float = 4.0
    share: float = 0.5
    name: ClassVar[str] = "foveate"
    limit: ClassVar[float] = 64.0
    columns: ClassVar[int] = 2

    def touch(self, images: Tensor, drawn: Tensor) -> Tensor:
        fixations = (drawn + 1) / 2
        return on_rows(
            images,
            drawn.any(dim=1),
            lambda some, rows: foveate(some, fixations[rows], falloff=self.strength),
        )


def amounts(column: int, values: Tensor) -> Tensor:
    """Give amounts of all changes of colours, of which one is not neutral.

    Args:
        column: which one: brightness, contrast, saturation or hue.
        values: N of it.

    Returns:
        N x 4.

    >>> amounts(1, torch.tensor([0.5])).tolist()
    [[1.0, 0.5, 1.0, 0.0]]
    """
    found = neutral(len(values))
    found[:, column] = values
    return found
