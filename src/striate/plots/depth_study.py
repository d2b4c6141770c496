"""Pictures of the depth study: gradients at the start by layer, and training curves of deep networks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from striate.plots.paper import BLUE, INK, RULE, VERMILION, new_figure, plain_axes, save

# The remaining ones of Okabe and Ito's colours that are dark enough for lines.
_SKY, _ORANGE = "#56B4E9", "#E69F00"
_COLOURS = {
    ("sigmoid", False): VERMILION,
    ("sigmoid", True): _ORANGE,
    ("ReLU", False): _SKY,
    ("ReLU", True): BLUE,
}
_LOWEST, _HIGHEST = 1e-12, 1e8
"""Gradients beyond these, relative to the last layer's, are told by a note instead of drawn."""

_ALLOWED = 1000.0
"""The factor within which `striate.explain.gradient_flow` calls gradients healthy."""


def depth_gradients(study: Mapping[str, Any], path: os.PathLike[str] | str) -> None:
    """Draw the norm of the gradient at each layer before the first step, over that at the last layer.

    A panel for each depth, plain networks left and residual ones right; lines are medians over seeds, their
    shades reach from the least to the greatest. The band is what counts as healthy.

    Args:
        study: what `striate.studies.DepthStudy.to_dict` gave, perhaps by way of its JSON file.
        path: the PNG file to be made or replaced.

    Raises:
        OSError: where the file cannot be written.
    """
    starts = study["starts"]
    depths = sorted({start["variant"]["depth"] for start in starts})
    figure = new_figure(10.5, 3.4 * max(1, len(depths)))
    panels = figure.subplots(max(1, len(depths)), 2, sharey=True, squeeze=False)
    for row, depth in zip(panels, depths, strict=False):
        for axes, residual in zip(row, (False, True), strict=True):
            shown = [
                start
                for start in starts
                if (start["variant"]["depth"], start["variant"]["residual"]) == (depth, residual)
            ]
            _draw_gradients(axes, shown)
            axes.set_title(f"{'residual' if residual else 'plain'}, {depth} layers", fontsize=10.5, color=INK)
        row[0].set_ylabel("gradient, last layer = 1", fontsize=10, color=INK)
    for axes in panels[-1]:
        axes.set_xlabel("layer with weights, from the image to the logits", fontsize=10, color=INK)
    lines = {str(line.get_label()): line for axes in panels.flat for line in axes.lines}
    if lines:
        figure.legend(
            lines.values(), lines.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=9
        )
    figure.suptitle(
        f"Gradients before the first step, by layer ({study['source']}, {study['images_at_start']} images, "
        f"{_seeds(study)})",
        fontsize=11.5,
        color=INK,
    )
    save(figure, path)


def depth_curves(study: Mapping[str, Any], path: os.PathLike[str] | str) -> None:
    """Draw training errors by epoch: 20 against 56 layers, and sigmoid against ReLU with and without norms.

    Lines are means over seeds, their shades reach from the least to the greatest; a training that diverged
    is left out from where it ended.

    Args:
        study: what `striate.studies.DepthStudy.to_dict` gave, perhaps by way of its JSON file.
        path: the PNG file to be made or replaced.

    Raises:
        OSError: where the file cannot be written.
    """
    courses = study["courses"]
    figure = new_figure(14.0, 4.6)
    plain, residual, shallow = figure.subplots(1, 3, sharey=True)
    for axes, skips in ((plain, False), (residual, True)):
        for course in courses:
            variant = course["variant"]
            if variant["residual"] == skips and variant["norm"] and variant["activation"] == "ReLU":
                deep = variant["depth"] > 20
                _draw_errors(axes, course, VERMILION if deep else BLUE, "-", f"{variant['depth']} layers")
        axes.set_title(f"{'residual' if skips else 'plain'}, ReLU, batch norm", fontsize=10.5, color=INK)
    for course in courses:
        variant = course["variant"]
        if variant["depth"] == 20:
            colour = _COLOURS[variant["activation"], variant["norm"]]
            label = variant["label"].replace("-20", "")
            _draw_errors(shallow, course, colour, "--" if variant["residual"] else "-", label)
    shallow.set_title("20 layers", fontsize=10.5, color=INK)
    for axes in (plain, residual, shallow):
        plain_axes(axes)
        axes.set_ylim(0, 100)
        axes.set_xlabel("epoch", fontsize=10, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if axes is shallow:
            place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "fontsize": 8}
        else:
            place = {"loc": "upper right", "fontsize": 8}
        if axes.lines:
            axes.legend(frameon=False, labelcolor=INK, **place)
    plain.set_ylabel("training error while learning (%)", fontsize=10, color=INK)
    figure.suptitle(
        f"Training curves ({study['source']} at {study['size'][0]} x {study['size'][1]} pixels, "
        f"{study['images']:,} images, {_seeds(study)}; test errors on {study['test_images']:,} images)",
        fontsize=11.5,
        color=INK,
    )
    save(figure, path)


