"""Rectangles of pictures, from shares of the sides to whole pixels."""

from __future__ import annotations

from collections.abc import Sequence

from striate.nn.blemishes import Box


def box_of(centre: Sequence[float], sides: Sequence[float], size: Sequence[int]) -> Box:
    """Give the pixels of a rectangle.

    Args:
        centre: down and right, in shares of the sides, in [0, 1].
        sides: height and width, in the same shares.
        size: height and width of the picture in pixels.

    Returns:
        Rows from and to, columns from and to: what of it lies in the picture, at least one pixel.

    >>> box_of((0.5, 0.0), (0.5, 0.5), (8, 8))
    (2, 6, 0, 2)
    """
    ends = []
    for middle, side, pixels in zip(centre, sides, size, strict=True):
        first = min(max(round((middle - side / 2) * pixels), 0), pixels - 1)
        ends += [first, min(max(round((middle + side / 2) * pixels), first + 1), pixels)]
    top, bottom, left, right = ends
    return top, bottom, left, right
