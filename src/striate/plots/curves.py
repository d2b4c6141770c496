"""Training curves: loss, accuracy, learning rate and speed, by epoch."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray

from striate.core.errors import RunError
from striate.plots.paper import BLUE, FAINT, INK, VERMILION, new_figure, plain_axes, save

Figures: TypeAlias = NDArray[np.float64]

_NAMES = ("training, while learning", "validation, after the epoch")
_JUDGES = {
    "robust_accuracy": ("validation, under attack", "accuracy under attack"),
    "validation_macro_f1": ("validation, macro F1", "macro F1"),
    "validation_mean_average_precision": ("validation, mean average precision", "mean average precision"),
}
"""Shares that the best epoch is chosen by where a row has them, as the legend and the title call them."""

_LINES = ((BLUE, "-", "o"), (VERMILION, "--", "s"), (INK, ":", "^"))


def training_curves(rows: Sequence[Mapping[str, Any]], path: os.PathLike[str] | str) -> None:
    """Draw the course of a training: losses and accuracies above, learning rate and speed below.

    The training figures were measured while the network learned, on augmented images; the validation
    figures after each epoch. What is missing or no number is a gap in the curve.

    Args:
        rows: the rows of ``results.csv``: ``epoch``, ``seconds``, ``learning_rate``, ``train_loss``,
            ``train_accuracy``, ``validation_loss``, ``validation_accuracy``, ``images_per_second``;
            where the best epoch was chosen by another share, ``robust_accuracy`` or
            ``validation_macro_f1`` besides.
        path: the PNG file to be made or replaced.

    Raises:
        RunError: where there is no row.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> row = {"epoch": 1, "seconds": 9.0, "validation_accuracy": 0.9, "validation_loss": 0.3}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     training_curves([row], f"{folder}/curves.png")
    """
    if not rows:
        raise RunError("there are no results to draw; a run has some after its first epoch")
    epochs, validation = _column(rows, "epoch"), 100 * _column(rows, "validation_accuracy")
    figure = new_figure(9.5, 6.2)
    grid = figure.add_gridspec(2, 2, height_ratios=(5, 2))
    loss, accuracy, rate, speed = (figure.add_subplot(grid[place]) for place in np.ndindex(2, 2))
    _draw(loss, epochs, [_column(rows, "train_loss"), _column(rows, "validation_loss")], "loss (nats)")
    loss.legend(_NAMES, frameon=False, fontsize=9, labelcolor=INK)
    judge = next((name for name in _JUDGES if not np.isnan(_column(rows, name)).all()), None)
    judged = validation if judge is None else 100 * _column(rows, judge)
    found = [100 * _column(rows, "train_accuracy"), validation, *([] if judge is None else [judged])]
    several = judge == "validation_mean_average_precision"
    named = "images with all labels right (%)" if several else "accuracy (%)"
    _draw(accuracy, epochs, found, named)
    _mark_best(accuracy, epochs, judged)
    legend, what = _JUDGES.get(judge or "", ("", "accuracy"))
    if judge is not None:
        accuracy.legend(accuracy.lines[2:3], [legend], frameon=False, fontsize=9, labelcolor=INK)
    _draw(rate, epochs, [_column(rows, "learning_rate")], "learning rate")
    _draw(speed, epochs, [_column(rows, "images_per_second")], "images/s")
    speed.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    for axes in (loss, rate, speed):
        _begin_at_zero(axes)
    for axes in (rate, speed):
        axes.set_xlabel("epoch", fontsize=10, color=INK)
    figure.suptitle(_title(epochs, judged, _column(rows, "seconds"), what), fontsize=12, color=INK)
    save(figure, path)


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> Figures:
    def number(value: Any) -> float:
        figure = math.nan if value is None or value == "" else float(value)
        return figure if math.isfinite(figure) else math.nan

    return np.array([number(row.get(name)) for row in rows])


def _draw(axes: Axes, epochs: Figures, curves: Sequence[Figures], label: str) -> None:
    plain_axes(axes)
    # A point whose neighbours are missing has no line to show it, so it needs its marker.
    size = 4 if len(epochs) <= 40 else 2
    for values, (colour, line, marker) in zip(curves, _LINES, strict=False):
        axes.plot(epochs, values, line, color=colour, marker=marker, markersize=size, linewidth=1.6)
    axes.set_ylabel(label, fontsize=10, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.margins(x=0.03, y=0.08)


def _begin_at_zero(axes: Axes) -> None:
    highest = max((float(np.nanmax(line.get_ydata(), initial=0)) for line in axes.lines), default=0)
    axes.set_ylim(0, 1.08 * highest if highest > 0 else 1)


def _mark_best(axes: Axes, epochs: Figures, accuracy: Figures) -> None:
    if np.isnan(accuracy).all():
        return
    best = int(np.nanargmax(accuracy))
    axes.axhline(accuracy[best], color=FAINT, linewidth=0.8, linestyle=":")
    axes.plot(epochs[best], accuracy[best], "o", markersize=11, markerfacecolor="none", markeredgecolor=INK)
    # The words stand at the end that is further from the best, where the curve is lower.
    late = best >= len(epochs) / 2
    axes.annotate(
        f"best: {accuracy[best]:.2f} %",
        (0.01 if late else 0.99, accuracy[best]),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        horizontalalignment="left" if late else "right",
        fontsize=9,
        color=INK,
    )


def _title(epochs: Figures, accuracy: Figures, seconds: Figures, what: str) -> str:
    parts = [f"{epochs[-1]:g} epoch{'' if epochs[-1] == 1 else 's'}"]
    if not math.isnan(seconds[-1]):
        parts.append(f"in {seconds[-1]:,.0f} s")
    if not np.isnan(accuracy).all():
        best = int(np.nanargmax(accuracy))
        parts.append(
            f"\N{EM DASH} best validation {what} {accuracy[best]:.2f} %, after epoch {epochs[best]:g}"
        )
    return " ".join(parts)
