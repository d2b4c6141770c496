"""What JPEG does to images: blocks as cosines, rounded by the tables of a quality, and back to bytes."""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.core.errors import LayerError, ShapeError
from striate.nn.borders import surround
from striate.nn.inputs import by

BLOCK = 8

# Tables K.1 and K.2 of the standard.
_LIGHT = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_COLOUR = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * BLOCK,) * 4,
)
_TO_LIGHT_AND_COLOUR = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)
_TO_RED_GREEN_BLUE = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))


@torch.no_grad()
def jpeg(images: Tensor, quality: int) -> Tensor:
    """Compress images as JPEG and decompress them, without writing anything.

    Colours become light and two colour differences, which are halved in size; blocks of 8 x 8 become cosines,
    divided by the tables of the quality and rounded. No code is made of them, since that loses nothing.

    Args:
        images: N x C x H x W in [0, 1], of 1 or 3 channels; rounded to bytes first.
        quality: from 1 to 100, as libjpeg counts it.

    Returns:
        Of the same shape and type, multiples of 1/255. It has no derivative.

    Raises:
        ShapeError: where they are no such images.
        LayerError: where the quality is out of range.

    Source: ITU-T T.81 (1992), A.3 and K.1; JFIF 1.02 for colours; scaling of the tables as in libjpeg, from
    whose results single bytes differ by a few, since it computes with rounded cosines.

    >>> jpeg(torch.full((1, 1, 8, 8), 0.5), 50).unique() * 255
    tensor([128.])
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.numel() == 0:
        raise ShapeError(
            f"JPEG takes images N x C x H x W of 1 or 3 channels, and these are {by(images.shape)}"
        )
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise LayerError(f"a JPEG quality of {quality!r} cannot be; 1 to 100 can")
    pixels = (images.float() * 255).round().clamp(0, 255)
    if pixels.shape[1] == 1:
        decoded = _rounded_blocks(pixels, _table(_LIGHT, quality))
    else:
        decoded = _in_colour(pixels, quality)
    return (decoded.round().clamp(0, 255) / 255).to(images.dtype)


def _in_colour(pixels: Tensor, quality: int) -> Tensor:
    height, width = pixels.shape[2:]
    converted = _mixed(pixels, _TO_LIGHT_AND_COLOUR).round()
    light = _rounded_blocks(converted[:, :1], _table(_LIGHT, quality))
    even = surround(converted[:, 1:], (0, 0), (height % 2, width % 2), mode="replicate")
    # As libjpeg does, halves are rounded down and up in turns.
    turns = torch.arange(even.shape[3] // 2, device=even.device) % 2
    small = torch.floor(F.avg_pool2d(even, 2) + 0.25 * (1 + turns)) + 128
    small = _rounded_blocks(small, _table(_COLOUR, quality)) - 128
    # libjpeg smooths the colours that it enlarges: three parts of the nearest, one of the next.
    colour = F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False).round()
    return _mixed(torch.cat([light, colour[:, :, :height, :width]], dim=1), _TO_RED_GREEN_BLUE)


def _rounded_blocks(planes: Tensor, table: Tensor) -> Tensor:
    """Round the cosines of each block to multiples of the table."""
    height, width = planes.shape[2:]
    whole = surround(planes, (0, 0), (-height % BLOCK, -width % BLOCK), mode="replicate") - 128
    rows, columns = whole.shape[2] // BLOCK, whole.shape[3] // BLOCK
    blocks = whole.view(*whole.shape[:2], rows, BLOCK, columns, BLOCK).transpose(3, 4)
    cosines = _cosines().to(planes.device)
    table = table.to(planes.device)
    shares = cosines @ blocks @ cosines.T / table
    kept = torch.trunc(shares + 0.5 * shares.sign()) * table
    back = (cosines.T @ kept @ cosines).transpose(3, 4).reshape(whole.shape)
    # What decoders give are bytes.
    return (back + 128).round().clamp(0, 255)[:, :, :height, :width]


def _mixed(planes: Tensor, weights: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.einsum("oc,nchw->nohw", torch.tensor(weights, device=planes.device), planes)


def _table(rows: tuple[tuple[int, ...], ...], quality: int) -> Tensor:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return torch.tensor([[min(255, max(1, (each * scale + 50) // 100)) for each in row] for row in rows])


@cache
def _cosines() -> Tensor:
    rows = [
        [math.cos((2 * place + 1) * wave * math.pi / (2 * BLOCK)) for place in range(BLOCK)]
        for wave in range(BLOCK)
    ]
    matrix = torch.tensor(rows, dtype=torch.float64) * math.sqrt(2 / BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix.float()
