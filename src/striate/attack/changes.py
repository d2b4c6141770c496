"""The changes that invariance is measured against: moved, seen from elsewhere, in another light, spoilt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from striate.core.errors import AttackError
from striate.nn.blurs import normal_blur
from striate.nn.corruptions import CORRUPTIONS, SMALLEST, corrupt
from striate.nn.inputs import by
from striate.nn.jpeg import jpeg
from striate.nn.resampling import sample, shift_between, tilt, turn, zoom
from striate.nn.severities import SEVERITIES
from striate.nn.warps import shift

Make: TypeAlias = Callable[[Tensor, float, Generator], list[Tensor]]
"""Takes images, a strength over 0 and a generator; gives the variants, such as one for each direction."""

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))
"""Down, up, right, left."""


@dataclass(frozen=True)
class Change:
    """A way to change images, and how far.

    Args:
        name: what it is called.
        unit: of the strengths.
        strengths: from 0, rising; 0 gives what the others are compared with.
        make: gives the variants of images at a strength over 0.
        begin: gives the images at strength 0; by default they are what they are.

    Raises:
        AttackError: where there are less than two strengths, or they do not rise from 0.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    make: Make
    begin: Callable[[Tensor], Tensor] = lambda images: images

    def __post_init__(self) -> None:
        rises = all(low < high for low, high in zip(self.strengths, self.strengths[1:], strict=False))
        if len(self.strengths) < 2 or self.strengths[0] != 0 or not rises:
            raise AttackError(
                f"the strengths of the change '{self.name}' rise from 0, as in (0, 1, 2), and these are "
                f"{self.strengths}"
            )

    def variants(self, images: Tensor, strength: float, generator: Generator) -> list[Tensor]:
        """Change images by a strength.

        Args:
            images: N x C x H x W in [0, 1].
            strength: from 0.
            generator: of all that is random.

        Returns:
            The variants, of the same shape, in [0, 1].
        """
        made = self.make(images, strength, generator) if strength else [self.begin(images)]
        return [each.clamp(0, 1) for each in made]


def changes_for(size: Sequence[int], *, corruptions: bool = True) -> tuple[Change, ...]:
    """Give the changes that images of a size are measured against.

    Shifts reach an eighth of the shorter side. ``shift`` lets the image's own border in, mirrored;
    ``circular-shift`` lets in what left at the other side; ``crop-shift`` moves the window over an image that
    was enlarged by a quarter, so that nothing is made up, and compares with the window in the middle;
    ``sub-pixel-shift`` moves by parts of a pixel.

    Args:
        size: height and width in pixels, each at least 16.
        corruptions: whether the 15 common corruptions follow.

    Returns:
        The changes.

    Raises:
        AttackError: where the images are no pictures, or too small.

    >>> [change.name for change in changes_for((28, 28), corruptions=False)][:4]
    ['shift', 'circular-shift', 'crop-shift', 'sub-pixel-shift']
    """
    if len(size) != 2 or min(size) < SMALLEST:
        raise AttackError(
            f"invariance is measured on pictures of {SMALLEST}x{SMALLEST} pixels and more, and these are "
            f"{by(size)}"
        )
    side = min(size)
    whole = tuple(float(each) for each in sorted({0, 1, *(round(side * part / 32) for part in range(1, 5))}))
    margin = int(whole[-1])
    blurs = tuple(round(each * side / 32, 2) for each in (0, 0.5, 1, 1.5, 2, 3))
    found = (
        Change("shift", "pixels", whole, _shifted),
        Change("circular-shift", "pixels", whole, _rolled),
        Change("crop-shift", "pixels", whole, partial(_cropped, margin), partial(_middle, margin)),
        Change("sub-pixel-shift", "pixels", (0, 0.25, 0.5, 0.75, 1), _shifted_between),
        Change("rotation", "degrees", (0, 5, 10, 20, 30, 45), _turned),
        Change("scale", "share", (0, 0.05, 0.1, 0.2, 0.3, 0.5), _scaled),
        Change("perspective", "degrees", (0, 10, 20, 30, 40), _tilted),
        Change("brightness", "added", (0, 0.05, 0.1, 0.2, 0.3, 0.4), _brightened),
        Change("contrast", "share", (0, 0.2, 0.4, 0.6, 0.8), _contrasted),
        Change("gamma", "powers of 2", (0, 0.25, 0.5, 1, 1.5), _bent),
        Change("blur", "pixels", blurs, _blurred),
        Change("noise", "deviation", (0, 0.02, 0.05, 0.1, 0.2, 0.3), _noised),
        Change("jpeg", "100 - quality", (0, 10, 30, 50, 70, 80, 90, 95), _compressed),
    )
    if not corruptions:
        return found
    severities = (0.0, *map(float, SEVERITIES))
    return found + tuple(
        Change(f"corruption: {name}", "severity", severities, partial(_corrupted, name))
        for name in CORRUPTIONS
    )


