"""Views of pictures as an eye has them: sharp where it looks, coarser and coarser away from there.

The resolution at a distance d from the fixation is ``1 / (1 + s d)`` of the full one, as the acuity of eyes
falls off with eccentricity: half of it where ``d = 1 / s``. `foveate` blurs a picture accordingly and keeps
its size; `glimpse` takes only as many pixels as the eye would have, so that a network has less to compute.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.core.errors import ShapeError


def foveate(images: Tensor, fixations: Tensor, *, falloff: float) -> Tensor:
    """Blur pictures more and more away from where each is looked at.

    A pyramid of means, each level half as fine as the one before, is enlarged again and mixed between the two
    levels that are nearest to ``log2(1 + s d)``, d in shorter sides of the picture.

    Args:
        images: N x C x H x W, floating-point.
        fixations: N x 2, in shares of the sides from the left and the top, in [0, 1].
        falloff: s, how fast the resolution falls off, at least 0: half of it at 1/s of the shorter side.

    Returns:
        A batch of the same shape.

    Source: Geisler and Perry, A real-time foveated multiresolution system, SPIE 1998; one number in place of
        those of the eye and the screen, and means in place of their low-pass filter.

    >>> picture = torch.rand(1, 1, 16, 16)
    >>> foveate(picture, torch.tensor([[0.5, 0.5]]), falloff=0.0).equal(picture)
    True
    """
    height, width = images.shape[2:]
    levels = torch.log2(1 + falloff * _distances(fixations.to(images), (height, width)))[:, None]
    most = math.floor(math.log2(min(height, width)))
    deepest = min(most, math.ceil(math.log2(1 + falloff * math.hypot(height, width) / min(height, width))))
    seen, coarse = images, images
    for level in range(1, deepest + 1):
        coarse = F.avg_pool2d(coarse, 2, ceil_mode=True, count_include_pad=False)
        enlarged = F.interpolate(coarse, scale_factor=2.0**level, mode="bilinear", align_corners=False)
        seen = torch.lerp(seen, enlarged[:, :, :height, :width], (levels - (level - 1)).clamp(0, 1))
    return seen


def _distances(fixations: Tensor, size: tuple[int, int]) -> Tensor:
    """Give the distance of every pixel from the fixation of its picture, in shorter sides: N x H x W."""
    away = []
    for axis, side in ((1, size[0]), (0, size[1])):
        places = torch.arange(side, device=fixations.device, dtype=fixations.dtype) + 0.5
        away.append((places - fixations[:, axis : axis + 1] * side) / min(size))
    return torch.hypot(away[0][:, :, None], away[1][:, None, :])


def glimpse(images: Tensor, fixations: Tensor, *, side: int, falloff: float) -> Tensor:
    """Look at pictures with an eye of few pixels: dense at the fixation, and reaching over half the picture.

    Along each axis the pixel at u in [-1, 1] of the view looks at ``d = sign(u) (exp(k |u|) - 1) / s`` from
    the fixation, in sides of the picture, with k such that the outermost one looks half a side away; the
    pixels' distance there, ``k exp(k |u|) / s``, grows as ``1 + s d``. Each is the mean over that distance.

    Args:
        images: N x C x H x W, floating-point.
        fixations: N x 2, in shares of the sides from the left and the top, in [0, 1].
        side: of the views, in pixels.
        falloff: s, over 0: how fast the resolution falls off.

    Returns:
        N x C x side x side; beyond the border is the mirror image.

    Raises:
        ShapeError: where there is no pixel to look with, or the resolution does not fall off.

    >>> glimpse(torch.rand(2, 3, 64, 64), torch.full((2, 2), 0.5), side=16, falloff=8.0).shape
    torch.Size([2, 3, 16, 16])
    """
    if side < 1 or falloff <= 0:
        raise ShapeError(
            f"a view of {side} pixels a side whose resolution falls off by {falloff:g} cannot be had; "
            "both must be over 0"
        )
    sizes = images.shape[2:]
    down = _looking(fixations[:, 1].to(images), sizes[0], side, falloff)
    right = _looking(fixations[:, 0].to(images), sizes[1], side, falloff)
    return down[:, None] @ images @ right[:, None].mT


def _looking(centres: Tensor, size: int, side: int, falloff: float) -> Tensor:
    """Give the shares of a line's elements in each pixel of a view: N x side x size, every row of sum 1."""
    reach = math.log1p(falloff / 2)
    edges = torch.linspace(-1, 1, side + 1, device=centres.device, dtype=centres.dtype)
    away = torch.sign(edges) * torch.expm1(reach * edges.abs()) / falloff
    ends = (centres[:, None] + away) * size
    low, high = ends[:, :-1, None], ends[:, 1:, None]
    # What a pixel covers of each element, of those mirrored at both ends too: a view reaches no farther.
    elements = torch.arange(-size, 2 * size, device=centres.device, dtype=centres.dtype)
    # One that is finer than the elements still looks at one element's length, as interpolation would.
    middle, half = (low + high) / 2, ((high - low) / 2).clamp(min=0.5)
    low, high = middle - half, middle + half
    covered = (torch.minimum(high, elements + 1) - torch.maximum(low, elements)).clamp(min=0)
    covered = covered / (high - low)
    before, inside, after = (covered[:, :, first : first + size] for first in (0, size, 2 * size))
    return before.flip(2) + inside + after.flip(2)
