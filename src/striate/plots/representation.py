"""Where images lie in a representation, how classes part from layer to layer, and which layers are alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from numpy.typing import ArrayLike

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.paper import BLUE, FAINT, INK, RULE, new_figure, plain_axes, save
from striate.plots.tiles import NOTHING

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#222222")
"""Okabe and Ito's colours but for the yellow one, which white paper swallows."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")

MOST_CLASSES = len(COLOURS) * len(MARKERS)
_NAMES_SHOWN = 40
_MOST_WITH_FIGURES = 14


class Points(Protocol):
    """What is drawn of a map of images; `striate.explain.Projection` has it."""

    @property
    def method(self) -> str:
        """How it was made."""

    @property
    def points(self) -> ArrayLike:
        """Two numbers for each image."""

    @property
    def shares(self) -> ArrayLike | None:
        """Of the variance the part along each axis."""


class Probed(Protocol):
    """What is drawn of a probe; `striate.explain.Probe` has it."""

    @property
    def layer(self) -> str:
        """The layer's name."""

    @property
    def accuracy(self) -> float:
        """Share of held-out images that are right."""

    @property
    def interval(self) -> tuple[float, float]:
        """Its interval."""

    @property
    def held_out(self) -> int:
        """Images that it was measured on."""

    @property
    def chance(self) -> float:
        """What no features at all give."""


class Alike(Protocol):
    """What is drawn of a comparison of layers; `striate.explain.Similarity` has it."""

    @property
    def layers(self) -> Sequence[str]:
        """Names in the one network."""

    @property
    def other_layers(self) -> Sequence[str]:
        """Names in the other one."""

    @property
    def values(self) -> ArrayLike:
        """A figure for each pair."""

    @property
    def images(self) -> int:
        """How many were compared."""


