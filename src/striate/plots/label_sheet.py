"""The prediction sheet of images with several labels: what was said of each, rightly, wrongly or not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.numbers import APART, tile_size
from striate.plots.paper import BLUE, FAINT, INK, RULE, VERMILION, save, whole_axes
from striate.plots.sheet import columns_for, draw_image

_MOST_IMAGES = 60
_MOST_LINES = 5
_NARROWEST = 1.6  # inches that a caption takes
_LINE = 0.15  # inches of a line of it
_RIGHT, _WRONG, _MISSED = "\N{CHECK MARK}", "\N{BALLOT X}", "?"
_KEY = f"{_RIGHT} said rightly, {_WRONG} said wrongly, {_MISSED} there and not said"


def label_sheet(
    images: NDArray[Any],
    labels: ArrayLike,
    said: ArrayLike,
    classes: Sequence[str],
    path: os.PathLike[str] | str,
    *,
    title: str = "",
) -> None:
    """Draw images in a grid, each with its labels: those said rightly, those said wrongly and those missed.

    Beyond 60 images the first 60 are drawn, and the sheet says so.

    Args:
        images: uint8 (N, C, H, W), or series or volumes, as for `striate.plots.prediction_sheet`.
        labels: (N, K), 1 for each label that an image has.
        said: (N, K), whether a label was said of it.
        classes: the K names.
        path: the PNG file to be made or replaced.
        title: what to write above instead of how many images have all labels right.

    Raises:
        ShapeError: where there is no image, or the tables do not fit images and names.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images = np.zeros((1, 1, 8, 8), np.uint8)
    ...     label_sheet(images, [[1, 0]], [[True, True]], ["cat", "dog"], f"{folder}/sheet.png")
    """
    true, guessed = np.asarray(labels) > 0, np.asarray(said).astype(bool)
    shape = (len(images), len(classes))
    if images.ndim not in (3, 4, 5) or 0 in images.shape or true.shape != shape or guessed.shape != shape:
        raise ShapeError(
            f"images are {images.shape}, labels {true.shape} and what was said {guessed.shape}, where "
            f"(N, C, H, W) and twice (N, {len(classes)}) are wanted"
        )
    count = min(len(images), _MOST_IMAGES)
    lines = [_lines(true[row], guessed[row], classes) for row in range(count)]
    columns = columns_for(count)
    height, width = tile_size(images.shape[1:])
    across, down = max(width + APART, _NARROWEST), height + 0.18 + _LINE * max(map(len, lines))
    rows = -(-count // columns)
    figure, axes = whole_axes(columns * across, rows * down)
    for index in range(count):
        corner = ((index % columns + 0.5) * across - width / 2, index // columns * down)
        draw_image(axes, images[index], corner, (width, height))
        exact = bool((true[index] == guessed[index]).all())
        _caption(axes, lines[index], corner, (width, height), exact=exact)
    axes.set(xlim=(0, columns * across), ylim=(rows * down, 0))
    axes.set_axis_off()
    right = int((true[:count] == guessed[:count]).all(axis=1).sum())
    rest = f" (the first {count} of {len(images):,})" if count < len(images) else ""
    heading = written(title, 110) if title else f"all labels right on {right} of {count} images"
    axes.set_title(f"{heading}{rest}\n{_KEY}", fontsize=11, color=INK, pad=12)
    save(figure, path)


def _lines(true: NDArray[np.bool_], said: NDArray[np.bool_], classes: Sequence[str]) -> list[tuple[str, str]]:
    """Give the lines under an image with their colours."""
    kinds = ((_RIGHT, BLUE, true & said), (_WRONG, VERMILION, said & ~true), (_MISSED, INK, true & ~said))
    lines = [
        (f"{sign} {written(classes[label], 20)}", colour)
        for sign, colour, which in kinds
        for label in np.flatnonzero(which).tolist()
    ]
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], (f"and {len(lines) - _MOST_LINES + 1} more", FAINT)]
    return lines or [(f"{_RIGHT} no label", BLUE)]


def _caption(
    axes: Axes,
    lines: Sequence[tuple[str, str]],
    corner: tuple[float, float],
    size: tuple[float, float],
    *,
    exact: bool,
) -> None:
    (left, top), (width, height) = corner, size
    frame = Rectangle(corner, width, height, fill=False, edgecolor=RULE if exact else VERMILION)
    frame.set_linewidth(1 if exact else 2.5)
    axes.add_patch(frame)
    for number, (text, colour) in enumerate(lines):
        below = top + height + 0.06 + _LINE * number
        axes.text(left + width / 2, below, text, color=colour, ha="center", va="top", fontsize=8)
