"""Maps of what a network looked at: beside the picture, laid over it, and many methods on one sheet."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.paper import BLUE, DOTS_PER_INCH, FAINT, INK, RULE, VERMILION, save, whole_axes
from striate.plots.tiles import Array, finish, fitted

SHOWN = 0.995
"""This share of the places is within the colour scale; what is beyond it has the colour of its end."""

COLOURS = LinearSegmentedColormap.from_list("attribution", [BLUE, "white", VERMILION])
"""Blue against, white for 0, orange for: told apart with any colour vision."""

_LARGE, _SMALL = 2.9, 1.9  # inches of a picture's longer side
_GAP = 0.25
_BAR = 0.11
_LETTER = 0.05  # inches of width that a small letter takes
_OVERLAID = 0.85


@dataclass(frozen=True)
class MapTile:
    """A map on a picture.

    Args:
        picture: uint8 (C, H, W), C is 1 or 3.
        heat: (H, W), finite; over 0 what speaks for the class.
        name: of the method, or of the picture.
        lines: what is written below, such as the layer and figures; as much as there is room for.
    """

    picture: NDArray[np.uint8]
    heat: Array
    name: str
    lines: Sequence[str] = ()


def attribution_picture(
    tiles: Sequence[MapTile], path: os.PathLike[str] | str, *, title: str, note: str = ""
) -> None:
    """Draw for each picture, row by row: the picture, the map with its colour scale, and both together.

    Args:
        tiles: at least one; each map has a scale of its own.
        path: the PNG file to be made or replaced.
        title: what is written above.
        note: a smaller line below it, such as what the values are.

    Raises:
        ShapeError: where there is no map, a map does not fit its picture, or holds inf or NaN.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> tile = MapTile(np.zeros((1, 8, 8), np.uint8), np.eye(8), "digit.png")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     attribution_picture([tile], f"{folder}/why.png", title="Grad-CAM for 'three'")
    """
    _check(tiles)
    across = _LARGE + _GAP
    heights = [fitted(tile.heat, _LARGE)[1] + 0.85 for tile in tiles]
    figure, axes = whole_axes(3 * across - _GAP, sum(heights))
    for row, tile in enumerate(tiles):
        top = sum(heights[:row])
        size = fitted(tile.heat, _LARGE)
        _draw(axes, _as_shown(tile.picture), (0, top), size)
        _draw(axes, _coloured(tile.heat), (across, top), size)
        _draw(axes, _overlaid(tile), (2 * across, top), size)
        _scale(axes, tile.heat, (across, top + size[1] + 0.08), size[0])
        _caption(axes, tile, (0, top + size[1] + 0.08), _LARGE)
        below: dict[str, Any] = {"va": "top", "fontsize": 7.5, "color": FAINT}
        axes.text(2 * across, top + size[1] + 0.08, "the map over the picture in grey", **below)
    finish(axes, (3 * across - _GAP, sum(heights)), title, note)
    save(figure, path)


def attribution_sheet(
    tiles: Sequence[MapTile], path: os.PathLike[str] | str, *, title: str, note: str = ""
) -> None:
    """Draw maps by many methods side by side, after the picture, each with its colour scale and figures.

    Args:
        tiles: at least one, all of one picture.
        path: the PNG file to be made or replaced.
        title: what is written above.
        note: a smaller line below it, such as what the figures are.

    Raises:
        ShapeError: where there is no map, a map does not fit its picture, or holds inf or NaN.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> tile = MapTile(np.zeros((1, 8, 8), np.uint8), np.eye(8), "gradcam", ["layer: stages.6"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     attribution_sheet([tile, tile], f"{folder}/why.png", title="digit.png")
    """
    _check(tiles)
    size = fitted(tiles[0].heat, _SMALL)
    across, down = _SMALL + _GAP, size[1] + 1.1
    # The sheet is about as wide as it would be with sides of 4 and 3.
    columns = min(len(tiles) + 1, round(math.sqrt((len(tiles) + 1) * down / across * 4 / 3)) or 1)
    rows = math.ceil((len(tiles) + 1) / columns)
    figure, axes = whole_axes(columns * across - _GAP, rows * down)
    _draw(axes, _as_shown(tiles[0].picture), (0, 0), size)
    axes.text(0, size[1] + 0.06, "the picture", va="top", fontsize=8.5, color=INK, fontweight="bold")
    for index, tile in enumerate(tiles, start=1):
        left, top = index % columns * across, index // columns * down
        _draw(axes, _overlaid(tile), (left, top), size)
        _scale(axes, tile.heat, (left, top + size[1] + 0.06), size[0])
        _caption(axes, tile, (left, top + size[1] + 0.36), _SMALL)
    finish(axes, (columns * across - _GAP, rows * down), title, note)
    save(figure, path)


def scale_of(heat: Array) -> tuple[float, float]:
    """Give the ends of a map's colour scale: as far to both sides of 0, or from 0 on where none is under it.

    Args:
        heat: finite values.

    Returns:
        The lowest and the highest value of the scale.

    >>> scale_of(np.array([[0.0, 2.0]])), scale_of(np.array([[-1.0, 2.0], [2.0, 2.0]]))
    ((0.0, 2.0), (-2.0, 2.0))
    """
    most = float(np.quantile(np.abs(heat), SHOWN, method="higher")) or float(np.abs(heat).max())
    return (-most if (heat < 0).any() else 0.0), most


def _check(tiles: Sequence[MapTile]) -> None:
    if not tiles:
        raise ShapeError("there is no map to draw; at least one is needed")
    for tile in tiles:
        picture = tile.picture
        if picture.ndim != 3 or len(picture) not in (1, 3) or picture.dtype != np.uint8 or 0 in picture.shape:
            raise ShapeError(
                f"the picture of {tile.name} is {picture.dtype} {picture.shape}, "
                "where uint8 (1 or 3, H, W) is wanted"
            )
        if tile.heat.shape != picture.shape[1:]:
            raise ShapeError(
                f"the map of {tile.name} is {tile.heat.shape}, and does not fit a picture of "
                f"{picture.shape[1:]}"
            )
        if not np.isfinite(tile.heat).all():
            raise ShapeError(f"the map of {tile.name} holds inf or NaN, which have no colour")


def _as_shown(picture: NDArray[np.uint8]) -> Array:
    colours = picture if len(picture) == 3 else picture.repeat(3, axis=0)
    return np.moveaxis(colours, 0, 2) / 255


def _coloured(heat: Array) -> Array:
    return np.asarray(COLOURS(_between(heat)))[..., :3]


def _between(heat: Array) -> Array:
    """Bring values to [0, 1], where 0.5 is 0."""
    most = scale_of(heat)[1] or 1.0
    return np.clip(0.5 + 0.5 * heat.astype(np.float64) / most, 0, 1)


def _overlaid(tile: MapTile) -> Array:
    grey = 0.35 + 0.65 * _as_shown(tile.picture).mean(axis=2, keepdims=True)
    between = _between(tile.heat)
    share = _OVERLAID * np.abs(2 * between - 1)[..., None]
    strongest = np.where(between[..., None] < 0.5, COLOURS(0.0)[:3], COLOURS(1.0)[:3])
    mixed: Array = grey * (1 - share) + strongest * share
    return mixed


def _draw(axes: Axes, colours: Array, corner: tuple[float, float], size: tuple[float, float]) -> None:
    (left, top), (width, height) = corner, size
    small = max(colours.shape[:2]) <= max(size) * DOTS_PER_INCH
    extent = (left, left + width, top + height, top)
    axes.imshow(colours, extent=extent, interpolation="nearest" if small else "hanning")
    axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=RULE, linewidth=0.6))


def _scale(axes: Axes, heat: Array, corner: tuple[float, float], width: float) -> None:
    (left, top), (low, high) = corner, scale_of(heat)
    colours = COLOURS(np.linspace(0.5 if low == 0 else 0.0, 1.0, 256))[None, :, :3]
    axes.imshow(colours, extent=(left, left + width, top + _BAR, top), interpolation="bilinear")
    axes.add_patch(Rectangle((left, top), width, _BAR, fill=False, edgecolor=FAINT, linewidth=0.5))
    ends = [(low, 0.0, "left"), (high, 1.0, "right")]
    for value, place, side in ends if low == 0 else [*ends, (0.0, 0.5, "center")]:
        where = (left + place * width, top + _BAR + 0.03)
        axes.text(*where, f"{value:.3g}", ha=side, va="top", fontsize=6.3, color=INK)


def _caption(axes: Axes, tile: MapTile, corner: tuple[float, float], width: float) -> None:
    left, top = corner
    letters = max(8, int(width / _LETTER))
    axes.text(left, top, written(tile.name, 40), fontsize=8.5, color=INK, va="top", fontweight="bold")
    lines = [piece for line in tile.lines for piece in textwrap.wrap(written(line, 4 * letters), letters)]
    for index, line in enumerate(lines[:5]):
        axes.text(left, top + 0.17 + 0.115 * index, line, fontsize=6.3, color=INK, va="top")
