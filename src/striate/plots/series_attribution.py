"""What a network looked at in series: each one's lines over the map of its times."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.numbers import CHANNELS, draw_lines
from striate.plots.paper import FAINT, INK, RULE, save, whole_axes
from striate.plots.tiles import Array, Scale, draw_scale, finish

_WIDTH = 6.5  # inches of a series
_BAND = 0.42  # inches of a channel
_LEAST = 0.8
_TEXT = 0.5  # inches below a series


@dataclass(frozen=True, eq=False)
class SeriesTile:
    """A map of the times of a series.

    Args:
        series: C x L, any numbers.
        heat: L, finite; over 0 what speaks for the class.
        name: of the series.
        lines: what is written below.
    """

    series: NDArray[Any]
    heat: Array
    name: str
    lines: Sequence[str] = ()


def series_attribution_picture(
    tiles: Sequence[SeriesTile], path: os.PathLike[str] | str, *, title: str, note: str = ""
) -> None:
    """Draw series below each other, each over the colours of its map, with the scale of these.

    Args:
        tiles: at least one; each map has a scale of its own.
        path: the PNG file to be made or replaced.
        title: what is written above.
        note: a smaller line below it, such as what the values are.

    Raises:
        ShapeError: where there is no map, a map does not fit its series, or holds inf or NaN.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> tile = SeriesTile(np.zeros((1, 50)), np.linspace(-1, 1, 50), "beat.npy")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     series_attribution_picture([tile], f"{folder}/why.png", title="saliency")
    """
    for tile in tiles:
        if tile.heat.shape != tile.series.shape[1:] or not np.isfinite(tile.heat).all():
            raise ShapeError(
                f"the map of {tile.name} is of {tile.heat.shape} for a series of {tile.series.shape}, or "
                "holds what is no "
                "finite number"
            )
    if not tiles:
        raise ShapeError("there is no map to draw; at least one is needed")
    heights = [max(_LEAST, _BAND * min(CHANNELS, len(tile.series))) for tile in tiles]
    whole = (_WIDTH + 0.9, sum(heights) + _TEXT * len(tiles))
    figure, axes = whole_axes(*whole)
    top = 0.0
    for tile, height in zip(tiles, heights, strict=True):
        most = float(np.abs(tile.heat).max()) or 1.0
        scale = Scale(-most, most)
        extent = (0.0, _WIDTH, top + height, top)
        shown: dict[str, Any] = {"vmin": -most, "vmax": most, "alpha": 0.75}
        axes.imshow(tile.heat[None], extent=extent, aspect="auto", cmap=scale.colours, **shown)
        draw_lines(axes, tile.series, (0.0, top), (_WIDTH, height), colour=INK)
        axes.plot(
            [0, _WIDTH, _WIDTH, 0, 0], [top, top, top + height, top + height, top], color=RULE, linewidth=0.6
        )
        draw_scale(axes, scale, (_WIDTH + 0.12, top), height)
        place: dict[str, Any] = {"fontsize": 6.5, "color": FAINT, "va": "top"}
        axes.text(0, top + height + 0.02, "0", **place)
        axes.text(_WIDTH, top + height + 0.02, str(len(tile.heat) - 1), ha="right", **place)
        said = written(f"{tile.name}: {'; '.join(tile.lines)}", 110)
        axes.text(0.25, top + height + 0.06, said, fontsize=7.5, color=INK, va="top")
        top += height + _TEXT
    finish(axes, whole, title, note)
    axes.set_aspect("auto")
    save(figure, path)
