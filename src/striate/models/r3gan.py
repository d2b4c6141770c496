"""A modern baseline (R3GAN, Huang et al. 2024): residual networks without norms, carefully initialised."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from striate.models.adversarial import Discriminator, Generator, TrunkClassifier
from striate.models.adversarial_maps import (
    Doubling,
    PixelsAsChannels,
    channels_at,
    draw_by_inputs,
    generator_sides,
    trunk_sides,
    width_in,
    width_words,
)
from striate.models.fitting import expect_counts
from striate.models.layers import draw_normal

WIDTH = 32
"""Channels of the maps of 16 x 16 by default."""

BLOCKS = 2
"""Residual blocks for each size of map."""

_SLOPE = 0.2
_GAIN = math.sqrt(2 / (1 + _SLOPE**2))
_NAME = "r3gan-trunk"


class FixupBlock(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution, with a leaking rectifier between each two, and a skip around them.

    The last convolution begins at 0, so that a block begins as the identity; the deviations of the first two
    are divided by the fourth root of the number of blocks.

    Args:
        channels: of the input, the output and what is between.
        blocks: how many the network has.

    Source: Zhang, Dauphin and Ma, Fixup Initialization (2019), section 3, with three layers a block.
    """

    def __init__(self, channels: int, *, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv3 = nn.Conv2d(channels, channels, 1, bias=False)
        self.rectifier = nn.LeakyReLU(_SLOPE, inplace=True)
        for layer in (self.conv1, self.conv2):
            draw_by_inputs(layer, gain=_GAIN * blocks**-0.25)
        draw_by_inputs(self.conv3, gain=0)

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block to N x C x H x W features."""
        features = self.rectifier(self.conv1(images))
        features = self.rectifier(self.conv2(features))
        summed: Tensor = images + self.conv3(features)
        return summed


class LearnedMap(nn.Module):
    """A learned map of which a vector says how strong each channel is.

    Args:
        channels: of the map.
        side: of the map.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.empty(side, side, channels))
        draw_normal(self.basis, deviation=1.0)

    def forward(self, strengths: Tensor) -> Tensor:
        """Give N x C x side x side, channels last in memory, of N x C."""
        basis = self.basis.to(strengths.dtype)
        return (strengths[:, None, None, :] * basis).permute(0, 3, 1, 2)


class WeightedSum(nn.Module):
    """The sum over all places of a map with learned weights of its own for each channel.

    Args:
        channels: of the map.
        size: height and width of the map.
    """

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.empty(*size, channels))
        draw_normal(self.basis, deviation=math.prod(size) ** -0.5)

    def forward(self, features: Tensor) -> Tensor:
        """Give N x C of N x C x H x W."""
        return (features.permute(0, 2, 3, 1) * self.basis).sum(dim=(1, 2))


def r3gan_generator(
    *,
    size: int = 28,
    channels: int = 1,
    latent_size: int = 64,
    classes: int | None = None,
    width: int = WIDTH,
) -> Generator:
    """Build a generator of residual blocks without norms.

    The latents say how strong each channel of a learned first map is, of 4 to 7 pixels a side; each size of
    map has two blocks, and is doubled by linear interpolation.

    Args:
        size: height and width of the images in pixels: 4, 5, 6 or 7 doubled.
        channels: channels of the images.
        latent_size: numbers in a latent.
        classes: how many there are to choose from; ``None``: images are of no class in particular.
        width: channels of a map of 16 x 16; `channels_at` says how many others have.

    Returns:
        The generator.

    Raises:
        ShapeError: where no map doubled has the size of the images, naming sizes that work.
        LayerError: where a number is no whole one from 1 on.

    Source: Huang et al., The GAN is dead; long live the GAN! A Modern Baseline GAN (2024), section 4. What
    differs: plain 3x3 convolutions of as many channels as the block has where theirs are grouped and wider
    (groups are slow on CPUs), interpolation between the middles of pixels, and tanh behind the last layer,
    which gives 2 x 2 pixels as channels.

    >>> r3gan_generator()(torch.randn(2, 64)).shape
    torch.Size([2, 1, 28, 28])
    """
    sides = generator_sides(size)
    expect_counts(channels=channels, width=width)
    maps = [channels_at(side, width) for side in sides]
    blocks = BLOCKS * len(maps)
    body = nn.Sequential(LearnedMap(maps[0], sides[0]), *_stage(maps[0], blocks))
    for inputs, outputs in pairwise(maps):
        if inputs != outputs:
            body.append(_change(inputs, outputs))
        body.append(Doubling("bilinear"))
        body.extend(_stage(outputs, blocks))
    body.append(_change(maps[-1], 4 * channels))
    body.append(nn.PixelShuffle(2))
    generator = Generator(
        body, features=maps[0], latent_size=latent_size, size=size, channels=channels, classes=classes
    )
    draw_by_inputs(generator.first, gain=1)
    return generator


