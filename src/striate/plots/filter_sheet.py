"""The filter sheet: one picture through many filters, each beside its weights."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.paper import BLUE, DOTS_PER_INCH, FAINT, INK, RULE, VERMILION, save, whole_axes

TILE_PIXELS = 270
"""Longer side of a picture on the sheet: one of this size is drawn pixel by pixel."""

_TILE = TILE_PIXELS / DOTS_PER_INCH  # inches
_GAP = 0.14
_WEIGHTS = 0.54  # inches of the square that shows the weights
_CAPTION = _WEIGHTS + 0.22
_LETTER = 0.048  # inches of width that a letter takes
_SIGNS = LinearSegmentedColormap.from_list("signs", [BLUE, "white", VERMILION])


@dataclass(frozen=True)
class FilterTile:
    """A picture on the sheet.

    Args:
        name: of the filter, or of the picture itself.
        picture: uint8 (C, H, W), C is 1 or 3.
        lines: what is written under the name; of long ones as much as there is room for.
        kernel: the weights (H, W); ``None``: the picture as it was.
    """

    name: str
    picture: NDArray[np.uint8]
    lines: Sequence[str] = ()
    kernel: ArrayLike | None = None


def filter_sheet(
    tiles: Sequence[FilterTile], path: os.PathLike[str] | str, *, title: str, note: str = ""
) -> None:
    """Draw pictures in a grid, each with its name and the filter's weights: blue under 0, orange over it.

    Args:
        tiles: what is drawn, in this order, row by row; all pictures of one size.
        path: the PNG file to be made or replaced.
        title: what is written above.
        note: a smaller line below it, such as how values were made visible.

    Raises:
        ShapeError: where there is no picture, or they differ in size or are no uint8 (1 or 3, H, W).
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> tile = FilterTile("blur", np.zeros((1, 8, 8), np.uint8), ["the mean"], np.full((3, 3), 1 / 9))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     filter_sheet([tile], f"{folder}/sheet.png", title="digit.png")
    """
    _check(tiles)
    high, wide = tiles[0].picture.shape[1:]
    height, width = (max(side * _TILE / max(high, wide), 1 / DOTS_PER_INCH) for side in (high, wide))
    across, down = _TILE + _GAP, height + _CAPTION
    columns = _columns(len(tiles), across / down)
    rows = math.ceil(len(tiles) / columns)
    figure, axes = whole_axes(columns * across - _GAP, rows * down)
    for index, tile in enumerate(tiles):
        left, top = index % columns * across, index // columns * down
        _draw_picture(axes, tile.picture, (left, top), (width, height))
        _draw_caption(axes, tile, (left, top + height + 0.06))
    axes.set(xlim=(0, columns * across - _GAP), ylim=(rows * down, 0))
    axes.set_axis_off()
    axes.text(0, -0.3 if note else -0.12, written(title, 90), fontsize=13, color=INK, fontweight="bold")
    axes.text(0, -0.12, written(note, 200), fontsize=8.5, color=FAINT)
    save(figure, path)


def _columns(count: int, shape: float) -> int:
    # The sheet comes closest to 16:9 without leaving many places empty; shape: a tile's width by its height.
    def cost(columns: int) -> float:
        rows = math.ceil(count / columns)
        return abs(math.log(shape * columns / rows / (16 / 9))) + 4 * (rows * columns - count) / count

    return min(range(1, count + 1), key=cost)


def _check(tiles: Sequence[FilterTile]) -> None:
    if not tiles:
        raise ShapeError("there is no picture to draw; a filter sheet takes at least one")
    first = tiles[0].picture.shape
    for tile in tiles:
        picture = tile.picture
        if picture.ndim != 3 or len(picture) not in (1, 3) or picture.dtype != np.uint8 or 0 in picture.shape:
            raise ShapeError(
                f"the picture of {tile.name} is {picture.dtype} {picture.shape}, "
                "where uint8 (1 or 3, H, W) is wanted"
            )
        if picture.shape[1:] != first[1:]:
            raise ShapeError(
                f"pictures of {first[1:]} and {picture.shape[1:]} do not go on one sheet; one size does"
            )


def _draw_picture(
    axes: Axes, picture: NDArray[np.uint8], corner: tuple[float, float], size: tuple[float, float]
) -> None:
    (left, top), (width, height) = corner, size
    axes.imshow(
        picture[0] if len(picture) == 1 else np.moveaxis(picture, 0, 2),
        cmap="gray",
        vmin=0,
        vmax=255,
        extent=(left, left + width, top + height, top),
        interpolation="nearest" if max(picture.shape[1:]) <= TILE_PIXELS else "hanning",
    )
    axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=RULE, linewidth=0.6))


def _draw_caption(axes: Axes, tile: FilterTile, corner: tuple[float, float]) -> None:
    left, top = corner
    if tile.kernel is not None:
        _draw_weights(axes, np.asarray(tile.kernel, dtype=np.float64), corner)
        left += _WEIGHTS + 0.08
    letters = int((corner[0] + _TILE - left) / _LETTER)
    lines = [piece for line in tile.lines for piece in textwrap.wrap(written(line, 4 * letters), letters)]
    axes.text(left, top, written(tile.name, 20), fontsize=8.5, color=INK, va="top", fontweight="bold")
    for index, line in enumerate(lines[:3]):
        below = top + 0.17 + 0.125 * index
        axes.text(left, below, line, fontsize=6.3, color=INK, va="top")


def _draw_weights(axes: Axes, kernel: NDArray[np.float64], corner: tuple[float, float]) -> None:
    left, top = corner
    most = np.abs(kernel).max() or 1.0
    extent = (left, left + _WEIGHTS, top + _WEIGHTS, top)
    axes.imshow(
        kernel, cmap=_SIGNS, vmin=-1.4 * most, vmax=1.4 * most, extent=extent, interpolation="nearest"
    )
    axes.add_patch(Rectangle(corner, _WEIGHTS, _WEIGHTS, fill=False, edgecolor=FAINT, linewidth=0.6))
    if kernel.shape != (3, 3):
        return
    cell = _WEIGHTS / 3
    for (row, column), weight in np.ndenumerate(kernel):
        place = left + (column + 0.5) * cell, top + (row + 0.5) * cell
        number = str(Fraction(weight).limit_denominator(999))
        axes.text(*place, number, fontsize=5.5, color=INK, ha="center", va="center_baseline")
