"""The picture of a learning curve: error over the number of images, its law, and the larger network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from striate.plots.lettering import written
from striate.plots.paper import BLUE, FAINT, INK, VERMILION, new_figure, plain_axes, save

_STYLES = {"usual": (BLUE, "o", 1.0), "larger": (VERMILION, "s", 1.04)}
"""Network -> colour, marker, and by what it is moved aside."""


def learning_curve(study: Mapping[str, Any], path: os.PathLike[str] | str) -> None:
    """Draw the error by the number of training images, both on logarithmic scales.

    Large marks are means over seeds with their 95 % intervals, small ones the seeds. The line is the fitted
    law, dashed beyond what was measured, and the band its 95 % interval.

    Args:
        study: what `striate.studies.LearningCurve.to_dict` gave, perhaps by way of its JSON file.
        path: the PNG file to be made or replaced.

    Raises:
        OSError: where the file cannot be written.
    """
    figure = new_figure(8.0, 5.2)
    axes = figure.subplots()
    plain_axes(axes)
    axes.set_xscale("log")
    axes.set_yscale("log")
    _draw_law(axes, study["law"], measured=max(point["images"] for point in study["points"]))
    for network, model in zip(_STYLES, study["models"], strict=False):
        for number, point in enumerate(each for each in study["points"] if each["network"] == network):
            _draw_point(axes, point, label=written(model) if number == 0 else "")
    counts = sorted({point["images"] for point in study["points"]} | set(study["law"]["images"]))
    axes.set_xticks(counts, [f"{count:,}" for count in counts], rotation=30, ha="right")
    axes.set_xticks([], minor=True)
    _mark_errors(axes)
    axes.set_xlabel("training images", fontsize=10, color=INK)
    axes.set_ylabel(f"error on the {study['part']} part (%)", fontsize=10, color=INK)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    law = study["law"]
    axes.set_title(
        f"Learning curve ({written(study['source'])}, seeds: {study['seeds']}, "
        f"{study['measured_images']:,} {study['part']} images)\n"
        f"error = {100 * law['scale']:.2f} % (images / {law['reference']:,.0f})^-{law['exponent']:.2f} + "
        f"{100 * law['floor']:.2f} %",
        fontsize=10.5,
        color=INK,
    )
    save(figure, path)


def _draw_law(axes: Axes, law: Mapping[str, Any], *, measured: int) -> None:
    counts, errors = law["images"], [max(100 * error, 1e-3) for error in law["errors"]]
    inside = sum(count <= measured for count in counts)
    axes.plot(counts[:inside], errors[:inside], color=FAINT, linewidth=1.4, label="fitted law")
    axes.plot(counts[inside - 1 :], errors[inside - 1 :], "--", color=FAINT, linewidth=1.4)
    if all(interval is not None for interval in law["intervals"]):
        lows = [max(100 * low, 1e-3) for low, _ in law["intervals"]]
        highs = [100 * high for _, high in law["intervals"]]
        axes.fill_between(
            counts, lows, highs, color=FAINT, alpha=0.18, linewidth=0, label="its 95 % interval"
        )


def _draw_point(axes: Axes, point: Mapping[str, Any], *, label: str) -> None:
    colour, marker, aside = _STYLES[point["network"]]
    place = aside * point["images"]
    errors = [max(100 * (1 - accuracy), 1e-3) for accuracy in point["accuracies"]]
    axes.plot([place] * len(errors), errors, ".", color=colour, alpha=0.5, markersize=4)
    found = point["mean"]
    mean = max(100 * (1 - found["mean"]), 1e-3)
    spread = None
    if found["high"] is not None:
        half = 100 * (found["high"] - found["mean"])
        spread = [[min(half, 0.9 * mean)], [half]]  # a logarithmic scale has no 0
    axes.errorbar(
        [place],
        [mean],
        yerr=spread,
        fmt=marker,
        color=colour,
        markersize=6,
        capsize=3,
        linewidth=1.2,
        label=label or None,
    )


def _mark_errors(axes: Axes) -> None:
    """Write a handful of round errors beside the axis: powers of ten alone would leave one or two."""
    low, high = axes.get_ylim()
    rounds = [base * 10.0**power for power in range(-3, 3) for base in (1, 1.5, 2, 3, 5, 7)]
    marks = [mark for mark in rounds if low <= mark <= high]
    axes.set_yticks(marks, [f"{mark:g}" for mark in marks])
    axes.set_yticks([], minor=True)
