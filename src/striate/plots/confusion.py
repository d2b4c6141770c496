"""The confusion matrix: which class is taken for which, from 2 classes to hundreds."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import ShapeError
from striate.plots.lettering import percent, written
from striate.plots.paper import FAINT, INK, save, whole_axes

_MOST_WITH_FIGURES = 20
_MOST_PAIRS = 12
_WIDEST = 10.0
_LINE = 0.14  # inches of height that a class name takes
_LETTER = 0.085  # inches of width that a letter takes


def confusion_matrix(matrix: ArrayLike, classes: Sequence[str], path: os.PathLike[str] | str) -> None:
    """Draw a confusion matrix, each row in shares of its true class.

    Up to 20 classes each cell holds its count, and its share from 1 % on; beyond, colours only, as many
    class names as fit, and the most frequent confusions in words. The colours follow the square root of
    the share, so that rare confusions show. A class without images is grey.

    Args:
        matrix: counts (C, C), rows true, columns predicted.
        classes: the C names.
        path: the PNG file to be made or replaced.

    Raises:
        ShapeError: where the matrix is not square or not of whole counts, or the names are not as many.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     confusion_matrix([[9, 1], [2, 8]], ["cat", "dog"], f"{folder}/confusion.png")
    """
    counts = _checked(np.asarray(matrix), len(classes))
    size = len(counts)
    support = counts.sum(axis=1)
    shares = np.where(support[:, None] > 0, counts / np.maximum(support, 1)[:, None], np.nan)
    with_figures = size <= _MOST_WITH_FIGURES
    side = max(2.6, 0.58 * size) if with_figures else min(_WIDEST, max(5.5, _LINE * size))
    figure, axes = whole_axes(side, side)
    colours = colormaps["Blues"].with_extremes(bad="#DADADA")
    drawn = axes.imshow(shares, cmap=colours, norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    _name_classes(axes, classes, support, side)
    _colour_scale(figure, axes, drawn, side)
    if with_figures:
        _write_figures(axes, counts, shares)
    else:
        _write_pairs(axes, counts, shares, classes, side)
    total, right = int(support.sum()), int(np.trace(counts))
    share = 100 * right / max(total, 1)
    axes.set_title(f"{right:,} of {total:,} images right ({share:.2f} %)", fontsize=12, color=INK, pad=12)
    save(figure, path)


def _checked(matrix: NDArray[Any], classes: int) -> NDArray[np.int64]:
    if matrix.shape != (classes, classes) or classes == 0:
        raise ShapeError(f"a confusion matrix of {matrix.shape} does not fit {classes} class names")
    if not np.issubdtype(matrix.dtype, np.integer) or (matrix < 0).any():
        raise ShapeError("a confusion matrix holds counts, which are whole numbers from 0 on")
    return matrix.astype(np.int64)


def _name_classes(axes: Axes, classes: Sequence[str], support: NDArray[np.int64], side: float) -> None:
    cell = side / len(classes)
    every = max(1, math.ceil(_LINE / cell))
    places = range(0, len(classes), every)
    across = [written(classes[i], 16) for i in places]
    down = [f"{written(classes[i], 16)} ({support[i]:,})" for i in places]
    small = len(classes) > _MOST_WITH_FIGURES
    size = 7 if small else 9
    axes.set_xticks(places, across, fontsize=size, color=INK)
    axes.set_yticks(places, down, fontsize=size, color=INK)
    if small:
        axes.tick_params(axis="x", rotation=90)
    elif max(map(len, across)) * _LETTER > cell:
        for label in axes.get_xticklabels():
            label.set(rotation=40, horizontalalignment="right", rotation_mode="anchor")
    axes.tick_params(length=2, color=FAINT)
    axes.spines[:].set_color(FAINT)
    thinned = f", one in {every} named" if every > 1 else ""
    axes.set_xlabel(f"predicted class{thinned}", fontsize=10, color=INK)
    axes.set_ylabel(f"true class (images){thinned}", fontsize=10, color=INK)


def _write_figures(axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    for row, column in np.argwhere(counts > 0):
        share = float(shares[row, column])
        colour = "white" if share > 0.35 else INK
        lines = [(f"{counts[row, column]:,}", 6.5, 0)]
        if share >= 0.01:  # below that the count alone says more
            lines = [(percent(share), 8.5, 4), (f"{counts[row, column]:,}", 6.5, -8)]
        for text, size, height in lines:
            axes.annotate(
                text,
                (column, row),
                xytext=(0, height),
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=size,
                color=colour,
            )


def _write_pairs(
    axes: Axes,
    counts: NDArray[np.int64],
    shares: NDArray[np.float64],
    classes: Sequence[str],
    side: float,
) -> None:
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_PAIRS]
    left = 1 + 1.3 / side
    axes.text(left, 1, "most frequent confusions", fontsize=10, color=INK, va="top", transform=axes.transAxes)
    height = 1 - 0.35 / side
    for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True):
        if wrong[row, column] == 0:
            break
        sentence = f"{written(classes[row], 16)} \N{RIGHTWARDS ARROW} {written(classes[column], 16)}"
        figures = f"{wrong[row, column]:,} images, {percent(float(shares[row, column]))} of the class"
        for text, size, colour, below in ((sentence, 9, INK, 0.0), (figures, 7.5, FAINT, 0.17)):
            axes.text(
                left,
                height - below / side,
                text,
                fontsize=size,
                color=colour,
                va="top",
                transform=axes.transAxes,
            )
        height -= 0.42 / side


def _colour_scale(figure: Figure, axes: Axes, drawn: AxesImage, side: float) -> None:
    ticks = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1)
    beside = axes.inset_axes((1 + 0.15 / side, 0, 0.2 / side, 1))
    scale = figure.colorbar(drawn, cax=beside, ticks=ticks)
    beside.set_yticks(ticks, [percent(tick) for tick in ticks], fontsize=8, color=INK)
    beside.tick_params(length=2, color=FAINT)
    scale.set_label("share of the true class", fontsize=9, color=INK)
    scale.outline.set_edgecolor(FAINT)
