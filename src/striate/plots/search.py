"""The pictures of a search: trials as lines through all parameters, and what each parameter explains."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from striate.plots.lettering import written
from striate.plots.paper import BLUE, FAINT, INK, RULE, VERMILION, new_figure, plain_axes, save

_COLOURS = colormaps["cividis"]
_UNUSED = -0.14
"""Where lines pass an axis whose parameter their trial does not have; the axis itself is from 0 to 1."""


def search_coordinates(search: Mapping[str, Any], path: os.PathLike[str] | str) -> None:
    """Draw every trial as a line through the values of its parameters, coloured by its accuracy.

    Trials that were ended early are grey, the best is drawn thick.

    Args:
        search: what `striate.studies.Search.to_dict` gave, perhaps by way of its JSON file.
        path: the PNG file to be made or replaced.

    Raises:
        OSError: where the file cannot be written.
    """
    parameters = search["parameters"]
    figure = new_figure(max(8.0, 0.95 * (len(parameters) + 2)), 5.2)
    axes = figure.subplots()
    complete = [trial for trial in search["trials"] if trial["state"] == "complete"]
    others = [trial for trial in search["trials"] if trial["state"] != "complete"]
    accuracies = [trial["accuracy"] for trial in complete]
    norm = _scale(accuracies)
    best = max(complete, key=lambda trial: trial["accuracy"], default=None)
    for trial in others:
        _line(axes, parameters, trial, None, colour="#BBBBBB", width=0.7)
    for trial in sorted(complete, key=lambda trial: trial["accuracy"]):
        if trial is not best:
            place = float(norm(100 * trial["accuracy"]))
            _line(axes, parameters, trial, place, colour=_COLOURS(place), width=1.4)
    if best is not None:
        _line(axes, parameters, best, float(norm(100 * best["accuracy"])), colour=VERMILION, width=3.0)
    for number, parameter in enumerate(parameters):
        _draw_axis(axes, number, parameter)
    accuracy = {"kind": "Whole", "low": norm.vmin, "high": norm.vmax}
    _draw_axis(axes, len(parameters), accuracy)
    axes.set_xlim(-0.6, len(parameters) + 0.6)
    axes.set_ylim(_UNUSED - 0.06, 1.08)
    names = [written(str(each["name"])).replace("_", "\n") for each in parameters]
    axes.set_xticks(range(len(names) + 1), [*names, "accuracy\n(%)"], fontsize=9)
    axes.tick_params(length=0, labelcolor=INK)
    axes.set_yticks([_UNUSED], ["not used"], fontsize=8, color=FAINT)
    axes.spines[:].set_visible(False)
    if complete:
        scale = figure.colorbar(ScalarMappable(norm, _COLOURS), ax=axes, fraction=0.03, pad=0.01)
        scale.set_label("validation accuracy of a trial (%)", fontsize=9, color=INK)
        scale.ax.tick_params(labelsize=8, labelcolor=INK)
    figure.suptitle(_title(search, best, len(others)), fontsize=11, color=INK)
    save(figure, path)


def search_importance(search: Mapping[str, Any], path: os.PathLike[str] | str) -> None:
    """Draw the share of the variance of the trials' ranks that each parameter explains by itself, as bars.

    Args:
        search: what `striate.studies.Search.to_dict` gave, perhaps by way of its JSON file.
        path: the PNG file to be made or replaced.

    Raises:
        OSError: where the file cannot be written.
    """
    found = search["importances"]
    figure = new_figure(7.5, max(2.0, 0.9 + 0.34 * len(found)))
    axes = figure.subplots()
    plain_axes(axes)
    axes.grid(visible=False)
    places = range(len(found))
    axes.barh(places, [each["share"] for each in found], color=BLUE, height=0.62)
    for place, each in zip(places, found, strict=True):
        label = f" {each['share']:.2f}  ({each['trials']} trials)"
        axes.text(each["share"], place, label, va="center", fontsize=8.5, color=INK)
    axes.set_yticks(places, [written(str(each["name"])) for each in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlim(0, 1.3 * max([0.1, *(each["share"] for each in found)]))
    axes.set_xlabel("share of the variance of the trials' ranks (epsilon squared)", fontsize=9, color=INK)
    if not found:
        axes.text(
            0.5, 0.5, "too few complete trials to tell", ha="center", color=FAINT, transform=axes.transAxes
        )
        axes.set_axis_off()
    axes.set_title(
        f"What mattered in the search on {written(search['source'])}, each parameter by itself",
        fontsize=10.5,
        color=INK,
    )
    save(figure, path)


def _title(search: Mapping[str, Any], best: Mapping[str, Any] | None, others: int) -> str:
    seconds = 60 * search["trial_minutes"]
    said = (
        f"{len(search['trials'])} trials on {written(search['source'])}, {seconds:.0f} s and "
        f"{search['trial_images']:,} images each; grey: {others} ended early or diverged"
    )
    return said if best is None else f"{said}; thick: the best, {100 * best['accuracy']:.1f} %"


def _scale(accuracies: Sequence[float]) -> Normalize:
    """Spread the colours over the better half: what failed would leave no difference between the others."""
    if not accuracies:
        return Normalize(0, 100)
    ordered = sorted(accuracies)
    high, middle = ordered[-1], ordered[len(ordered) // 2]
    low = max(ordered[0], high - 3 * max(high - middle, 0.005))
    return Normalize(100 * min(low, high - 0.001), 100 * high, clip=True)


def _line(
    axes: Axes,
    parameters: Sequence[Mapping[str, Any]],
    trial: Mapping[str, Any],
    end: float | None,
    *,
    colour: Any,
    width: float,
) -> None:
    heights = [
        _height(parameter, trial["values"][parameter["name"]])
        if parameter["name"] in trial["values"]
        else _UNUSED
        for parameter in parameters
    ]
    # Lines that pass the same option are drawn apart, by as little as the trial's number says.
    apart = 0.012 * ((trial["number"] * 7) % 11 - 5) / 5
    heights = [height + apart for height in heights] + ([] if end is None else [end])
    order = 2 if end is None else 4 if width > 2 else 3
    axes.plot(range(len(heights)), heights, color=colour, linewidth=width, alpha=0.9, zorder=order)


def _height(parameter: Mapping[str, Any], value: Any) -> float:
    if parameter["kind"] == "Choice":
        options = list(parameter["options"])
        return options.index(value) / max(1, len(options) - 1)
    low, high = parameter["low"], parameter["high"]
    if high == low:
        return 0.5
    if parameter["kind"] == "Real" and parameter["step"] is None:
        return math.log(value / low) / math.log(high / low)
    return float((value - low) / (high - low))


def _draw_axis(axes: Axes, number: int, parameter: Mapping[str, Any]) -> None:
    axes.plot([number, number], [0, 1], color=RULE, linewidth=1.2, zorder=1)
    if parameter["kind"] == "Choice":
        marks = [(_height(parameter, option), str(option)) for option in parameter["options"]]
    else:
        low, high = parameter["low"], parameter["high"]
        marks = [(_height(parameter, each), f"{each:.4g}") for each in dict.fromkeys((low, high))]
    for height, text in marks:
        axes.text(
            number + 0.04,
            height,
            written(text, 12),
            fontsize=8,
            color=INK,
            va="bottom",
            zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
        )
