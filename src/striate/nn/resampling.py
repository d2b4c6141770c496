"""Turn, zoom, tilt and shift images by any amount: sampled anew at the places that a projective map gives."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

CAMERA = 2.0
"""From how far tilted images are seen, in longer sides."""


def sample(images: Tensor, down: Tensor, right: Tensor, *, cubic: bool = True) -> Tensor:
    """Sample images at places between their pixels; beyond the border they go on mirrored.

    Args:
        images: N x C x H x W, floating point.
        down: N x H' x W', rows in pixels, 0 in the middle of the first one.
        right: N x H' x W', columns likewise.
        cubic: bicubic (a = -0.75), which may leave the range of the pixels, instead of bilinear.

    Returns:
        N x C x H' x W'.

    >>> row = torch.tensor([[[[0.0, 4.0]]]])
    >>> sample(row, torch.zeros(1, 1, 1), torch.full((1, 1, 1), 0.25), cubic=False).item()
    1.0
    """
    height, width = images.shape[2:]
    # Half precision places would be off by pixels.
    precise = torch.promote_types(images.dtype, torch.float32)
    x = (2 * right.to(precise) + 1) / width - 1
    y = (2 * down.to(precise) + 1) / height - 1
    sampled = F.grid_sample(
        images.to(precise),
        torch.stack([x, y], dim=-1),
        mode="bicubic" if cubic else "bilinear",
        padding_mode="reflection",
        align_corners=False,
    )
    return sampled.to(images.dtype)


def project(images: Tensor, maps: Tensor, *, cubic: bool = True) -> Tensor:
    """Move images by projective maps.

    The pixel at (x, y) is fetched from (u/w, v/w) with ``(u, v, w) = M (x, y, 1)``; x counts to the right and
    y down, in pixels from the middle of the image.

    Args:
        images: N x C x H x W, floating point.
        maps: N x 3 x 3, or 3 x 3 for all; w must be over 0 inside the image.
        cubic: as for `sample`.

    Returns:
        N x C x H x W.

    >>> mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
    >>> project(torch.tensor([[[[1.0, 2.0, 3.0]]]]), mirror).round()
    tensor([[[[3., 2., 1.]]]])
    """
    height, width = images.shape[2:]
    maps = maps.to(images.device, torch.promote_types(images.dtype, torch.float32))
    maps = maps.expand(len(images), 3, 3)
    y = torch.arange(height, device=images.device, dtype=maps.dtype) - (height - 1) / 2
    x = torch.arange(width, device=images.device, dtype=maps.dtype) - (width - 1) / 2
    y, x = torch.meshgrid(y, x, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)]).flatten(1)
    right, down, depth = (maps @ places).view(-1, 3, height, width).unbind(dim=1)
    return sample(images, down / depth + (height - 1) / 2, right / depth + (width - 1) / 2, cubic=cubic)


def turn(images: Tensor, degrees: float | Tensor) -> Tensor:
    """Rotate images about their middle, counter-clockwise.

    Args:
        images: N x C x H x W, floating point.
        degrees: of all images, or N of them.

    Returns:
        N x C x H x W; corners that were outside show the image mirrored.

    >>> turn(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 90).round()
    tensor([[[[2., 4.],
              [1., 3.]]]])
    """
    angle = torch.as_tensor(degrees).cpu().double() * (math.pi / 180)
    cosine, sine = angle.cos(), angle.sin()
    nothing, one = torch.zeros_like(angle), torch.ones_like(angle)
    # With y downwards, the source of a point is found by the turn to the other side.
    return project(images, _maps([cosine, -sine, nothing], [sine, cosine, nothing], [nothing, nothing, one]))


def zoom(images: Tensor, factor: float, *, cubic: bool = True) -> Tensor:
    """Enlarge or shrink what images show about their middle; their size stays.

    Args:
        images: N x C x H x W, floating point.
        factor: over 0; over 1 enlarges, and what is under 1 shows the image mirrored around itself.
        cubic: as for `sample`.

    Returns:
        N x C x H x W.
    """
    return project(images, torch.diag(torch.tensor([1 / factor, 1 / factor, 1.0])), cubic=cubic)


def shift_between(images: Tensor, down: float, right: float) -> Tensor:
    """Shift images by parts of pixels.

    Args:
        images: N x C x H x W, floating point.
        down: pixels.
        right: pixels.

    Returns:
        N x C x H x W; what moves in is the image mirrored.

    >>> shift_between(torch.tensor([[[[1.0, 2.0, 4.0]]]]), 0, 1).round()
    tensor([[[[1., 1., 2.]]]])
    """
    return project(images, torch.tensor([[1.0, 0.0, -right], [0.0, 1.0, -down], [0.0, 0.0, 1.0]]))


def tilt(images: Tensor, degrees: float, *, vertical: bool = False) -> Tensor:
    """Show images as pictures on a board that is turned away from the one who looks.

    A board turned by t about its vertical axis, seen from a distance d, shows at (X, Y) what was at
    ``(d X, d Y cos t) / (d cos t - X sin t)``.

    Args:
        images: N x C x H x W, floating point.
        degrees: in (-60, 60); over 0 the right side, or the lower one, goes away.
        vertical: turned about the horizontal axis instead.

    Returns:
        N x C x H x W; beside the board the image is mirrored.
    """
    distance = CAMERA * max(images.shape[2:])
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across = torch.tensor([[distance, 0, 0], [0, distance * cosine, 0], [-sine, 0, distance * cosine]])
    along = torch.tensor([[distance * cosine, 0, 0], [0, distance, 0], [0, -sine, distance * cosine]])
    return project(images, along if vertical else across)


def _maps(*rows: list[Tensor]) -> Tensor:
    """Put matrices together whose elements are numbers, or one number for each image."""
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
