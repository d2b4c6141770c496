"""A page to be printed: an adversarial patch in its true size, with the line to cut along and a ruler."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from matplotlib.patches import Circle, Rectangle
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import ShapeError
from striate.plots.paper import FAINT, INK, save, whole_axes
from striate.plots.tiles import as_picture, broken

LEAST, MOST = 1.0, 28.0
"""Sides in centimetres that can be cut out, and that a page has room for."""

_INCH = 2.54
_MARGIN = 0.6  # centimetres
_LINE = 0.45
_LETTER = 0.16


def sticker_page(
    picture: ArrayLike,
    path: os.PathLike[str] | str,
    *,
    centimetres: float,
    caption: str = "",
    disc: bool = True,
) -> None:
    """Draw a patch so that it is as large as it shall be when the page is printed at 100 %.

    Args:
        picture: C x side x side in [0, 1], of one channel or three.
        path: the PNG file to be made or replaced; it holds its own resolution.
        centimetres: the side of the patch, from 1 to 28.
        caption: what is written below it, such as what it makes a network answer.
        disc: whether only the circle in it belongs to it; else all of the square.

    Raises:
        ShapeError: where it is no square picture, or the side is out of range.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sticker_page(np.full((1, 4, 4), 0.5), f"{folder}/a.png", centimetres=3)
    """
    values: NDArray[np.float64] = np.asarray(picture, dtype=np.float64)
    if values.ndim != 3 or len(values) not in (1, 3) or values.shape[1] != values.shape[2]:
        raise ShapeError(
            f"a sticker is drawn from 1 or 3 channels of side x side, and this is "
            f"{'x'.join(map(str, values.shape))}"
        )
    if not LEAST <= centimetres <= MOST:
        raise ShapeError(f"a sticker of {centimetres:g} cm does not fit a page; {LEAST:g} to {MOST:g} cm do")
    width = max(centimetres + 2 * _MARGIN, 7.0)
    said = (
        f"Print at 100 %, so that the ruler is {int(centimetres)} cm long, and cut along the line. {caption}"
    )
    lines = broken(said, int((width - 2 * _MARGIN) / _LETTER))
    height = centimetres + 2 * _MARGIN + 1.1 + _LINE * len(lines)
    figure, axes = whole_axes(width / _INCH, height / _INCH)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    left = (width - centimetres) / 2
    shown = as_picture(values)[0]
    drawn = axes.imshow(
        shown,
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="bilinear",
        extent=(left, left + centimetres, _MARGIN + centimetres, _MARGIN),
        aspect="auto",
    )
    edge: dict[str, Any] = {"fill": False, "edgecolor": FAINT, "linestyle": (0, (4, 3)), "linewidth": 0.8}
    if disc:
        middle = (left + centimetres / 2, _MARGIN + centimetres / 2)
        axes.add_patch(Circle(middle, centimetres / 2, **edge))
        drawn.set_clip_path(Circle(middle, centimetres / 2, transform=axes.transData))
    else:
        axes.add_patch(Rectangle((left, _MARGIN), centimetres, centimetres, **edge))
    ruler = _MARGIN + centimetres + 0.5
    axes.plot([left, left + int(centimetres)], [ruler, ruler], color=INK, linewidth=1)
    for mark in range(int(centimetres) + 1):
        axes.plot([left + mark, left + mark], [ruler - 0.12, ruler + 0.12], color=INK, linewidth=1)
    for number, line in enumerate(lines):
        axes.text(_MARGIN, ruler + 0.7 + _LINE * number, line, fontsize=9, color=INK, va="center")
    axes.set(xlim=(0, width), ylim=(height, 0))
    save(figure, path)
