"""The unit sheet: pictures of many units of a network, those of each unit side by side under its name."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.paper import BLUE, DOTS_PER_INCH, INK, RULE, VERMILION, save, whole_axes

_TILE = 1.2  # inches of a picture's longer side
_GAP, _BETWEEN = 0.06, 0.3
_LINE = 0.14  # inches of height that a line under a name takes
_LETTER = 0.06  # inches of width that a letter takes
_NARROWEST = 2.4


@dataclass(frozen=True, kw_only=True)
class UnitTile:
    """One picture of a unit.

    Args:
        picture: uint8 (C, H, W), C is 1 or 3.
        caption: what is written under it.
        region: where the unit is active, booleans of any height and width: outlined in orange.
        mask: where the concept is, likewise: outlined in blue.
    """

    picture: NDArray[np.uint8]
    caption: str = ""
    region: NDArray[np.bool_] | None = None
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True, kw_only=True)
class UnitRow:
    """A unit and its pictures.

    Args:
        name: of the unit.
        lines: what is written under the name.
        tiles: its pictures, from left to right.
    """

    name: str
    lines: Sequence[str]
    tiles: Sequence[UnitTile]


def unit_sheet(rows: Sequence[UnitRow], path: os.PathLike[str] | str, *, title: str, note: str = "") -> None:
    """Draw units in a grid, each with its name, what is known of it, and its pictures.

    Args:
        rows: the units in their order; all pictures of one size.
        path: the PNG file to be made or replaced.
        title: what is written above.
        note: a smaller line below it: what the pictures and their outlines are.

    Raises:
        ShapeError: where there is no picture of a unit, or one is no uint8 (1 or 3, H, W) of one size.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> tile = UnitTile(picture=np.zeros((1, 8, 8), np.uint8), region=np.eye(8, dtype=bool))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     unit_sheet([UnitRow(name="channel 3", lines=[], tiles=[tile])], f"{folder}/a.png", title="conv1")
    """
    _check(rows)
    high, wide = rows[0].tiles[0].picture.shape[1:]
    height, width = (max(side * _TILE / max(high, wide), 1 / DOTS_PER_INCH) for side in (high, wide))
    most = max(len(row.tiles) for row in rows)
    lines = max(len(row.lines) for row in rows)
    captioned = any(tile.caption for row in rows for tile in row.tiles)
    across = max(_NARROWEST if lines else 0.0, most * (width + _GAP)) + _BETWEEN
    head = 0.2 + _LINE * lines
    down = head + height + (_LINE + 0.04 if captioned else 0.0) + _BETWEEN / 2
    columns = _columns(len(rows), across / down)
    grid = math.ceil(len(rows) / columns)
    figure, axes = whole_axes(columns * across - _BETWEEN, grid * down)
    for index, row in enumerate(rows):
        left, top = index % columns * across, index // columns * down
        _write(axes, row, (left, top), across - _BETWEEN)
        for place, tile in enumerate(row.tiles):
            corner = (left + place * (width + _GAP), top + head)
            _draw(axes, tile, corner, (width, height))
    axes.set(xlim=(0, columns * across - _BETWEEN), ylim=(grid * down, 0))
    axes.set_axis_off()
    wide_enough = int(columns * across / 0.075)
    axes.set_title(written(title, max(60, wide_enough)), fontsize=12, color=INK, pad=24 if note else 12)
    if note:
        said = written(note, max(120, 2 * wide_enough))
        axes.text(0.5, 1, f"{said}\n", fontsize=7.5, color=INK, ha="center", transform=axes.transAxes)
    save(figure, path)


def _columns(count: int, shape: float) -> int:
    # The sheet comes closest to 4:3 without leaving many places empty; shape: a row's width by its height.
    def cost(columns: int) -> float:
        rows = math.ceil(count / columns)
        return abs(math.log(shape * columns / rows / (4 / 3))) + 2 * (rows * columns - count) / count

    return min(range(1, count + 1), key=cost)


def _check(rows: Sequence[UnitRow]) -> None:
    if not rows or not all(row.tiles for row in rows):
        raise ShapeError("there is no picture to draw; a unit sheet takes at least one unit with one each")
    first = rows[0].tiles[0].picture.shape
    for row in rows:
        for tile in row.tiles:
            picture = tile.picture
            usual = picture.ndim == 3 and len(picture) in (1, 3) and 0 not in picture.shape
            if not usual or picture.dtype != np.uint8:
                raise ShapeError(
                    f"a picture of {row.name} is {picture.dtype} {picture.shape}, "
                    "where uint8 (1 or 3, H, W) is wanted"
                )
            if picture.shape[1:] != first[1:]:
                raise ShapeError(
                    f"pictures of {first[1:]} and {picture.shape[1:]} do not go on one sheet; one size does"
                )


def _write(axes: Axes, row: UnitRow, corner: tuple[float, float], width: float) -> None:
    left, top = corner
    letters = int(width / _LETTER)
    place: dict[str, Any] = {"color": INK, "va": "top"}
    axes.text(left, top, written(row.name, int(letters * 0.7)), fontsize=8.5, fontweight="bold", **place)
    for index, line in enumerate(row.lines):
        axes.text(left, top + 0.18 + _LINE * index, written(line, letters), fontsize=7, **place)


def _draw(axes: Axes, tile: UnitTile, corner: tuple[float, float], size: tuple[float, float]) -> None:
    (left, top), (width, height) = corner, size
    extent = (left, left + width, top + height, top)
    picture = tile.picture
    axes.imshow(
        picture[0] if len(picture) == 1 else np.moveaxis(picture, 0, 2),
        cmap="gray",
        vmin=0,
        vmax=255,
        extent=extent,
        interpolation="nearest" if max(picture.shape[1:]) <= _TILE * DOTS_PER_INCH else "hanning",
    )
    for where, colour, line in ((tile.mask, BLUE, 1.0), (tile.region, VERMILION, 1.4)):
        if where is not None:
            _outline(axes, where, extent, colour, line)
    axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=RULE, linewidth=0.6))
    if tile.caption:
        centre, below = left + width / 2, top + height + 0.03
        caption = written(tile.caption, max(4, int(width / _LETTER) + 2))
        axes.text(centre, below, caption, fontsize=6.5, color=INK, ha="center", va="top")


def _outline(
    axes: Axes, where: NDArray[np.bool_], extent: tuple[float, float, float, float], colour: str, line: float
) -> None:
    """Draw the border of a region along the sides of its elements."""
    left, right, bottom, top = extent
    high, wide = where.shape
    across, down = (right - left) / wide, (bottom - top) / high
    padded = np.pad(where, 1)
    segments: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for row, column in np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1]):
        y = top + row * down
        segments.append(((left + column * across, y), (left + (column + 1) * across, y)))
    for row, column in np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1]):
        x = left + column * across
        segments.append(((x, top + row * down), (x, top + (row + 1) * down)))
    axes.add_collection(LineCollection(segments, colors=colour, linewidths=line, capstyle="round"))