def r3gan_discriminator(
    *, size: int = 28, channels: int = 1, classes: int | None = None, width: int = WIDTH
) -> Discriminator:
    """Build a discriminator of residual blocks without norms: the generator's mirror image.

    Args:
        size, channels, classes, width: as for `r3gan_generator`; any size from 8 on.

    Returns:
        The discriminator; each image's score is its own, so that penalties on its gradient have a meaning.

    Raises:
        ShapeError: where the size is under 8.
        LayerError: where a number is no whole one from 1 on.

    Source: Huang et al. (2024), section 4. What differs: as for `r3gan_generator`, the mean of 2 x 2 pixels
    halves a map, and the first layer takes 2 x 2 pixels as channels.

    >>> r3gan_discriminator()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2])
    """
    trunk, features = _trunk((size, size), channels=channels, width=width)
    discriminator = Discriminator(
        trunk,
        features=features,
        model=_NAME,
        width=width,
        size=size,
        channels=channels,
        classes=classes,
    )
    draw_by_inputs(discriminator.score, gain=1)
    return discriminator


def r3gan_trunk(
    *,
    classes: int = 10,
    channels: int = 1,
    size: tuple[int, ...] = (28, 28),
    layers: str = width_words(WIDTH),
) -> nn.Module:
    """Build the trunk of an `r3gan_discriminator` with a linear head.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels, each at least 8.
        layers: the width in words, such as ``width32``.

    Returns:
        The network.

    Raises:
        ShapeError: where the size is none, or too small.
        LayerError: where another argument is out of range.

    >>> r3gan_trunk(channels=3, size=(32, 48))(torch.zeros(2, 3, 32, 48)).shape
    torch.Size([2, 10])
    """
    trunk, features = _trunk(size, channels=channels, width=width_in(layers, network=_NAME))
    return TrunkClassifier(trunk, features=features, classes=classes, channels=channels, size=tuple(size))


def _trunk(size: tuple[int, ...], *, channels: int, width: int) -> tuple[nn.Sequential, int]:
    sides = trunk_sides(size, network=_NAME)
    expect_counts(channels=channels, width=width)
    maps = [channels_at(min(side), width) for side in sides]
    blocks = BLOCKS * len(maps)
    trunk = nn.Sequential(PixelsAsChannels(), _change(4 * channels, maps[0]), *_stage(maps[0], blocks))
    for inputs, outputs in pairwise(maps):
        trunk.append(nn.AvgPool2d(2))
        if inputs != outputs:
            trunk.append(_change(inputs, outputs))
        trunk.extend(_stage(outputs, blocks))
    trunk.append(WeightedSum(maps[-1], sides[-1]))
    return trunk, maps[-1]


def _stage(channels: int, blocks: int) -> list[nn.Module]:
    return [FixupBlock(channels, blocks=blocks) for _ in range(BLOCKS)]


def _change(inputs: int, outputs: int) -> nn.Module:
    layer = nn.Conv2d(inputs, outputs, 1, bias=False)
    draw_by_inputs(layer, gain=1)
    return layer
