"""Rows of small pictures: values in a colour scale, or colours, with captions, labels and the scale."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.paper import BLUE, DOTS_PER_INCH, FAINT, INK, RULE, VERMILION, save, whole_axes

Array = NDArray[np.float64]

NOTHING = "#DADADA"
"""The colour of places without a value in a scale."""

OUTSIDE = "#BBD7EA"
"""The colour of what lies outside of an image: none of its greys."""

SLICES = 8
"""So many slices of a volume are shown at most."""

_SIGNS = LinearSegmentedColormap.from_list("signs", [BLUE, "white", VERMILION]).with_extremes(bad=NOTHING)
_AMOUNTS = colormaps["cividis"].with_extremes(bad=NOTHING)
_CAPTION = 0.17  # inches
_GAP = 0.12
_LETTER = 0.062  # inches of width that a letter of a label takes
_BAR = (0.12, 0.62)  # inches of width that a scale takes, and its figures


@dataclass(frozen=True)
class Scale:
    """A range of values that is shown in colours: from 0 in one direction, or as far in both.

    Args:
        low: the smallest value; under 0 the scale has two directions.
        high: the largest value.
        ends: what is written at the ends in place of the values.
    """

    low: float
    high: float
    ends: tuple[str, str] | None = None

    @property
    def limits(self) -> tuple[float, float]:
        """The values at the ends: as far to both sides where there are signs."""
        if self.low < 0:
            most = max(-self.low, self.high) or 1.0
            return -most, most
        return 0.0, self.high if self.high > 0 else 1.0

    @property
    def colours(self) -> Colormap:
        """Blue, white and orange where there are signs; else from dark to light."""
        return _SIGNS if self.low < 0 else _AMOUNTS


@dataclass(frozen=True, eq=False)
class Tile:
    """A small picture.

    Args:
        picture: values (H, W), NaN where there are none; or colours (H, W, 3) in [0, 1].
        scale: of the values; ``None`` for colours, and for values in [0, 1] that are shades of grey.
        caption: what is written below it.
        mark: a rectangle on it: left, top, width and height in elements.
    """

    picture: Array
    scale: Scale | None = None
    caption: str = ""
    mark: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """Pictures next to each other.

    Args:
        tiles: from left to right.
        label: lines to the left of them.
        scale: drawn to the right of them.
        remark: lines to the right of all.
    """

    tiles: Sequence[Tile]
    label: Sequence[str] = ()
    scale: Scale | None = None
    remark: Sequence[str] = ()


def tile_rows(
    rows: Sequence[Row], path: os.PathLike[str] | str, *, title: str, note: str = "", side: float = 0.95
) -> None:
    """Draw rows of small pictures.

    Args:
        rows: from above, at least one.
        path: the PNG file to be made or replaced.
        title: what is written above.
        note: smaller below it, broken into lines.
        side: of the longer side of a picture, inches.

    Raises:
        ShapeError: where there is no picture.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tile_rows([Row([Tile(np.eye(3))])], f"{folder}/a.png", title="a")
    """
    if not any(row.tiles for row in rows):
        raise ShapeError("there is no picture to draw; at least one is needed")
    left = _width(line for row in rows for line in row.label)
    most = max(len(row.tiles) for row in rows)
    captions = any(tile.caption for row in rows for tile in row.tiles)
    bar = left + most * (side + _GAP)
    remarks = bar + (sum(_BAR) if any(row.scale for row in rows) else 0.0)
    width = max(remarks + _width(line for row in rows for line in row.remark), 4.0)
    heights = [
        max(max(fitted(tile.picture, side)[1] for tile in row.tiles), 0.17 * len(row.label), 0.2)
        + (_CAPTION if captions else 0.0)
        + _GAP
        for row in rows
    ]
    figure, axes = whole_axes(width, sum(heights))
    top = 0.0
    for row, height in zip(rows, heights, strict=True):
        for number, tile in enumerate(row.tiles):
            draw_tile(axes, tile, (left + number * (side + _GAP), top), side)
        write_lines(axes, row.label, (0.0, top))
        if row.scale is not None:
            draw_scale(axes, row.scale, (bar, top), min(side, height - 0.05))
        write_lines(axes, row.remark, (remarks, top))
        top += height
    finish(axes, (width, top), title, note)
    save(figure, path)


def finish(axes: Axes, size: tuple[float, float], title: str, note: str) -> None:
    """Write the title and the note above a sheet, and set its size.

    Args:
        axes: of the whole sheet.
        size: width and height, inches.
        title: what is written above.
        note: smaller below it, broken into lines.
    """
    width, height = size
    letters = max(40, int(width / 0.058))
    lines = broken(note, letters)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    above = 0.14 + 0.15 * len(lines)
    for number, line in enumerate(broken(title, max(30, int(width / 0.105)))[::-1]):
        axes.text(0, -above - 0.22 * number, line, fontsize=12, color=INK, fontweight="bold")
    for number, line in enumerate(lines[::-1]):
        axes.text(0, -0.14 - 0.15 * number, line, fontsize=8, color=FAINT)


def draw_tile(axes: Axes, tile: Tile, corner: tuple[float, float], side: float) -> tuple[float, float]:
    """Draw one picture, its caption below it.

    Args:
        axes: of the whole sheet, in inches.
        tile: the picture.
        corner: its left and top end.
        side: of its longer side, inches.

    Returns:
        Its width and height in inches.
    """
    left, top = corner
    width, height = fitted(tile.picture, side)
    large = max(tile.picture.shape[:2]) > side * DOTS_PER_INCH
    options: dict[str, Any] = {"cmap": colormaps["gray"].with_extremes(bad=OUTSIDE), "vmin": 0, "vmax": 1}
    if tile.scale is not None:
        low, high = tile.scale.limits
        options = {"cmap": tile.scale.colours, "vmin": low, "vmax": high}
    extent = (left, left + width, top + height, top)
    axes.imshow(tile.picture, extent=extent, interpolation="hanning" if large else "nearest", **options)
    axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=RULE, linewidth=0.6))
    if tile.mark is not None:
        across, down = width / tile.picture.shape[1], height / tile.picture.shape[0]
        place = left + tile.mark[0] * across, top + tile.mark[1] * down
        size = tile.mark[2] * across, tile.mark[3] * down
        # A white rim, so that the rectangle is seen on any picture.
        axes.add_patch(Rectangle(place, *size, fill=False, edgecolor="white", linewidth=3))
        axes.add_patch(Rectangle(place, *size, fill=False, edgecolor=VERMILION, linewidth=1.4))
    if tile.caption:
        letters = max(4, int(side / 0.05))
        axes.text(
            left, top + height + 0.03, written(tile.caption, letters), fontsize=6.5, color=INK, va="top"
        )
    return width, height


def draw_scale(axes: Axes, scale: Scale, corner: tuple[float, float], height: float) -> None:
    """Draw a colour scale with the values at its ends.

    Args:
        axes: of the whole sheet, in inches.
        scale: of the values.
        corner: its left and top end.
        height: inches.
    """
    left, top = corner
    low, high = scale.limits
    ends = scale.ends or (f"{low:.3g}", f"{high:.3g}")
    extent = (left, left + _BAR[0], top + height, top)
    axes.imshow(np.linspace(1, 0, 64)[:, None], cmap=scale.colours, extent=extent, aspect="auto")
    place: dict[str, Any] = {"fontsize": 6.5, "color": INK}
    axes.text(left + _BAR[0] + 0.04, top, ends[1], va="top", **place)
    axes.text(left + _BAR[0] + 0.04, top + height, ends[0], va="bottom", **place)
    if scale.low < 0:
        axes.text(left + _BAR[0] + 0.04, top + height / 2, "0", va="center", **place)


def write_lines(axes: Axes, lines: Sequence[str], corner: tuple[float, float]) -> None:
    """Write lines below each other, the first one darker.

    Args:
        axes: of the whole sheet, in inches.
        lines: any text.
        corner: left and top end of the first.
    """
    left, top = corner
    for number, line in enumerate(lines):
        colour = FAINT if number else INK
        axes.text(left, top + 0.16 * number, written(line, 48), fontsize=7.5, color=colour, va="top")


def fitted(picture: Array, side: float) -> tuple[float, float]:
    """Say how wide and high a picture is drawn.

    Args:
        picture: (H, W) or (H, W, 3).
        side: of its longer side, inches.

    Returns:
        Width and height; what is very flat is drawn thicker than it is.
    """
    height, width = picture.shape[:2]
    longer = max(height, width)
    return max(width / longer, 0.12) * side, max(height / longer, 0.12) * side


def plane(values: ArrayLike) -> Array:
    """Lay values out in a plane.

    Args:
        values: of one to three spatial axes: a line, a plane, or a volume, of which some slices are laid next
            to each other.

    Returns:
        (H, W); NaN between slices.

    Raises:
        ShapeError: where there are other axes.

    >>> plane([1, 2, 3]).shape, plane(np.zeros((2, 4, 5))).shape
    ((1, 3), (4, 11))
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 1:
        return array[None]
    if array.ndim == 2:
        return array
    if array.ndim != 3:
        raise ShapeError(f"values of {array.ndim} axes cannot be laid out in a plane; 1, 2 and 3 can")
    shown = np.unique(np.linspace(0, len(array) - 1, min(len(array), SLICES)).round().astype(int))
    return beside([array[number] for number in shown])


