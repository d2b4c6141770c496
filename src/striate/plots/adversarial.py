"""The adversarial figure: a picture, what was added to it with its true scale, and what became of it."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.paper import FAINT, INK, save, whole_axes
from striate.plots.tiles import Array, Scale, Tile, draw_scale, draw_tile, finish, fitted

_SIDE = 2.9  # inches of a picture's longer side
_PLUS, _EQUALS = 0.5, 1.05  # inches between the pictures; the second holds the scale too
_CAPTION = 0.42  # inches of the lines below a picture that are always there
_LINE = 0.13
_LETTERS = 54
_BAR = 0.12
_COLOURS = "orange: lighter than before; blue: darker"


@dataclass(frozen=True, eq=False)
class AdversarialTile:
    """A picture before and after an attack.

    Args:
        clean: (C, H, W) in [0, 1], C is 1 or 3.
        changed: the same after the attack.
        name: of the picture.
        before: the class that was predicted for the clean picture, and its probability in [0, 1].
        after: the same for the changed picture.
        lines: what else is written below the changed picture, such as the attack.
    """

    clean: Array
    changed: Array
    name: str
    before: tuple[str, float]
    after: tuple[str, float]
    lines: Sequence[str] = ()


def adversarial_picture(
    tiles: Sequence[AdversarialTile], path: os.PathLike[str] | str, *, title: str, note: str = ""
) -> None:
    """Draw for each picture, row by row: the picture, plus the change, equals the changed picture.

    The change is drawn as large as it can be, with the factor, its scale, and its norms written. Of one
    channel it has colours: orange is lighter than before, blue darker. Of three channels each is drawn around
    mid-grey, which is no change.

    Args:
        tiles: at least one.
        path: the PNG file to be made or replaced.
        title: what is written above.
        note: a smaller line below it.

    Raises:
        ShapeError: where there is no picture, two do not fit each other, or one is no picture in [0, 1].
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> clean = np.full((1, 8, 8), 0.5)
    >>> tile = AdversarialTile(clean, clean + 0.03, "panda.jpg", ("panda", 0.577), ("gibbon", 0.993))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     adversarial_picture([tile], f"{folder}/panda.png", title="FGSM")
    """
    _check(tiles)
    width = 3 * _SIDE + _PLUS + _EQUALS
    captions = [_captions(tile) for tile in tiles]
    heights = [
        fitted(tile.clean[0], _SIDE)[1] + _CAPTION + _LINE * max(map(len, lines))
        for tile, lines in zip(tiles, captions, strict=True)
    ]
    figure, axes = whole_axes(width, sum(heights))
    for row, (tile, lines) in enumerate(zip(tiles, captions, strict=True)):
        _draw_row(axes, tile, lines, sum(heights[:row]))
    finish(axes, (width, sum(heights)), title, note)
    save(figure, path)


def _draw_row(axes: Axes, tile: AdversarialTile, captions: Sequence[Sequence[str]], top: float) -> None:
    change = tile.changed - tile.clean
    most = float(np.abs(change).max())
    lefts = (0.0, _SIDE + _PLUS, 2 * _SIDE + _PLUS + _EQUALS)
    below = top + fitted(tile.clean[0], _SIDE)[1] + 0.07
    pictures = (Tile(_shown(tile.clean)), _change_tile(change, most), Tile(_shown(tile.changed)))
    headings = (tile.name, "the change", "after the attack")
    for left, picture, heading, lines in zip(lefts, pictures, headings, captions, strict=True):
        width, height = draw_tile(axes, picture, (left, top), _SIDE)
        _write(axes, heading, lines, (left, below))
    middle: dict[str, Any] = {"va": "center", "ha": "center", "fontsize": 22, "color": INK}
    # Portraits are narrower than the room that they have: signs stand in the middle of what is between.
    axes.text((width + lefts[1]) / 2, top + height / 2, "+", **middle)
    right = lefts[1] + width
    if most:
        _draw_bar(axes, change, most, (right + 0.06, top), height)
    axes.text((right + 0.62 + lefts[2]) / 2, top + height / 2, "=", **middle)


def _change_tile(change: Array, most: float) -> Tile:
    if len(change) == 1:
        return Tile(change[0], Scale(-(most or 1.0), most or 1.0))
    return Tile(np.moveaxis(0.5 + change / (2 * most or 1.0), 0, 2))


def _draw_bar(axes: Axes, change: Array, most: float, corner: tuple[float, float], height: float) -> None:
    if len(change) == 1:
        draw_scale(axes, Scale(-most, most), corner, height)
        return
    left, top = corner
    extent = (left, left + _BAR, top + height, top)
    shades = np.linspace(1, 0, 64)[:, None]
    axes.imshow(shades, cmap="gray", vmin=0, vmax=1, extent=extent, aspect="auto")
    axes.add_patch(Rectangle(corner, _BAR, height, fill=False, edgecolor=FAINT, linewidth=0.5))
    place: dict[str, Any] = {"fontsize": 6.5, "color": INK}
    for value, down, side in ((most, 0.0, "top"), (0.0, 0.5, "center"), (-most, 1.0, "bottom")):
        axes.text(left + _BAR + 0.04, top + down * height, f"{value:.3g}", va=side, **place)


def _captions(tile: AdversarialTile) -> tuple[list[str], list[str], list[str]]:
    """Give the lines below each of the three pictures."""
    change = tile.changed - tile.clean
    most = float(np.abs(change).max())
    if most == 0:
        said = ["nothing was changed"]
    else:
        places = float((np.abs(change) > 0).any(axis=0).mean())
        said = [
            f"drawn {_factor(0.5 / most)} times as large" if len(change) == 3 else _COLOURS,
            f"largest change {most:.3g}, which is {255 * most:.3g} of 255",
            f"L2 norm {np.linalg.norm(change):.3g}; {_percent(places)} of the places",
        ]
    after = [
        piece for line in tile.lines for piece in textwrap.wrap(written(line, 4 * _LETTERS), _LETTERS)[:4]
    ]
    return [_answer(tile.before)], said, [_answer(tile.after), *after]


def _write(axes: Axes, heading: str, lines: Sequence[str], corner: tuple[float, float]) -> None:
    left, top = corner
    axes.text(left, top, written(heading, 36), va="top", fontsize=9, color=INK, fontweight="bold")
    for number, line in enumerate(lines):
        axes.text(left, top + 0.19 + _LINE * number, line, va="top", fontsize=7.5, color=INK)


def _answer(said: tuple[str, float]) -> str:
    return f"predicted {written(said[0], 32)}, {_percent(said[1])}"


def _percent(share: float) -> str:
    """Write a share with one digit, and never more certainty than there is."""
    if 0.999 < share < 1:
        return ">99.9 %"
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{100 * share:.1f} %"


def _factor(factor: float) -> str:
    return f"{factor:.0f}" if factor >= 10 else f"{factor:.1f}"


def _shown(picture: Array) -> Array:
    shown: Array = picture[0] if len(picture) == 1 else np.moveaxis(picture, 0, 2)
    return shown


def _check(tiles: Sequence[AdversarialTile]) -> None:
    if not tiles:
        raise ShapeError("there is no picture to draw; at least one is needed")
    for tile in tiles:
        if tile.clean.shape != tile.changed.shape:
            raise ShapeError(
                f"{tile.name} is {tile.clean.shape} before and {tile.changed.shape} after the attack; both "
                "must be of one shape"
            )
        if tile.clean.ndim != 3 or len(tile.clean) not in (1, 3) or 0 in tile.clean.shape:
            raise ShapeError(f"{tile.name} is {tile.clean.shape}, where (1 or 3, H, W) is wanted")
        for picture in (tile.clean, tile.changed):
            low, high = float(picture.min()), float(picture.max())
            if not (low >= 0 and high <= 1):  # a NaN fails too
                raise ShapeError(
                    f"{tile.name} holds values from {low:.3g} to {high:.3g}, where [0, 1] is wanted"
                )
