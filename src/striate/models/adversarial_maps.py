"""The maps that adversarial networks compute: their sides and channels, and what leads to and from pixels.

No convolution runs at the full size of the images: the last layer of a generator computes 2 x 2 pixels at
once as channels (Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
Convolutional Neural Network, 2016), and the first of a discriminator takes 2 x 2 pixels as channels. On a CPU
that saves most of the time: a map of one or three channels wastes its vector units.
"""

from __future__ import annotations

import re

import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.models.fitting import expect_counts, expect_size
from striate.models.layers import draw_normal

SMALLEST = 8
"""The smallest side of images in pixels."""

LARGEST_FIRST = 7
"""The largest side of a generator's first map, which is doubled until the images are made."""

SIZES = tuple(
    sorted(
        first * 2**doublings
        for first in range(4, 8)
        for doublings in range(1, 6)
        if first << doublings <= 128
    )
)
"""The sides of images that convolutional generators make: 4, 5, 6 or 7 doubled once to five times, to 128."""

_EQUAL = 16
"""The side of the map that has as many channels as the width says."""

_FEWEST = 16
"""The fewest channels of a map, unless the width is less: a CPU computes so many at once."""


def generator_sides(size: int) -> tuple[int, ...]:
    """Give the sides of a generator's maps, from the first, of 4 to 7, to half the size of its images.

    Args:
        size: height and width of the images in pixels.

    Returns:
        The sides, each twice the one before.

    Raises:
        ShapeError: where the size is no such side doubled, naming the nearest that are.

    >>> generator_sides(28), generator_sides(128)
    ((7, 14), (4, 8, 16, 32, 64))
    """
    expect_counts(size=size)
    sides = [size]
    while sides[-1] > LARGEST_FIRST:
        if sides[-1] % 2:
            raise ShapeError(_not_doubled(size, f"{sides[-1]} is odd and over {LARGEST_FIRST}"))
        sides.append(sides[-1] // 2)
    if size < SMALLEST:
        raise ShapeError(_not_doubled(size, f"{size} is under {SMALLEST}"))
    return tuple(reversed(sides[1:]))


def trunk_sides(
    size: tuple[int, ...], *, last: int = LARGEST_FIRST, network: str
) -> tuple[tuple[int, int], ...]:
    """Give the heights and widths of a discriminator's maps, from half of the images' to the last map's.

    Args:
        size: height and width of the images in pixels, each at least 8.
        last: the largest that the shorter side of the last map may be.
        network: its name, for errors.

    Returns:
        The sizes of the maps; each is half of the one before, rounded down, and the first half of the
        images', rounded up.

    Raises:
        ShapeError: where the size is none, or too small.

    >>> trunk_sides((28, 28), network="dcgan-trunk"), trunk_sides((28, 28), last=4, network="dcgan-trunk")
    (((14, 14), (7, 7)), ((14, 14), (7, 7), (3, 3)))
    """
    height, width = expect_size(size, dims=(2,))
    if min(height, width) < SMALLEST:
        raise ShapeError(
            f"images of {height}x{width} pixels are too small for a {network}; {SMALLEST}x{SMALLEST} and "
            f"larger fit, and size={SMALLEST} enlarges them"
        )
    sides = [((height + 1) // 2, (width + 1) // 2)]
    while min(sides[-1]) > last:
        sides.append((sides[-1][0] // 2, sides[-1][1] // 2))
    return tuple(sides)


def channels_at(side: int, width: int) -> int:
    """Give the channels of a map: the smaller it is, the more, so that each size takes about the same time.

    ``width * 16 / side``, the side rounded up to a power of 2; at most 4 times the width, and at least 16
    where the width allows. It is the rule of StyleGAN's networks (Karras et al. 2019).

    Args:
        side: the map's shorter side.
        width: channels at a side of 16.

    Returns:
        The channels.

    >>> [channels_at(side, 64) for side in (3, 4, 7, 14, 16, 32, 64)]
    [256, 256, 128, 64, 64, 32, 16]
    """
    rounded = 1 << (side - 1).bit_length()
    return max(min(_FEWEST, width), min(4 * width, width * _EQUAL // rounded))


def width_in(layers: str, *, network: str) -> int:
    """Read the width of a network from the words that a recipe and a file have for its layers.

    Args:
        layers: ``width`` and a whole number from 1 on, as `width_words` writes it.
        network: its name, for errors.

    Returns:
        The width.

    Raises:
        LayerError: where the words are others.

    >>> width_in(width_words(64), network="dcgan-trunk")
    64
    """
    found = re.fullmatch(r"width([1-9][0-9]{0,4})", layers)
    if found is None:
        raise LayerError(
            f"the layers of a {network} are {layers[:80]!r}, where words as 'width64' are wanted"
        )
    return int(found[1])


def width_words(width: int) -> str:
    """Write a width as the words for a network's layers.

    Args:
        width: at least 1.

    Returns:
        The words.
    """
    return f"width{width}"


class FirstMap(nn.Module):
    """Lays a vector out as a square map, channels last in memory, which copies nothing.

    Args:
        channels: of the map.
        side: of the map.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.channels = channels
        self.side = side

    def forward(self, features: Tensor) -> Tensor:
        """Give N x C x side x side of N x (side * side * C)."""
        return features.view(len(features), self.side, self.side, self.channels).permute(0, 3, 1, 2)


class FlatMap(nn.Module):
    """Lays a map out as a vector: the reverse of `FirstMap`."""

    def forward(self, features: Tensor) -> Tensor:
        """Give N x (H * W * C) of N x C x H x W."""
        return features.permute(0, 2, 3, 1).flatten(1)


class Doubling(nn.Module):
    """Doubles the sides of a map, in the precision that it has.

    Args:
        mode: ``nearest`` (each pixel four times) or ``bilinear``.
    """

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, features: Tensor) -> Tensor:
        """Give N x C x 2H x 2W of N x C x H x W."""
        # On GPUs autocast interpolates in float32, and all that follows in the stream of skips would be that.
        return F.interpolate(features, scale_factor=2, mode=self.mode).to(features.dtype)


class PixelsAsChannels(nn.Module):
    """Takes 2 x 2 pixels as channels; behind an odd side a row or column of zeros makes it even."""

    def forward(self, images: Tensor) -> Tensor:
        """Give N x 4C x H/2 x W/2 of N x C x H x W."""
        height, width = images.shape[2:]
        if height % 2 or width % 2:
            images = F.pad(images, (0, width % 2, 0, height % 2))
        return F.pixel_unshuffle(images, 2)


def draw_by_inputs(layer: nn.Conv2d | nn.Linear, *, gain: float) -> None:
    """Draw a layer's weights with a variance of ``gain^2 / inputs``; its biases begin at 0.

    Args:
        layer: changed in place.
        gain: times which the deviation of the outputs is that of the inputs; 0 makes all weights 0.

    Source: He et al., Delving Deep into Rectifiers (2015), section 2.2, forward case.
    """
    if gain:
        draw_normal(layer.weight, deviation=gain * layer.weight[0].numel() ** -0.5)
    else:
        nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _not_doubled(size: int, why: str) -> str:
    nearest = sorted(sorted(SIZES, key=lambda each: (abs(each - size), each))[:2])
    return (
        f"images of {size}x{size} pixels cannot be made by doubling a map of 4 to {LARGEST_FIRST}: {why}; "
        f"{nearest[0]} and {nearest[1]} can"
    )