def beside(planes: Sequence[Array]) -> Array:
    """Lay planes of one height next to each other.

    Args:
        planes: (H, W) each.

    Returns:
        One plane; NaN in the column between two.
    """
    gap = np.full((len(planes[0]), 1), np.nan)
    return np.concatenate([part for each in planes for part in (gap, each)][1:], axis=1)


def as_picture(image: ArrayLike) -> tuple[Array, str]:
    """Turn an image into what can be drawn: colours where it has three channels and two axes, else greys.

    Args:
        image: C x spatial: uint8 of 0 to 255, or floats; those that leave [0, 1] are stretched to it.

    Returns:
        (H, W, 3) or (H, W) in [0, 1]; and what was done to the values, empty where nothing.

    >>> as_picture(np.full((1, 2, 2), 255, np.uint8))[0].tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    array = np.asarray(image)
    values, said = array.astype(np.float64), ""
    if array.dtype == np.uint8:
        values = values / 255
    elif values.min() < 0 or values.max() > 1:
        low, high = values.min(), values.max()
        values = (values - low) / ((high - low) or 1.0)
        said = f"the image's values, {low:.3g} to {high:.3g}, are drawn from black to white"
    if len(values) == 3 and values.ndim == 3:
        return np.moveaxis(values, 0, 2), said
    return plane(values.mean(axis=0)), said


def broken(text: str, letters: int) -> list[str]:
    """Break a text into lines.

    Args:
        text: any.
        letters: of a line at most.

    Returns:
        The lines, safe to be drawn; none of an empty text.
    """
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= letters:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [written(line, letters) for line in lines]


def _width(lines: Any) -> float:
    """Inches that the longest line takes, as `write_lines` writes it."""
    longest = max((min(len(line), 48) for line in lines), default=0)
    return longest * _LETTER + 0.1 if longest else 0.0
