"""The dense adversarial networks (Goodfellow et al. 2014): two hidden layers each, and no convolution."""

from __future__ import annotations

import math

from torch import nn

from striate.models.adversarial import Discriminator, Generator, TrunkClassifier
from striate.models.adversarial_maps import width_in, width_words
from striate.models.fitting import expect_counts, expect_size

WIDTH = 256
"""Units of a hidden layer by default."""

_SLOPE = 0.2


def dense_generator(
    *,
    size: int = 28,
    channels: int = 1,
    latent_size: int = 64,
    classes: int | None = None,
    width: int = WIDTH,
) -> Generator:
    """Build a generator of dense layers: latents, width, width, pixels.

    Args:
        size: height and width of the images in pixels.
        channels: channels of the images.
        latent_size: numbers in a latent.
        classes: how many there are to choose from; ``None``: images are of no class in particular.
        width: units of a hidden layer.

    Returns:
        The generator; with the defaults it has 283,920 parameters, drawn as torch does.

    Raises:
        LayerError: where a number is no whole one from 1 on.

    Source: Goodfellow et al., Generative Adversarial Nets (2014), section 5, without a figure of the layers:
    two hidden layers of rectifiers. Here they leak, and the output is tanh where theirs was a sigmoid.

    >>> import torch
    >>> dense_generator()(torch.randn(2, 64)).shape
    torch.Size([2, 1, 28, 28])
    """
    expect_counts(size=size, channels=channels, width=width)
    body = nn.Sequential(
        nn.LeakyReLU(_SLOPE),
        nn.Linear(width, width),
        nn.LeakyReLU(_SLOPE),
        nn.Linear(width, channels * size * size),
        nn.Unflatten(1, (channels, size, size)),
    )
    return Generator(
        body, features=width, latent_size=latent_size, size=size, channels=channels, classes=classes
    )


def dense_discriminator(
    *, size: int = 28, channels: int = 1, classes: int | None = None, width: int = WIDTH
) -> Discriminator:
    """Build a discriminator of dense layers: pixels (784 by default), width, width, score.

    Args:
        size, channels, classes, width: as for `dense_generator`.

    Returns:
        The discriminator; with the defaults it has 267,009 parameters, drawn as torch does.

    Raises:
        LayerError: where a number is no whole one from 1 on.

    Source: Goodfellow et al. (2014), section 5; leaking rectifiers where theirs are maxout units with
    dropout.

    >>> import torch
    >>> dense_discriminator()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2])
    """
    expect_counts(size=size)
    return Discriminator(
        _trunk((size, size), channels=channels, width=width),
        features=width,
        model="dense-trunk",
        width=width,
        size=size,
        channels=channels,
        classes=classes,
    )


def dense_trunk(
    *,
    classes: int = 10,
    channels: int = 1,
    size: tuple[int, ...] = (28, 28),
    layers: str = width_words(WIDTH),
) -> nn.Module:
    """Build the trunk of a `dense_discriminator` with a linear head.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels.
        layers: the width in words, such as ``width256``.

    Returns:
        The network.

    Raises:
        LayerError: where an argument is out of range.
        ShapeError: where the size is none.

    >>> import torch
    >>> dense_trunk(layers="width32")(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    sides = expect_size(size, dims=(2,))
    width = width_in(layers, network="dense-trunk")
    trunk = _trunk(sides, channels=channels, width=width)
    return TrunkClassifier(trunk, features=width, classes=classes, channels=channels, size=sides)


def _trunk(size: tuple[int, ...], *, channels: int, width: int) -> nn.Sequential:
    expect_counts(channels=channels, width=width)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(channels * math.prod(size), width),
        nn.LeakyReLU(_SLOPE),
        nn.Linear(width, width),
        nn.LeakyReLU(_SLOPE),
    )
