"""What a generator makes: samples, walks, planes, sums, projections and directions, as sheets of images."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import ShapeError
from striate.plots.tiles import Row, Tile, as_picture, tile_rows

MOST_SAMPLES = 400
"""So many samples are on a sheet at most; more are hardly looked at."""

_SIDE = 0.85  # inches of an image


def sample_sheet(
    images: ArrayLike,
    path: os.PathLike[str] | str,
    *,
    captions: Sequence[str],
    title: str,
    note: str = "",
    columns: int | None = None,
) -> None:
    """Draw samples in a grid, each with what is written below it.

    Args:
        images: N x C x H x W, uint8 or floats in [0, 1], of 1 or 3 channels; at most 400.
        path: the PNG file to be made or replaced.
        captions: of each, such as its number and class.
        title: what is written above.
        note: smaller below it.
        columns: images in a row; ``None``: somewhat more than rows.

    Raises:
        ShapeError: where there is none, there are too many, or not as many captions.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sample_sheet(np.zeros((2, 1, 8, 8)), f"{folder}/a.png", captions=["0", "1"], title="two samples")
    """
    pictures = _pictures(images)
    if not 1 <= len(pictures) <= MOST_SAMPLES or len(captions) != len(pictures):
        raise ShapeError(
            f"{len(pictures)} images with {len(captions)} captions cannot be drawn; 1 to {MOST_SAMPLES} with "
            "one each can"
        )
    across = columns or max(1, math.ceil(math.sqrt(1.3 * len(pictures))))
    tiles = [Tile(picture, caption=text) for picture, text in zip(pictures, captions, strict=True)]
    rows = [Row(tiles[start : start + across]) for start in range(0, len(tiles), across)]
    tile_rows(rows, path, title=title, note=note, side=_SIDE)


def plane_sheet(
    images: ArrayLike,
    path: os.PathLike[str] | str,
    *,
    corners: Sequence[str],
    title: str,
    note: str = "",
) -> None:
    """Draw the images of a plane through three latents as one grid, whose corners are named.

    Args:
        images: rows x columns x C x H x W.
        path: the PNG file to be made or replaced.
        corners: names of the corners: above left, above right, below left, below right.
        title: what is written above.
        note: smaller below it.

    Raises:
        ShapeError: where the images have other axes, or there are not four names.
        OSError: where the file cannot be written.
    """
    array = np.asarray(images)
    if array.ndim != 5 or len(corners) != 4:
        raise ShapeError(
            f"a plane is rows x columns x C x H x W with 4 corners, and this is {array.shape} with "
            f"{len(corners)} corners"
        )
    last = array.shape[0] - 1, array.shape[1] - 1
    named = dict(zip([(0, 0), (0, last[1]), (last[0], 0), last], corners, strict=True))
    rows = [
        Row([Tile(each, caption=named.get((down, right), "")) for right, each in enumerate(_pictures(line))])
        for down, line in enumerate(array)
    ]
    tile_rows(rows, path, title=title, note=note, side=_SIDE)


def generated_rows(
    rows: Sequence[tuple[Sequence[str], ArrayLike, Sequence[str]]],
    path: os.PathLike[str] | str,
    *,
    title: str,
    note: str = "",
) -> None:
    """Draw rows of images of any number, each image with what is written below it.

    Args:
        rows: of each what is written beside it, line by line; its images, N x C x H x W; and their captions.
        path: the PNG file to be made or replaced.
        title: what is written above.
        note: smaller below it.

    Raises:
        ShapeError: where there is no image, or a row has not as many captions as images.
        OSError: where the file cannot be written.
    """
    drawn = []
    for label, images, captions in rows:
        pictures = _pictures(images)
        if len(pictures) != len(captions):
            raise ShapeError(f"a row of {len(pictures)} images has {len(captions)} captions; each needs one")
        tiles = [Tile(picture, caption=text) for picture, text in zip(pictures, captions, strict=True)]
        drawn.append(Row(tiles, label))
    tile_rows(drawn, path, title=title, note=note, side=_SIDE)


def _pictures(images: ArrayLike) -> list[NDArray[np.float64]]:
    array = np.asarray(images)
    if array.ndim != 4 or array.shape[1] not in (1, 3):
        raise ShapeError(f"images are {array.shape}, where N x 1 or 3 x H x W is wanted")
    return [as_picture(image)[0] for image in array]
