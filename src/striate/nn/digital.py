"""Four common corruptions on the way to a network: less contrast, elastic cloth, coarse pixels, JPEG."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from striate.nn.blurs import normal_blur
from striate.nn.jpeg import jpeg
from striate.nn.resampling import sample
from striate.nn.severities import LARGE, constant, uniform


def contrast(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Bring every value nearer to the mean of its channel in the image.

    Args:
        images: N x C x H x W, floating point.
        severity: 1 to 5.
        generator: not used: nothing is drawn.

    Returns:
        Of the same shape.
    """
    del generator
    kept = constant(images, severity, small=(0.75, 0.5, 0.4, 0.3, 0.15), large=(0.4, 0.3, 0.2, 0.1, 0.05))
    mean = images.mean(dim=(2, 3), keepdim=True)
    return (images - mean) * kept + mean


def elastic_transform(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Stretch images as if on cloth: three corners are moved, and every pixel by a smooth field besides.

    Args:
        images: N x C x H x W, floating point.
        severity: 1 to 5.
        generator: of the corners and the field.

    Returns:
        Of the same shape.
    """
    amount, smoothness, corner = constant(
        images,
        severity,
        small=((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        large=((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)),
    )
    count, _, height, width = images.shape
    # The published lengths for 224 pixels are shares of 244.
    side = min(height, width) * (1 if min(height, width) < LARGE else 244 / 224)
    field = images.new_zeros(count, 2, height, width)
    if amount:
        drawn = 2 * uniform(field.shape, images, generator) - 1
        field = amount * side * normal_blur(drawn, smoothness * side, truncate=3.0)
    rows = torch.arange(height, device=images.device, dtype=images.dtype)
    columns = torch.arange(width, device=images.device, dtype=images.dtype)
    down, right = field[:, 0] + rows[:, None], field[:, 1] + columns
    back = _moved_back(images, corner * side, generator)
    places = torch.stack([right, down, torch.ones_like(down)], dim=-1).flatten(1, 2) @ back
    right, down = places.view(count, height, width, 2).unbind(dim=-1)
    return sample(images, down, right, cubic=False)


def _moved_back(images: Tensor, most: float, generator: Generator) -> Tensor:
    """Give for each image the affine map, 3 x 2, that undoes a random move of three corners."""
    height, width = images.shape[2:]
    middle = torch.tensor([width // 2, height // 2]).to(images)
    third = min(height, width) // 3
    corners = middle + third * torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]]).to(images)
    corners = corners.expand(len(images), 3, 2)
    moved = corners + most * (2 * uniform(corners.shape, images, generator) - 1)
    back: Tensor = torch.linalg.solve(torch.cat([moved, torch.ones_like(moved[:, :, :1])], dim=2), corners)
    return back


def pixelate(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Shrink images by the mean of what falls together, and enlarge them without smoothing.

    Args:
        images: N x C x H x W, floating point.
        severity: 1 to 5.
        generator: not used: nothing is drawn.

    Returns:
        Of the same shape.
    """
    del generator
    share = constant(images, severity, small=(0.95, 0.9, 0.85, 0.75, 0.65), large=(0.6, 0.5, 0.4, 0.3, 0.25))
    size = images.shape[2:]
    small = F.interpolate(images, [max(1, int(side * share)) for side in size], mode="area")
    return F.interpolate(small, list(size), mode="nearest-exact")


def jpeg_compression(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Compress images as JPEG of low quality.

    Args:
        images: N x C x H x W in [0, 1], of 1 or 3 channels.
        severity: 1 to 5.
        generator: not used: nothing is drawn.

    Returns:
        Of the same shape.
    """
    del generator
    return jpeg(images, constant(images, severity, small=(80, 65, 58, 50, 40), large=(25, 18, 15, 10, 7)))
