"""Changes of the place and shape of pictures, each as a small matrix, made by one resampling of them all.

A matrix takes a place in the result to the place in the picture that is seen there. Places are (right, down,
1) in pixels from the centre, so that a turn is a turn on pictures of any shape. One change after another is
the product of their matrices, the first one leftmost: however many there are, each pixel is interpolated
once.

The matrices are small and are made on the CPU, in double precision; only the resampling is work.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def unchanged(count: int) -> Tensor:
    """Make matrices that leave pictures as they are.

    Args:
        count: how many.

    Returns:
        count x 3 x 3.
    """
    return torch.eye(3, dtype=torch.float64).repeat(count, 1, 1)


def mirroring(chosen: Tensor) -> Tensor:
    """Make matrices that mirror some pictures left to right.

    Args:
        chosen: N booleans: which ones.

    Returns:
        N x 3 x 3.

    >>> mirroring(torch.tensor([True]))[0].diagonal().tolist()
    [-1.0, 1.0, 1.0]
    """
    matrices = unchanged(len(chosen))
    matrices[:, 0, 0] = torch.where(chosen, -1.0, 1.0).double()
    return matrices


def turning(angles: Tensor) -> Tensor:
    """Make matrices that turn pictures about their centre.

    Args:
        angles: N, in radians, counter-clockwise.

    Returns:
        N x 3 x 3.
    """
    matrices = unchanged(len(angles))
    cosines, sines = angles.double().cos(), angles.double().sin()
    matrices[:, 0, 0] = matrices[:, 1, 1] = cosines
    matrices[:, 1, 0] = sines
    matrices[:, 0, 1] = -sines
    return matrices


def scaling(factors: Tensor) -> Tensor:
    """Make matrices that enlarge pictures about their centre.

    Args:
        factors: N, or N x 2 for right and down; over 1 is larger.

    Returns:
        N x 3 x 3.
    """
    matrices = unchanged(len(factors))
    both = factors.double().reshape(len(factors), -1).expand(-1, 2)
    matrices[:, 0, 0], matrices[:, 1, 1] = 1 / both[:, 0], 1 / both[:, 1]
    return matrices


def shearing(tangents: Tensor) -> Tensor:
    """Make matrices that shear pictures about their centre.

    Args:
        tangents: N x 2: how far lines move to the left for each pixel down, and columns up for each pixel to
            the right.

    Returns:
        N x 3 x 3.
    """
    matrices = unchanged(len(tangents))
    matrices[:, 0, 1], matrices[:, 1, 0] = tangents[:, 0].double(), tangents[:, 1].double()
    return matrices


def moving(offsets: Tensor) -> Tensor:
    """Make matrices that shift pictures.

    Args:
        offsets: N x 2, in pixels: right and down.

    Returns:
        N x 3 x 3.
    """
    matrices = unchanged(len(offsets))
    matrices[:, :2, 2] = -offsets.double()
    return matrices


def cropping(windows: Tensor, size: Sequence[int]) -> Tensor:
    """Make matrices that show a window of each picture, enlarged to the picture's size.

    Args:
        windows: N x 4, in shares of the picture's sides: the window's centre, right and down of the
            picture's, and its width and height.
        size: height and width of the pictures.

    Returns:
        N x 3 x 3.
    """
    matrices = unchanged(len(windows))
    sides = torch.tensor([size[1], size[0]], dtype=torch.float64)
    matrices[:, :2, 2] = windows[:, :2].double() * sides
    matrices[:, 0, 0], matrices[:, 1, 1] = windows[:, 2].double(), windows[:, 3].double()
    return matrices


def viewing(corners: Tensor, size: Sequence[int]) -> Tensor:
    """Make matrices that show pictures as planes seen from elsewhere: by where the result's corners look.

    The homography with h33 = 1 that takes four places to four others solves eight linear equations.

    Args:
        corners: N x 4 x 2, in shares of the sides: how far to the right and down of the picture's corners
            (left top, right top, right bottom, left bottom) those of the result look; together a convex
            shape.
        size: height and width of the pictures.

    Returns:
        N x 3 x 3.
    """
    sides = torch.tensor([size[1], size[0]], dtype=torch.float64)
    here = torch.tensor([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]], dtype=torch.float64) * sides
    there = here + corners.double() * sides
    equations = torch.zeros(len(corners), 4, 2, 8, dtype=torch.float64)
    equations[:, :, 0, 0:2] = equations[:, :, 1, 3:5] = here
    equations[:, :, 0, 2] = equations[:, :, 1, 5] = 1
    equations[:, :, :, 6:8] = -there[:, :, :, None] * here[:, None, :]
    solved = torch.linalg.solve(equations.flatten(1, 2), there.flatten(1))
    matrices = torch.cat([solved, torch.ones(len(corners), 1, dtype=torch.float64)], dim=1).view(-1, 3, 3)
    # Exactly, so that pictures that stay as they are need not be resampled.
    return torch.where(corners.flatten(1).any(dim=1)[:, None, None], matrices, unchanged(len(corners)))


def resample(images: Tensor, matrices: Tensor) -> Tensor:
    """Change pictures as matrices say, by bilinear interpolation; what lies outside is their mirror image.

    Args:
        images: N x C x H x W, float32 or float64, on any device.
        matrices: N x 3 x 3, on the CPU; no place of the result may lie at or behind the horizon.

    Returns:
        N x C x H x W.

    >>> picture = torch.arange(3.0).view(1, 1, 1, 3)
    >>> resample(picture, mirroring(torch.tensor([True]))).round().flatten().tolist()
    [2.0, 1.0, 0.0]
    """
    height, width = images.shape[2:]
    inner = torch.tensor([width / 2, height / 2, 1.0], dtype=torch.float64)
    # Between -1 and 1 on both axes, as torch has it.
    shares = matrices * inner / inner[:, None]
    affine = bool((shares[:, 2] == shares.new_tensor([0.0, 0.0, 1.0])).all())
    places = _places(shares.to(images), (height, width), affine=affine)
    return F.grid_sample(images, places, mode="bilinear", padding_mode="reflection", align_corners=False)


def _places(matrices: Tensor, size: tuple[int, int], *, affine: bool) -> Tensor:
    """Apply matrices to the centres of all pixels: N x H x W x 2."""
    down, right = (
        (torch.arange(side, device=matrices.device, dtype=matrices.dtype) * 2 + 1) / side - 1 for side in size
    )
    each = matrices[:, :, :, None, None]
    # Sums of a line and a column, so that there are few operations a pixel.
    lines = each[:, :, 1] * down[:, None] + each[:, :, 2]
    columns = each[:, :, 0] * right
    # Axis by axis in memory, which is both written and read faster than pairs.
    places = lines[:, :2] + columns[:, :2]
    if not affine:
        places /= lines[:, 2:] + columns[:, 2:]
    return places.permute(0, 2, 3, 1)
