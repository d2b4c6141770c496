"""The 15 common corruptions of images, in five severities: noise, blur, weather, and what computers do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from striate.core.errors import LayerError, ShapeError, unknown_name
from striate.nn.blurs import defocus_blur, glass_blur, motion_blur, zoom_blur
from striate.nn.digital import contrast, elastic_transform, jpeg_compression, pixelate
from striate.nn.inputs import by
from striate.nn.noises import gaussian_noise, impulse_noise, shot_noise
from striate.nn.severities import SEVERITIES
from striate.nn.weather import brightness, fog, frost, snow

Corruption: TypeAlias = Callable[[Tensor, int, Generator], Tensor]
"""Takes images, a severity and a generator."""

CORRUPTIONS: dict[str, Corruption] = {
    "gaussian-noise": gaussian_noise,
    "shot-noise": shot_noise,
    "impulse-noise": impulse_noise,
    "defocus-blur": defocus_blur,
    "glass-blur": glass_blur,
    "motion-blur": motion_blur,
    "zoom-blur": zoom_blur,
    "snow": snow,
    "frost": frost,
    "fog": fog,
    "brightness": brightness,
    "contrast": contrast,
    "elastic-transform": elastic_transform,
    "pixelate": pixelate,
    "jpeg-compression": jpeg_compression,
}
"""The corruptions in the order of the paper."""

SMALLEST = 16
"""The smallest side in pixels."""


@torch.no_grad()
def corrupt(images: Tensor, name: str, severity: int, *, generator: Generator | None = None) -> Tensor:
    """Corrupt images.

    Constants are those that were published with the paper for images of 32 pixels, or from a shorter side of
    64 pixels on those for 224; lengths in pixels are in proportion to the side. What differs: values are not
    rounded to bytes (but for JPEG), frost is made instead of photographed, and the two warps of the elastic
    transform are one. So figures for 32 and 224 pixels compare with published ones, but for frost.

    Args:
        images: N x C x H x W in [0, 1], of 1 or 3 channels, each side from 16 pixels.
        name: a key of `CORRUPTIONS`.
        severity: 1 to 5.
        generator: of all that is random; ``None``: the same each time.

    Returns:
        Of the same shape and type, in [0, 1].

    Raises:
        ShapeError: where they are no such images.
        LayerError: for an unknown corruption or severity, or images of another type or range.

    Source: Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and
    Perturbations (2019), section 4.1 and appendix A.

    >>> corrupt(torch.full((1, 1, 32, 32), 0.5), "brightness", 1).unique().item()  # doctest: +ELLIPSIS
    0.55...
    """
    if name not in CORRUPTIONS:
        raise LayerError(unknown_name("corruption", str(name), CORRUPTIONS))
    if isinstance(severity, bool) or severity not in SEVERITIES:
        raise LayerError(f"a severity of {severity!r} cannot be; 1 to 5 can")
    check_pictures(images)
    if generator is None:
        generator = Generator().manual_seed(0)
    precise = images.to(torch.promote_types(images.dtype, torch.float32))
    return CORRUPTIONS[name](precise, severity, generator).clamp(0, 1).to(images.dtype)


def check_pictures(images: Tensor) -> None:
    """Refuse what is no batch of pictures in [0, 1].

    Args:
        images: to be checked.

    Raises:
        ShapeError: where they are not N x C x H x W, of other channels than 1 or 3, or too small.
        LayerError: where they are not floating point, or not in [0, 1].
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or min(images.shape[2:]) < SMALLEST:
        raise ShapeError(
            f"pictures N x C x H x W of 1 or 3 channels, {SMALLEST} pixels and more a side, are wanted, and "
            f"these are {by(images.shape)}"
        )
    if not images.is_floating_point():
        kind = str(images.dtype).removeprefix("torch.")
        raise LayerError(
            f"images are {kind}, where floating point is wanted; images.float() / 255 makes bytes numbers in "
            "[0, 1]"
        )
    if len(images):
        low, high = images.amin().item(), images.amax().item()
        if not (low >= 0 and high <= 1):  # a NaN fails too
            raise LayerError(f"images are numbers from {low:g} to {high:g}, where [0, 1] is wanted")
