"""A grid of images side by side, as they are: nothing between their pixels and the picture's but a scale."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.paper import DOTS_PER_INCH, INK, save, whole_axes
from striate.plots.tiles import finish

_SIDE = 64  # dots that the longer side of an image takes, about
_GAP = 2
_HEAD = 0.2  # inches


def image_grid(
    images: ArrayLike,
    path: os.PathLike[str] | str,
    *,
    columns: int,
    title: str,
    note: str = "",
    heads: Sequence[str] = (),
) -> None:
    """Draw images in a grid, row by row, each pixel as a square of so many dots.

    Args:
        images: N x C x H x W, uint8, or floats in [0, 1]; one channel is drawn in grey, three in colour.
        path: the PNG file to be made or replaced.
        columns: images in a row, at least 1.
        title: what is written above.
        note: smaller below it, broken into lines.
        heads: what is written above each column; none, or as many as there are.

    Raises:
        ShapeError: where there is no image, or they are not of one or three channels.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     image_grid(np.zeros((4, 1, 8, 8)), f"{folder}/a.png", columns=2, title="black")
    """
    array = np.asarray(images)
    if array.ndim != 4 or 0 in array.shape or array.shape[1] not in (1, 3):
        raise ShapeError(
            f"images are of shape {array.shape}, where N x C x H x W with 1 or 3 channels is wanted"
        )
    mosaic = _mosaic(_as_bytes(array), columns)
    height, width = (side / DOTS_PER_INCH for side in mosaic.shape[:2])
    top = _HEAD if heads else 0.0
    figure, axes = whole_axes(width, height + top)
    options: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255, "interpolation": "nearest"}
    axes.imshow(
        mosaic[:, :, 0] if mosaic.shape[2] == 1 else mosaic, extent=(0, width, height + top, top), **options
    )
    each = width / columns
    for number, head in enumerate(heads):
        letters = max(3, int(each / 0.055))
        place = (number + 0.5) * each, top - 0.05
        axes.text(*place, written(head, letters), fontsize=6.5, color=INK, ha="center", va="bottom")
    finish(axes, (width, height + top), title, note)
    save(figure, path)


def _as_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    return (array.clip(0, 1) * 255).round().astype(np.uint8)


def _mosaic(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    count, channels, height, width = images.shape
    rows = math.ceil(count / columns)
    dots = max(1, round(_SIDE / max(height, width)))
    down, across = height * dots + _GAP, width * dots + _GAP
    mosaic = np.full((rows * down, columns * across, channels), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * down, index % columns * across
        large = image.repeat(dots, axis=1).repeat(dots, axis=2)
        mosaic[top : top + height * dots, left : left + width * dots] = large.transpose(1, 2, 0)
    return mosaic