def representation_map(
    projection: Points,
    path: os.PathLike[str] | str,
    *,
    labels: ArrayLike | None = None,
    classes: Sequence[str] = (),
    title: str = "",
) -> None:
    """Draw where images lie in the plane, each class in its own colour and marker.

    Args:
        projection: what `striate.explain.project` gave.
        path: the PNG file to be made or replaced.
        labels: (N) classes from 0; ``None``: all points alike.
        classes: their names; up to 49 are told apart, and the points of the others are grey.
        title: what is written above.

    Raises:
        ShapeError: where there is not one point of two numbers for each label.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> from types import SimpleNamespace
    >>> found = SimpleNamespace(method="pca", points=np.eye(2), shares=np.array([0.6, 0.4]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     representation_map(found, f"{folder}/a.png", labels=[0, 1], classes=["cat", "dog"])
    """
    points = np.asarray(projection.points, dtype=np.float64)
    known = np.zeros(len(points), dtype=np.int64) if labels is None else np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or known.shape != (len(points),) or not len(points):
        raise ShapeError(
            f"points {points.shape} and labels {known.shape} do not fit; two numbers and a label for each of "
            "at least one image do"
        )
    figure = new_figure(9.0 if labels is not None else 6.6, 6.0)
    axes = figure.add_subplot()
    size = float(np.clip(30_000 / len(points), 8, 40))
    for number in np.unique(known):
        own = points[known == number]
        told = number < MOST_CLASSES
        colour = COLOURS[number % len(COLOURS)] if told else FAINT
        marker = MARKERS[(number // len(COLOURS) + number) % len(MARKERS)] if told else "."
        name = written(classes[number], 20) if number < len(classes) else f"class {number}"
        axes.scatter(
            own[:, 0], own[:, 1], s=size, c=colour, marker=marker, alpha=0.7, linewidths=0, label=name
        )
    _name_axes(axes, projection)
    if labels is not None:
        names = axes.legend(
            loc="center left",
            bbox_to_anchor=(1.01, 0.5),
            frameon=False,
            fontsize=8.5,
            labelcolor=INK,
            ncols=1 + (len(np.unique(known)) - 1) // 25,
        )
        for handle in names.legend_handles:
            if handle is not None:
                handle.set(alpha=1, sizes=[36])
    axes.set_title(written(title or f"{len(points):,} images", 90), fontsize=11.5, color=INK)
    save(figure, path)


def probe_curve(probes: Sequence[Probed], path: os.PathLike[str] | str, *, title: str = "") -> None:
    """Draw how often a linear rule on each layer's features is right, with intervals, from first to last.

    Args:
        probes: what `striate.explain.probe_layers` gave.
        path: the PNG file to be made or replaced.
        title: what is written above.

    Raises:
        ShapeError: where there is no probe.
        OSError: where the file cannot be written.
    """
    if not probes:
        raise ShapeError("there is no probe to draw; at least one is needed")
    figure = new_figure(min(16.0, max(6.0, 2.5 + 0.3 * len(probes))), 5.0)
    axes = figure.add_subplot()
    plain_axes(axes)
    places = np.arange(len(probes))
    accuracy = np.array([100 * probe.accuracy for probe in probes])
    reach = np.array([[100 * bound for bound in probe.interval] for probe in probes]).T
    spread = np.maximum(np.abs(reach - accuracy), 0)
    axes.errorbar(places, accuracy, yerr=spread, fmt="-o", color=BLUE, markersize=5, capsize=3, linewidth=1.3)
    chance = 100 * probes[0].chance
    axes.axhline(chance, color=FAINT, linewidth=1, linestyle=":")
    axes.annotate(
        f"the most frequent class: {chance:.1f} %",
        (0.01, chance),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=8.5,
        color=FAINT,
    )
    _tick_names(axes.xaxis, [probe.layer for probe in probes])
    axes.tick_params(axis="x", labelrotation=90, labelsize=7.5)
    axes.set_xlabel("layers, from the first to the last", fontsize=10, color=FAINT)
    axes.set_ylabel("held-out images right (%)", fontsize=10, color=INK)
    axes.set_ylim(0, 102)
    said = title or "How well a linear rule on each layer's features tells the classes apart"
    below = f"95 % intervals of {probes[0].held_out:,} held-out images"
    axes.set_title(f"{written(said, 90)}\n{below}", fontsize=10.5, color=INK)
    save(figure, path)


def similarity_map(
    found: Alike, path: os.PathLike[str] | str, *, names: tuple[str, str] = ("network", "other network")
) -> None:
    """Draw how alike the layers of two networks are, from 0 to 1.

    Args:
        found: what `striate.explain.layer_similarity` gave.
        path: the PNG file to be made or replaced.
        names: of the one network, down, and of the other one, across.

    Raises:
        ShapeError: where there is not a figure for each pair of layers.
        OSError: where the file cannot be written.
    """
    values = np.asarray(found.values, dtype=np.float64)
    if values.shape != (len(found.layers), len(found.other_layers)) or 0 in values.shape:
        raise ShapeError(
            f"figures {values.shape} do not fit {len(found.layers)} and {len(found.other_layers)} layers"
        )
    rows, columns = values.shape
    cell = 0.42 if max(rows, columns) <= _MOST_WITH_FIGURES else 0.16
    figure = new_figure(min(14.0, 2.6 + cell * columns + 1.2), min(14.0, 1.8 + cell * rows + 0.8))
    axes = figure.add_subplot()
    drawn = axes.imshow(values, cmap=colormaps["cividis"].with_extremes(bad=NOTHING), vmin=0, vmax=1)
    if max(rows, columns) <= _MOST_WITH_FIGURES:
        for (row, column), value in np.ndenumerate(values):
            colour = "white" if value < 0.5 else INK
            text = "" if np.isnan(value) else f"{value:.2f}"
            axes.text(column, row, text, fontsize=7, color=colour, ha="center", va="center")
    _tick_names(axes.xaxis, found.other_layers)
    _tick_names(axes.yaxis, found.layers)
    axes.tick_params(labelsize=7, length=2, color=FAINT)
    axes.spines[:].set_color(FAINT)
    axes.tick_params(axis="x", labelrotation=90)
    axes.set_ylabel(written(names[0], 40), fontsize=9.5, color=INK)
    axes.set_xlabel(written(names[1], 40), fontsize=9.5, color=INK)
    scale = figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.03)
    scale.set_label("linear CKA (1: alike, 0: unrelated)", fontsize=8.5, color=INK)
    scale.ax.tick_params(labelsize=8)
    gaps = "; grey: the same for all images" if np.isnan(values).any() else ""
    axes.set_title(f"Layers that are alike, on {found.images:,} images{gaps}", fontsize=10.5, color=INK)
    save(figure, path)


def _name_axes(axes: Axes, projection: Points) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    if projection.shares is None:
        axes.tick_params(labelleft=False, labelbottom=False, length=0)
        said = f"{projection.method}: neighbours lie together; distances and sizes of groups mean nothing"
        axes.set_xlabel(said, fontsize=9, color=FAINT)
        return
    axes.set_aspect("equal", adjustable="datalim")
    axes.tick_params(color=FAINT, labelcolor=INK, labelsize=8)
    names = zip(("first", "second"), np.asarray(projection.shares)[:2], strict=True)
    labels = [f"{which} principal component ({share:.1%} of the variance)" for which, share in names]
    axes.set_xlabel(labels[0].replace("%", " %"), fontsize=9.5, color=INK)
    axes.set_ylabel(labels[1].replace("%", " %"), fontsize=9.5, color=INK)


def _tick_names(axis: Axis, layers: Sequence[str]) -> None:
    step = -(-len(layers) // _NAMES_SHOWN)
    shown = range(0, len(layers), step)
    axis.set_ticks(list(shown), [written(layers[place], 24) for place in shown])
