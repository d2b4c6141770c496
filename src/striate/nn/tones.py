"""Changes of each value by a curve, in a whole batch: gamma, fewer, inverted, stretched and equal shades.

All take floating-point pictures in [0, 1] and give pictures in [0, 1]. Those that count shades do it in 256,
as for bytes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def gamma(images: Tensor, exponents: Tensor) -> Tensor:
    """Raise every value to a power: ``x ** g``.

    Args:
        images: N x C x H x W in [0, 1].
        exponents: N, over 0; over 1 is darker.

    Returns:
        A new batch of the same shape.

    >>> gamma(torch.full((1, 1, 1, 1), 0.5), torch.tensor([2.0])).item()
    0.25
    """
    # Powers of 2 take half the time of any others.
    return images.log2().mul_(exponents.to(images)[:, None, None, None]).exp2_()


def posterise(images: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest bits of every value alone.

    Args:
        images: N x C x H x W in [0, 1].
        bits: N whole numbers in [1, 8].

    Returns:
        A new batch of the same shape.

    Source: Pillow's ``ImageOps.posterize``.
    """
    step = (2.0 ** (8 - bits.to(images)))[:, None, None, None]
    return _bytes(images).div_(step).floor_().mul_(step).div_(255)


def solarise(images: Tensor, thresholds: Tensor) -> Tensor:
    """Invert the values that are at least as large as a threshold: ``x -> 1 - x``.

    Args:
        images: N x C x H x W in [0, 1].
        thresholds: N, in [0, 1]; over 1 nothing is inverted.

    Returns:
        A new batch of the same shape.

    Source: Pillow's ``ImageOps.solarize``.
    """
    return torch.where(images < thresholds.to(images)[:, None, None, None], images, 1 - images)


def stretch(images: Tensor) -> Tensor:
    """Stretch the values of each channel so that its darkest is 0 and its lightest 1.

    Args:
        images: N x C x H x W in [0, 1]; a channel of one value stays as it is.

    Returns:
        A new batch of the same shape.

    Source: Pillow's ``ImageOps.autocontrast``, without rounding.
    """
    low, high = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    stretched = (images - low).div_((high - low).clamp_(min=1 / 512))
    return torch.where(high > low, stretched, images)


def equalise(images: Tensor) -> Tensor:
    """Spread the values of each channel so that all shades are about equally frequent.

    Args:
        images: N x C x H x W in [0, 1].

    Returns:
        A new batch of the same shape, of 256 shades.

    Source: Pillow's ``ImageOps.equalize``, to the byte.
    """
    shades = _bytes(images).flatten(2).long().flatten(0, 1)
    counts = shades.new_zeros(len(shades), 256)
    counts.scatter_add_(1, shades, torch.ones_like(shades))
    # The last shade that occurs is not spread, as Pillow has it.
    last = 255 - (counts.flip(1) > 0).long().argmax(dim=1, keepdim=True)
    step = (shades.shape[1] - counts.gather(1, last)).div(255, rounding_mode="floor")
    before = counts.cumsum(dim=1) - counts
    table = (before + step // 2).div(step.clamp(min=1), rounding_mode="floor").clamp_(max=255)
    table = torch.where(step > 0, table, torch.arange(256, device=table.device))
    return table.gather(1, shades).view(images.shape).to(images.dtype).div_(255)


def _bytes(images: Tensor) -> Tensor:
    """Give values in 0 to 255, whole numbers, as a new tensor."""
    return (images * 255).round_()
