"""Three common corruptions by noise: of every value by itself, of counted light, of single values lost."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from striate.nn.severities import constant, normal, uniform


def gaussian_noise(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Add normal noise, as of a sensor in little light.

    Args:
        images: N x C x H x W in [0, 1], floating point.
        severity: 1 to 5.
        generator: of the noise.

    Returns:
        Of the same shape, not cut to [0, 1].
    """
    deviation = constant(
        images, severity, small=(0.04, 0.06, 0.08, 0.09, 0.10), large=(0.08, 0.12, 0.18, 0.26, 0.38)
    )
    return images + deviation * normal(images.shape, images, generator)


def shot_noise(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Count photons: Poisson noise, whose deviation is the root of the light.

    Args:
        images: N x C x H x W in [0, 1], floating point.
        severity: 1 to 5.
        generator: of the noise.

    Returns:
        Of the same shape, not cut to [0, 1].
    """
    photons = constant(images, severity, small=(500, 250, 100, 75, 50), large=(60, 25, 12, 5, 3))
    expected = (images * photons).to(generator.device)
    return torch.poisson(expected, generator=generator).to(images) / photons


def impulse_noise(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Set single values to 0 or 1, as bits that are lost do.

    Args:
        images: N x C x H x W in [0, 1], floating point.
        severity: 1 to 5.
        generator: of the noise.

    Returns:
        Of the same shape.
    """
    share = constant(
        images, severity, small=(0.01, 0.02, 0.03, 0.05, 0.07), large=(0.03, 0.06, 0.09, 0.17, 0.27)
    )
    drawn = uniform(images.shape, images, generator)
    return torch.where(drawn < share, (drawn < share / 2).to(images), images)