def _draw_gradients(axes: Axes, starts: Sequence[Mapping[str, Any]]) -> None:
    plain_axes(axes)
    axes.set_yscale("log")
    axes.axhspan(1 / _ALLOWED, _ALLOWED, color=RULE, alpha=0.35, linewidth=0)
    beyond, reached = [], [1 / _ALLOWED, _ALLOWED]
    for start in starts:
        variant = start["variant"]
        gradients = np.array(start["gradients"])
        last = gradients[:, -1:]
        relative = np.divide(gradients, last, out=np.full_like(gradients, np.nan), where=last > 0)
        name = f"{variant['activation']}{', batch norm' if variant['norm'] else ''}"
        colour = _COLOURS[variant["activation"], variant["norm"]]
        layers = np.arange(1, gradients.shape[1] + 1)
        # What is 0 lies below every scale; the line to it leaves through the bottom.
        drawn = np.maximum(relative, _LOWEST / 1000)
        axes.plot(layers, np.median(drawn, axis=0), color=colour, linewidth=1.6, label=name)
        axes.fill_between(layers, drawn.min(axis=0), drawn.max(axis=0), color=colour, alpha=0.2, lw=0)
        reached += drawn[np.isfinite(drawn)].tolist()
        first = float(np.median(relative[:, 0]))
        if not _LOWEST <= first <= _HIGHEST:
            beyond.append(f"{name}: {first:.0e} at the first layer")
    axes.set_ylim(max(min(reached) / 5, _LOWEST), min(max(reached) * 5, _HIGHEST))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.text(0.02, 0.03, "\n".join(beyond), transform=axes.transAxes, fontsize=8, color=INK)


def _draw_errors(axes: Axes, course: Mapping[str, Any], colour: str, line: str, name: str) -> None:
    longest = max((len(curve["errors"]) for curve in course["curves"]), default=0)
    errors = np.full((len(course["curves"]), longest), np.nan)
    for row, curve in zip(errors, course["curves"], strict=True):
        row[: len(curve["errors"])] = [100 * error for error in curve["errors"]]
    # Up to the epoch that some training did not end, so that a mean is of the same trainings throughout.
    whole = int((~np.isnan(errors)).all(axis=0).sum())
    epochs = np.arange(1, whole + 1)
    test = course["test_error"]
    diverged = sum(curve["diverged"] for curve in course["curves"])
    label = name if test is None else f"{name} (test {100 * test['mean']:.1f} %)"
    label += f" ({diverged} diverged)" if diverged else ""
    marker = "o" if whole <= 20 else ""
    errors = errors[:, :whole]
    axes.plot(epochs, errors.mean(axis=0), line, color=colour, marker=marker, markersize=3.5, label=label)
    axes.fill_between(epochs, errors.min(axis=0), errors.max(axis=0), color=colour, alpha=0.2, lw=0)


def _seeds(study: Mapping[str, Any]) -> str:
    return f"{study['seeds']} seed{'' if study['seeds'] == 1 else 's'}"
