"""The curve of robust accuracy: how much is left of a classifier as attacks may change more."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import PercentFormatter

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.paper import BLUE, FAINT, INK, new_figure, plain_axes, save


def robust_curve(
    radii: Sequence[float],
    accuracies: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    path: os.PathLike[str] | str,
    *,
    title: str,
    axis: str,
    chance: float | None = None,
) -> None:
    """Draw the accuracy that is left against the radius of the ball in which attacks may change an image.

    Args:
        radii: rising, from 0, where the accuracy is that on clean images.
        accuracies: at each radius, in [0, 1].
        intervals: lower and upper bound of each.
        path: the PNG file to be made or replaced.
        title: what is written above.
        axis: what the radius is, such as ``L-infinity radius``.
        chance: the accuracy of guessing, as a dotted line; ``None``: none.

    Raises:
        ShapeError: where there is no radius, or not one accuracy and interval a radius.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> figures = [0, 0.1], [0.9, 0.5], [(0.8, 0.95), (0.4, 0.6)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     robust_curve(*figures, f"{folder}/a.png", title="a", axis="radius")
    """
    if not radii or not len(radii) == len(accuracies) == len(intervals):
        raise ShapeError(
            f"{len(radii)} radii, {len(accuracies)} accuracies and {len(intervals)} intervals are given, "
            "where as many of each are wanted, at least one"
        )
    figure = new_figure(6.4, 4.2)
    axes = figure.add_subplot()
    plain_axes(axes)
    lows, highs = zip(*intervals, strict=True)
    axes.fill_between(radii, lows, highs, color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(radii, accuracies, "-o", color=BLUE, markersize=4, linewidth=1.6)
    for radius, accuracy in zip(radii, accuracies, strict=True):
        place: dict[str, Any] = {
            "textcoords": "offset points",
            "xytext": (4, 5),
            "fontsize": 7.5,
            "color": INK,
        }
        axes.annotate(f"{accuracy:.1%}".replace("%", " %"), (radius, accuracy), **place)
    if chance is not None:
        axes.axhline(chance, color=FAINT, linewidth=0.8, linestyle=":")
        above: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "ha": "left", "va": "bottom"}
        axes.annotate("guessing", (0.01, chance), **above, fontsize=7.5, color=FAINT)
    axes.set(ylim=(0, 1.04), xlim=(0, 1.06 * max(radii) or 1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel(written(axis, 60), fontsize=10, color=INK)
    axes.set_ylabel("accuracy under attack; band: 95 % interval", fontsize=10, color=INK)
    axes.set_title(written(title, 80), fontsize=11, color=INK)
    save(figure, path)