def _shifted(images: Tensor, pixels: float, generator: Generator) -> list[Tensor]:
    del generator
    radius = int(pixels)
    each = [torch.tensor(way, device=images.device) * radius for way in DIRECTIONS]
    return [shift(images, offsets.expand(len(images), 2), radius=radius) for offsets in each]


def _rolled(images: Tensor, pixels: float, generator: Generator) -> list[Tensor]:
    del generator
    return [images.roll((down * int(pixels), right * int(pixels)), (2, 3)) for down, right in DIRECTIONS]


def _cropped(margin: int, images: Tensor, pixels: float, generator: Generator) -> list[Tensor]:
    del generator
    return [_window(images, margin, down * pixels, right * pixels) for down, right in DIRECTIONS]


def _middle(margin: int, images: Tensor) -> Tensor:
    return _window(images, margin, 0, 0)


def _window(images: Tensor, margin: int, down: float, right: float) -> Tensor:
    """Cut a window of the images' size out of the images enlarged by a margin on each side."""
    height, width = images.shape[2:]
    # In the enlarged image a pixel of the window is (place + margin + shift); there its source is computed.
    rows = torch.arange(height, device=images.device, dtype=torch.float32) + margin + down
    columns = torch.arange(width, device=images.device, dtype=torch.float32) + margin + right
    rows = (rows + 0.5) * height / (height + 2 * margin) - 0.5
    columns = (columns + 0.5) * width / (width + 2 * margin) - 0.5
    shape = (len(images), height, width)
    return sample(images, rows[:, None].expand(shape), columns.expand(shape))


def _shifted_between(images: Tensor, pixels: float, generator: Generator) -> list[Tensor]:
    del generator
    return [shift_between(images, down * pixels, right * pixels) for down, right in DIRECTIONS]


def _turned(images: Tensor, degrees: float, generator: Generator) -> list[Tensor]:
    del generator
    return [turn(images, degrees), turn(images, -degrees)]


def _scaled(images: Tensor, share: float, generator: Generator) -> list[Tensor]:
    del generator
    return [zoom(images, 1 + share), zoom(images, 1 / (1 + share))]


def _tilted(images: Tensor, degrees: float, generator: Generator) -> list[Tensor]:
    del generator
    return [tilt(images, sign * degrees, vertical=vertical) for vertical in (False, True) for sign in (1, -1)]


def _brightened(images: Tensor, added: float, generator: Generator) -> list[Tensor]:
    del generator
    return [images + added, images - added]


def _contrasted(images: Tensor, share: float, generator: Generator) -> list[Tensor]:
    del generator
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return [(images - mean) * factor + mean for factor in (1 - share, 1 / (1 - share))]


def _bent(images: Tensor, powers: float, generator: Generator) -> list[Tensor]:
    del generator
    return [images ** (2.0**powers), images ** (2.0**-powers)]


def _blurred(images: Tensor, deviation: float, generator: Generator) -> list[Tensor]:
    del generator
    return [normal_blur(images, deviation)]


def _noised(images: Tensor, deviation: float, generator: Generator) -> list[Tensor]:
    drawn = torch.randn(images.shape, generator=generator, device=generator.device)
    return [images + deviation * drawn.to(images)]


def _compressed(images: Tensor, lost: float, generator: Generator) -> list[Tensor]:
    del generator
    return [jpeg(images, 100 - int(lost))]


def _corrupted(name: str, images: Tensor, severity: float, generator: Generator) -> list[Tensor]:
    return [corrupt(images, name, int(severity), generator=generator)]
