"""Residual adversarial networks (Miyato et al. 2018): batch norm makes, spectral norm tells apart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from striate.models.adversarial import Discriminator, Generator, TrunkClassifier
from striate.models.adversarial_maps import (
    Doubling,
    FirstMap,
    PixelsAsChannels,
    channels_at,
    generator_sides,
    trunk_sides,
    width_in,
    width_words,
)
from striate.models.fitting import expect_counts

WIDTH = 32
"""Channels of the maps of 16 x 16 by default."""

_NAME = "residual-trunk"


class GeneratorBlock(nn.Module):
    """Norm, rectifier and 3x3 convolution, twice, with a skip connection around them.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        doubled: whether the map is doubled, by repeating each pixel, before the first convolution.
    """

    def __init__(self, inputs: int, outputs: int, *, doubled: bool) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.doubling = Doubling("nearest") if doubled else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block to N x C x H x W features."""
        # The skip's convolution comes first: it is the same behind the doubling, on four times the pixels.
        skip = self.doubling(self.skip(images))
        features = self.conv1(self.doubling(F.relu(self.bn1(images))))
        summed: Tensor = self.conv2(F.relu(self.bn2(features))) + skip
        return summed


class DiscriminatorBlock(nn.Module):
    """Rectifier and 3x3 convolution, twice, with a skip connection around them.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        halved: whether the map is halved, by the mean of 2 x 2 pixels, behind the second convolution.
    """

    def __init__(self, inputs: int, outputs: int, *, halved: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1)
        self.conv2 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.pool = nn.AvgPool2d(2) if halved else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block to N x C x H x W features."""
        features = self.conv2(F.relu(self.conv1(F.relu(images))))
        # The mean is taken first: it is the same before the skip's convolution, on a quarter of the pixels.
        summed: Tensor = self.pool(features) + self.skip(self.pool(images))
        return summed


class SumOfMap(nn.Module):
    """A rectifier, and the sum over all places of a map."""

    def forward(self, features: Tensor) -> Tensor:
        """Give N x C of N x C x H x W."""
        return F.relu(features).sum(dim=(2, 3))


def residual_generator(
    *,
    size: int = 28,
    channels: int = 1,
    latent_size: int = 128,
    classes: int | None = None,
    width: int = WIDTH,
) -> Generator:
    """Build a generator of residual blocks with batch norm.

    A dense layer gives the first map, of 4 to 7 pixels a side; one block keeps its size, each further one
    doubles it.

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

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018), appendix B.4,
    table 4 (b), after Gulrajani et al. (2017). What differs: a first block that keeps the size, in place of
    the last one, whose doubling is left to the last convolution; and narrower maps.

    >>> import torch
    >>> residual_generator()(torch.randn(2, 128)).shape
    torch.Size([2, 1, 28, 28])
    """
    sides = generator_sides(size)
    expect_counts(channels=channels, width=width)
    maps = [channels_at(side, width) for side in sides]
    body = nn.Sequential(FirstMap(maps[0], sides[0]), GeneratorBlock(maps[0], maps[0], doubled=False))
    for inputs, outputs in pairwise(maps):
        body.append(GeneratorBlock(inputs, outputs, doubled=True))
    body.extend([nn.BatchNorm2d(maps[-1]), nn.ReLU(inplace=True)])
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


def residual_discriminator(
    *, size: int = 28, channels: int = 1, classes: int | None = None, width: int = WIDTH
) -> Discriminator:
    """Build a discriminator of residual blocks whose weights all have a spectral norm of 1.

    Args:
        size, channels, classes, width: as for `residual_generator`; any size from 8 on.

    Returns:
        The discriminator. The norm of each layer is that of its weights as a matrix of outputs, followed by
        one step of power iteration in each forward pass in training mode.

    Raises:
        ShapeError: where the size is under 8.
        LayerError: where a number is no whole one from 1 on.

    Source: Miyato et al. (2018), section 2.1 and appendix B.4, table 4 (c). What differs: the first block is
    a convolution that takes 2 x 2 pixels as channels, and one block of the last size where theirs are two.

    >>> import torch
    >>> residual_discriminator()(torch.zeros(2, 1, 28, 28)).shape
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
    for module in list(discriminator.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            spectral_norm(module)
    return discriminator


def residual_trunk(
    *,
    classes: int = 10,
    channels: int = 1,
    size: tuple[int, ...] = (28, 28),
    layers: str = width_words(WIDTH),
) -> nn.Module:
    """Build the trunk of a `residual_discriminator` with a linear head, without spectral norm.

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

    >>> import torch
    >>> residual_trunk(channels=3, size=(32, 48))(torch.zeros(2, 3, 32, 48)).shape
    torch.Size([2, 10])
    """
    trunk, features = _trunk(size, channels=channels, width=width_in(layers, network=_NAME))
    _initialise([trunk])
    return TrunkClassifier(trunk, features=features, classes=classes, channels=channels, size=tuple(size))


def _trunk(size: tuple[int, ...], *, channels: int, width: int) -> tuple[nn.Sequential, int]:
    sides = trunk_sides(size, network=_NAME)
    expect_counts(channels=channels, width=width)
    maps = [channels_at(min(side), width) for side in sides]
    trunk = nn.Sequential(PixelsAsChannels(), nn.Conv2d(4 * channels, maps[0], 3, padding=1))
    for inputs, outputs in pairwise(maps):
        trunk.append(DiscriminatorBlock(inputs, outputs, halved=True))
    trunk.append(DiscriminatorBlock(maps[-1], maps[-1], halved=False))
    trunk.append(SumOfMap())
    return trunk, maps[-1]


def _initialise(parts: Iterable[nn.Module]) -> None:
    """Draw weights as Glorot and Bengio do, those of a block's 3x3 convolutions for rectifiers."""
    for part in parts:
        for module in part.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                rectified = isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3)
                if not module.weight.is_meta:  # torch would take a second to find out
                    nn.init.xavier_uniform_(module.weight, gain=math.sqrt(2) if rectified else 1)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
