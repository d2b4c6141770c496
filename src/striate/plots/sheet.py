"""The prediction sheet: images with what was predicted, how surely, and what is true."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import ShapeError
from striate.plots.lettering import percent, written
from striate.plots.numbers import APART, TILE, draw_numbers, tile_size
from striate.plots.paper import BLUE, DOTS_PER_INCH, INK, RULE, VERMILION, save, whole_axes

_MOST_IMAGES = 60
_NARROWEST = 1.6  # inches that a caption takes
_LETTERS = 0.48  # inches for the two lines under a picture


def prediction_sheet(
    images: NDArray[Any],
    labels: ArrayLike,
    predicted: ArrayLike,
    confidences: ArrayLike,
    classes: Sequence[str],
    path: os.PathLike[str] | str,
    title: str | None = None,
) -> None:
    """Draw images in a grid, each with its prediction, and mark the wrong ones by colour and a cross.

    Images of one channel are grey, of three are colour; of other numbers of channels the mean is
    drawn in grey. Series are lines, and of volumes and clips some slices are drawn. Beyond 60 images the
    first 60 are drawn, and the sheet says so.

    Args:
        images: uint8 (N, C, H, W); of series (N, C, L) and of volumes and clips (N, C, D, H, W), of any
            numbers.
        labels: (N) true classes.
        predicted: (N) predicted classes.
        confidences: (N) probabilities of the predicted classes, in [0, 1].
        classes: their names.
        path: the PNG file to be made or replaced.
        title: what to write above instead of how many of the drawn images are right.

    Raises:
        ShapeError: where there is no image, the lengths differ, or a number names no class.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images = np.zeros((2, 1, 8, 8), np.uint8)
    ...     prediction_sheet(images, [0, 1], [0, 0], [0.9, 0.6], ["cat", "dog"], f"{folder}/sheet.png")
    """
    true, guessed, sure = np.asarray(labels), np.asarray(predicted), np.asarray(confidences)
    _check(images, (true, guessed, sure), len(classes))
    count = min(len(images), _MOST_IMAGES)
    columns = columns_for(count)
    height, width = tile_size(images.shape[1:])
    across, down = max(width + APART, _NARROWEST), height + _LETTERS
    rows = math.ceil(count / columns)
    figure, axes = whole_axes(columns * across, rows * down)
    for index in range(count):
        corner = ((index % columns + 0.5) * across - width / 2, index // columns * down)
        draw_image(axes, images[index], corner, (width, height))
        caption = f"{written(classes[guessed[index]], 12)} \N{MIDDLE DOT} {percent(float(sure[index]))}"
        truth = None if guessed[index] == true[index] else written(classes[true[index]], 14)
        _caption(axes, caption, truth, corner, (width, height))
    axes.set(xlim=(0, columns * across), ylim=(rows * down, 0))
    axes.set_axis_off()
    right = int((true[:count] == guessed[:count]).sum())
    rest = f" (the first {count} of {len(images):,})" if count < len(images) else ""
    heading = written(title, 100) if title else f"{right} of {count} images right"
    axes.set_title(heading + rest, fontsize=12, color=INK, pad=12)
    save(figure, path)


def columns_for(count: int) -> int:
    """Choose how many pictures stand side by side: somewhat more than below each other, few places left over.

    Args:
        count: how many there are, at least 1.

    Returns:
        The columns.

    >>> columns_for(40)
    8
    """
    around = range(math.ceil(math.sqrt(1.2 * count)), math.ceil(math.sqrt(2.2 * count)) + 1)
    return min(around, key=lambda columns: -count % columns) if count > 3 else count


def _check(images: NDArray[Any], columns: tuple[NDArray[Any], ...], classes: int) -> None:
    of_images = images.ndim == 4 and images.dtype == np.uint8
    if not (of_images or images.ndim in (3, 5)) or 0 in images.shape:
        raise ShapeError(
            f"images are {images.dtype} {images.shape}, where uint8 (N, C, H, W) is wanted, or N x C x "
            "spatial of series "
            "or volumes"
        )
    lengths = [len(images), *(column.size for column in columns)]
    if len(set(lengths)) > 1:
        raise ShapeError("images, labels, predictions and confidences are {}, {}, {} and {}".format(*lengths))
    for column in columns[:2]:
        if not 0 <= column.min() <= column.max() < classes:
            raise ShapeError(
                f"classes run from {column.min()} to {column.max()}, but there are {classes} names"
            )


def draw_image(
    axes: Axes, image: NDArray[Any], corner: tuple[float, float], size: tuple[float, float]
) -> None:
    """Draw an image somewhere on axes in inches.

    Args:
        axes: that cover their figure.
        image: uint8 (C, H, W), grey for one channel, in colour for three, the mean in grey for others; or a
            series (C, L) or volume (C, D, H, W) of any numbers.
        corner: its left and its top.
        size: its width and height.
    """
    if image.ndim != 3:
        draw_numbers(axes, image, corner, size)
        return
    (left, top), (width, height) = corner, size
    picture = np.moveaxis(image, 0, 2) if len(image) == 3 else image.mean(axis=0)
    small = max(image.shape[1:]) <= TILE * DOTS_PER_INCH
    axes.imshow(
        picture,
        cmap="gray",
        vmin=0,
        vmax=255,
        extent=(left, left + width, top + height, top),
        interpolation="nearest" if small else "hanning",
    )


def _caption(
    axes: Axes, caption: str, truth: str | None, corner: tuple[float, float], size: tuple[float, float]
) -> None:
    (left, top), (width, height) = corner, size
    right = truth is None
    colour = BLUE if right else VERMILION
    axes.add_patch(
        Rectangle(
            corner,
            width,
            height,
            fill=False,
            edgecolor=RULE if right else colour,
            linewidth=1 if right else 2.5,
        )
    )
    sign = "\N{CHECK MARK}" if right else "\N{BALLOT X}"
    place: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 8}
    weight = "normal" if right else "bold"
    centre, below = left + width / 2, top + height
    axes.text(centre, below + 0.06, f"{sign} {caption}", color=colour, fontweight=weight, **place)
    if truth is not None:
        axes.text(centre, below + 0.22, f"true: {truth}", color=INK, **place)
