"""Blurring by a Gaussian, and sharpening, of a whole batch, each picture by its own amount."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 3.0
"""Standard deviations to both sides that a Gaussian is cut at."""

FEW = 12
"""Elements to each side up to which a CPU adds up shifted pictures faster than it multiplies matrices."""


def soften(images: Tensor, deviations: Tensor) -> Tensor:
    """Blur every picture of a batch by a Gaussian of its own; beyond the border is the mirror image.

    On a CPU narrow Gaussians are sums of shifted pictures. Elsewhere, and where they are wide, every line is
    multiplied by the matrix of all its weights, and every column likewise.

    Args:
        images: N x C x H x W, floating-point.
        deviations: N standard deviations in pixels, at least 0, on the CPU.

    Returns:
        A new batch of the same shape.

    >>> spread = soften(torch.eye(9)[None, None], torch.tensor([1.0]))
    >>> round(spread.sum().item(), 3), round(spread[0, 0, 4, 4].item(), 3)
    (9.0, 0.282)
    """
    height, width = images.shape[2:]
    if images.device.type != "cpu":
        return _by_matrices(images, deviations)
    reaches = _reaches(deviations)
    softened = torch.empty_like(images)
    # Each picture by its own width alone, so that nothing depends on what else is in the batch.
    wide = reaches > min(FEW, height, width)
    for number in (~wide).nonzero()[:, 0].tolist():
        weights = _line(float(deviations[number]), int(reaches[number]))
        softened[number] = _summed(_summed(images[number], weights, axis=1), weights, axis=2)
    if wide.any():
        softened[wide] = _by_matrices(images[wide], deviations[wide])
    return softened


def _reaches(deviations: Tensor) -> Tensor:
    return (REACH * deviations.double() + 0.5).floor().long()


def _line(deviation: float, reach: int) -> list[float]:
    """Give the weights of a Gaussian by the distance, of sum 1 to both sides."""
    weights = [math.exp(-0.5 * (away / max(deviation, 1e-3)) ** 2) for away in range(reach + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    return [weight / total for weight in weights]


def _summed(image: Tensor, weights: list[float], *, axis: int) -> Tensor:
    """Add up what lies as far to both sides along an axis, weighed."""
    reach, side = len(weights) - 1, image.shape[axis]
    if reach == 0:
        return image
    before, after = image.narrow(axis, 0, reach), image.narrow(axis, side - reach, reach)
    around = torch.cat([before.flip(axis), image, after.flip(axis)], dim=axis)
    blurred = image * weights[0]
    for away in range(1, reach + 1):
        both = around.narrow(axis, reach - away, side) + around.narrow(axis, reach + away, side)
        blurred.add_(both, alpha=weights[away])
    return blurred


def _by_matrices(images: Tensor, deviations: Tensor) -> Tensor:
    count, channels, height, width = images.shape
    down = _weights(deviations, height).to(images)
    right = down if width == height else _weights(deviations, width).to(images)
    # A matrix of weights is symmetric. One for all channels, so that none is copied.
    lines = torch.bmm(images.reshape(count, channels * height, width), right).view(images.shape)
    return torch.stack([torch.bmm(down, lines[:, channel]) for channel in range(channels)], dim=1)


def _weights(deviations: Tensor, side: int) -> Tensor:
    """Give what the elements of a line add to each other: N x side x side, symmetric, every row of sum 1."""
    widths = deviations.double()[:, None].clamp(min=1e-3)
    # Mirrored again and again, a line repeats after twice its length.
    period = 2 * side
    reaches = _reaches(deviations)[:, None]
    copies = int(reaches.max()) // period + 1 if len(deviations) else 1
    distances = torch.arange(period, dtype=torch.float64)
    line = torch.zeros(len(deviations), period, dtype=torch.float64)
    for copy in range(-copies, copies + 1):
        away = (distances + copy * period).abs()
        line += torch.where(away <= reaches, torch.exp(-0.5 * (away / widths) ** 2), 0.0)
    line = (line / line.sum(dim=1, keepdim=True)).float()
    # Row i has the weights of distances from -i to side - 1 - i; to the mirror image, from i + 1 to i + side.
    straight = torch.cat([line[:, side + 1 :], line[:, :side]], dim=1).unfold(1, side, 1).flip(1)
    return straight + line[:, 1:].unfold(1, side, 1)


def sharpen(images: Tensor, factors: Tensor) -> Tensor:
    """Move every picture away from a softened one, or towards it: ``f x + (1 - f) soft(x)``.

    Args:
        images: N x C x H x W in [0, 1]; the outermost pixels stay as they are.
        factors: N, at least 0: 0 is the softened picture, 1 the picture itself, over 1 is sharper.

    Returns:
        A new batch of the same shape, in [0, 1].

    Source: Pillow's ``ImageEnhance.Sharpness``, without rounding in between.
    """
    sharp = images.clone()
    height, width = images.shape[2:]
    if min(height, width) < 3:
        return sharp
    kernel = images.new_tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]) / 13
    soft = F.conv2d(images.reshape(-1, 1, height, width), kernel[None, None])
    soft = soft.reshape(*images.shape[:2], height - 2, width - 2)
    factor = factors.to(images)[:, None, None, None]
    sharp[:, :, 1:-1, 1:-1] = torch.lerp(soft, images[:, :, 1:-1, 1:-1], factor).clamp_(0, 1)
    return sharp
