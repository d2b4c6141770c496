"""Deep convolutional adversarial networks (DCGAN, Radford et al. 2016): strides, batch norm, no pooling."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import nn

from striate.models.adversarial import Discriminator, Generator, TrunkClassifier
from striate.models.adversarial_maps import (
    FirstMap,
    FlatMap,
    PixelsAsChannels,
    channels_at,
    generator_sides,
    trunk_sides,
    width_in,
    width_words,
)
from striate.models.fitting import expect_counts
from striate.models.layers import draw_normal

WIDTH = 64
"""Channels of the maps of 16 x 16 by default."""

_SLOPE = 0.2
_DEVIATION = 0.02
_NAME = "dcgan-trunk"


def dcgan_generator(
    *,
    size: int = 28,
    channels: int = 1,
    latent_size: int = 100,
    classes: int | None = None,
    width: int = WIDTH,
) -> Generator:
    """Build a generator of transposed convolutions with batch norm.

    A dense layer gives the first map, of 4 to 7 pixels a side; transposed convolutions of 4 x 4 double it.

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

    Source: Radford, Metz and Chintala, Unsupervised Representation Learning with Deep Convolutional
    Generative Adversarial Networks (2016), section 3 and figure 1. What differs: windows of 4 where theirs
    are of 5, normal latents, and the last transposed convolution, which is a 3 x 3 convolution of the map
    before it that gives 2 x 2 pixels as channels.

    >>> dcgan_generator()(torch.randn(2, 100)).shape
    torch.Size([2, 1, 28, 28])
    """
    sides = generator_sides(size)
    expect_counts(channels=channels, width=width)
    maps = [channels_at(side, width) for side in sides]
    body = nn.Sequential(FirstMap(maps[0], sides[0]), nn.BatchNorm2d(maps[0]), nn.ReLU(inplace=True))
    for inputs, outputs in pairwise(maps):
        body.append(nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
        body.extend([nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)])
    body.append(nn.Conv2d(maps[-1], 4 * channels, 3, padding=1))
    body.append(nn.PixelShuffle(2))
    generator = Generator(
        body,
        features=maps[0] * sides[0] ** 2,
        latent_size=latent_size,
        size=size,
        channels=channels,
        classes=classes,
    )
    _initialise([generator.first, generator.body])
    return generator


def dcgan_discriminator(
    *, size: int = 28, channels: int = 1, classes: int | None = None, width: int = WIDTH
) -> Discriminator:
    """Build a discriminator of strided convolutions with batch norm, but for the first.

    Args:
        size, channels, classes, width: as for `dcgan_generator`; any size from 8 on.

    Returns:
        The discriminator. By batch norm each image's score depends on the others: penalties on its gradient
        are of the batch and not of each image.

    Raises:
        ShapeError: where the size is under 8.
        LayerError: where a number is no whole one from 1 on.

    Source: Radford et al. (2016), section 3. What differs: the first convolution takes 2 x 2 pixels as
    channels (a window of 6 x 6 pixels at a stride of 2), and the last map has 2 to 4 pixels a side.

    >>> dcgan_discriminator()(torch.zeros(2, 1, 28, 28)).shape
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
    _initialise([discriminator.trunk, discriminator.score])
    return discriminator


def dcgan_trunk(
    *,
    classes: int = 10,
    channels: int = 1,
    size: tuple[int, ...] = (28, 28),
    layers: str = width_words(WIDTH),
) -> nn.Module:
    """Build the trunk of a `dcgan_discriminator` with a linear head.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels, each at least 8.
        layers: the width in words, such as ``width64``.

    Returns:
        The network.

    Raises:
        ShapeError: where the size is none, or too small.
        LayerError: where another argument is out of range.

    >>> dcgan_trunk(channels=3, size=(32, 48))(torch.zeros(2, 3, 32, 48)).shape
    torch.Size([2, 10])
    """
    trunk, features = _trunk(size, channels=channels, width=width_in(layers, network=_NAME))
    _initialise([trunk])
    return TrunkClassifier(trunk, features=features, classes=classes, channels=channels, size=tuple(size))


def _trunk(size: tuple[int, ...], *, channels: int, width: int) -> tuple[nn.Sequential, int]:
    sides = trunk_sides(size, last=4, network=_NAME)
    expect_counts(channels=channels, width=width)
    maps = [channels_at(min(side), width) for side in sides]
    trunk = nn.Sequential(PixelsAsChannels(), nn.Conv2d(4 * channels, maps[0], 3, padding=1))
    trunk.append(nn.LeakyReLU(_SLOPE, inplace=True))
    for inputs, outputs in pairwise(maps):
        trunk.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
        trunk.extend([nn.BatchNorm2d(outputs), nn.LeakyReLU(_SLOPE, inplace=True)])
    trunk.append(FlatMap())
    return trunk, maps[-1] * sides[-1][0] * sides[-1][1]


@torch.no_grad()
def _initialise(parts: Iterable[nn.Module]) -> None:
    """Draw weights from a normal distribution of deviation 0.02, norms' around 1, as the authors do."""
    for part in parts:
        for module in part.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                draw_normal(module.weight, deviation=_DEVIATION)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                draw_normal(module.weight, deviation=_DEVIATION)
                module.weight.add_(1)
