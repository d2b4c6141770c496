"""Bring many images to a smaller size at once, as matrix products."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from striate.data.dataset import Pixels
from striate.data.stored import Images, read_rows

Floats = npt.NDArray[np.float32]

_AT_ONCE = 64


@lru_cache(maxsize=1024)
def shrinking(length: int, side: int) -> Floats:
    """Give the matrix that brings a line of pixels to another length, each a weighted mean of its neighbours.

    Args:
        length: pixels before.
        side: pixels after.

    Returns:
        float32 (side, length), whose rows sum up to 1: triangles as wide as two of the coarser pixels.

    >>> shrinking(4, 2).sum(axis=1).tolist()
    [1.0, 1.0]
    """
    scale = length / side
    centres = (np.arange(side) + 0.5) * scale - 0.5
    distances = np.abs(np.arange(length)[None] - centres[:, None])
    weights = np.clip(1 - distances / max(scale, 1.0), 0, None)
    matrix: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


def shrunk(images: Images, side: int) -> Pixels:
    """Bring images to a size at which no side is longer than a given one.

    Args:
        images: uint8 of shape (N, C, H, W), perhaps on the disk.
        side: pixels.

    Returns:
        uint8 of shape (N, C, h, w), in memory; the same shape where the images are no larger.

    >>> shrunk(np.full((2, 3, 100, 50), 9, np.uint8), 40).shape
    (2, 3, 40, 20)
    """
    count, channels, height, width = images.shape
    scale = min(1.0, side / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    found = np.empty((count, channels, *size), np.uint8)
    down, across = shrinking(height, size[0]), shrinking(width, size[1])
    for start in range(0, count, _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, count))
        block = np.empty((len(rows), channels, height, width), np.uint8)
        read_rows(images, rows, block)
        found[rows] = np.clip(np.rint(down @ block.astype(np.float32) @ across.T), 0, 255).astype(np.uint8)
    return found
