"""The severities of common corruptions: published constants by the size of images, and their lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Generator, Tensor

SEVERITIES = (1, 2, 3, 4, 5)
"""From hardly seen to hardly recognised."""

LARGE = 64
"""From this shorter side in pixels on, constants are those for 224 pixels; below, those for 32."""

Constant = TypeVar("Constant")


def constant(
    images: Tensor, severity: int, *, small: Sequence[Constant], large: Sequence[Constant]
) -> Constant:
    """Choose the published constants for images of a size.

    Args:
        images: N x C x H x W.
        severity: 1 to 5.
        small: for each severity the constants for images of 32 pixels.
        large: those for images of 224 pixels.

    Returns:
        One of them.

    >>> constant(torch.zeros(1, 1, 28, 28), 2, small="abcde", large="vwxyz")
    'b'
    """
    return (small if min(images.shape[2:]) < LARGE else large)[severity - 1]


def proportion(images: Tensor) -> float:
    """Give how much longer a length in pixels is than in the images that its constant was published for.

    Args:
        images: N x C x H x W.

    Returns:
        1 for a shorter side of 32 and of 224 pixels, and in proportion below and from 64 on.

    >>> proportion(torch.zeros(1, 1, 448, 500))
    2.0
    """
    side = min(images.shape[2:])
    return side / (32 if side < LARGE else 224)


def normal(shape: Sequence[int], like: Tensor, generator: Generator) -> Tensor:
    """Draw from the standard normal distribution.

    Args:
        shape: of what is drawn.
        like: gives device and type.
        generator: on any device.

    Returns:
        The numbers.
    """
    return torch.randn(tuple(shape), generator=generator, device=generator.device).to(like)


def uniform(shape: Sequence[int], like: Tensor, generator: Generator) -> Tensor:
    """Draw evenly from [0, 1).

    Args:
        shape: of what is drawn.
        like: gives device and type.
        generator: on any device.

    Returns:
        The numbers.
    """
    return torch.rand(tuple(shape), generator=generator, device=generator.device).to(like)
