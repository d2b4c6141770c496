"""A model's invariance: curves over changes of the images, the images that fall first, and the layers."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.paper import BLUE, FAINT, INK, VERMILION, new_figure, plain_axes, save
from striate.plots.tiles import Row, Tile, as_picture, tile_rows

_ACROSS = 4
_PANEL = (2.7, 2.0)  # inches
_BAND = 0.18  # opacity
_MARKERS = ("o", "s", "^", "D")
_COLOURS = (BLUE, VERMILION, INK, FAINT)


class Figure(Protocol):
    """A figure with its interval; `striate.attack.Measured` has it."""

    @property
    def value(self) -> float:
        """The figure."""

    @property
    def low(self) -> float:
        """Lower bound."""

    @property
    def high(self) -> float:
        """Upper bound."""


class Worst(Protocol):
    """An image that falls; `striate.attack.Worst` has it."""

    @property
    def image(self) -> int:
        """Its number."""

    @property
    def strength(self) -> float:
        """At which it falls."""

    @property
    def answer(self) -> int:
        """The wrong class."""

    @property
    def picture(self) -> ArrayLike:
        """The changed image, C x H x W in [0, 1]."""


class Curve(Protocol):
    """What is drawn of a change; `striate.attack.Curve` has it, and says what each figure is."""

    @property
    def name(self) -> str:
        """Of the change."""

    @property
    def unit(self) -> str:
        """Of the strengths."""

    @property
    def strengths(self) -> Sequence[float]:
        """From 0."""

    @property
    def accuracy(self) -> Sequence[Figure]:
        """At each strength."""

    @property
    def consistency(self) -> Sequence[Figure]:
        """At each strength."""

    @property
    def confidence(self) -> Sequence[Figure]:
        """At each strength."""

    @property
    def accuracy_area(self) -> Figure:
        """Under the accuracy."""

    @property
    def worst(self) -> Sequence[Worst]:
        """The images that fall first."""


class Layer(Protocol):
    """What is drawn of a layer; `striate.attack.LayerShift` has it."""

    @property
    def name(self) -> str:
        """The layer's name."""

    @property
    def shifts(self) -> Sequence[int]:
        """Pixels."""

    @property
    def errors(self) -> Sequence[float]:
        """For each shift."""


def invariance_curves(
    curves: Sequence[Curve],
    path: os.PathLike[str] | str,
    *,
    title: str = "how answers change with the images",
) -> None:
    """Draw accuracy, consistency and confidence over the strength of each change, with 95 % intervals.

    Args:
        curves: what `striate.attack.invariance` gave, at least one.
        path: the PNG file to be made or replaced.
        title: what is written above.

    Raises:
        ShapeError: where there is no curve.
        OSError: where the file cannot be written.
    """
    if not curves:
        raise ShapeError("there is no curve to draw; at least one is needed")
    across = min(_ACROSS, len(curves))
    down = math.ceil(len(curves) / across)
    figure = new_figure(max(across, 2) * _PANEL[0], down * _PANEL[1] + 0.7)
    grid = figure.add_gridspec(down, across)
    panels = [figure.add_subplot(grid[divmod(place, across)]) for place in range(len(curves))]
    for axes, curve in zip(panels, curves, strict=True):
        _panel(axes, curve)
    for axes in panels[::across]:
        axes.set_ylabel("%", fontsize=8, color=INK)
    figure.legend(
        panels[0].lines[:3],
        ("accuracy", "same answer as at 0", "confidence"),
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
    )
    figure.suptitle(written(title, 140), fontsize=12, color=INK)
    save(figure, path)


def _panel(axes: Axes, curve: Curve) -> None:
    plain_axes(axes)
    styles = ((curve.accuracy, BLUE, "-", "o"), (curve.consistency, VERMILION, "--", "s"))
    for figures, colour, line, marker in (*styles, (curve.confidence, INK, ":", "")):
        middle = [100 * each.value for each in figures]
        axes.plot(curve.strengths, middle, line, color=colour, marker=marker, markersize=3, linewidth=1.4)
        low, high = ([100 * getattr(each, end) for each in figures] for end in ("low", "high"))
        axes.fill_between(curve.strengths, low, high, color=colour, alpha=_BAND, linewidth=0)
    area = curve.accuracy_area
    mean = f"mean accuracy {100 * area.value:.1f} % ({100 * area.low:.1f} to {100 * area.high:.1f})"
    axes.set_title(f"{written(curve.name, 34)}\n{mean}", fontsize=8, color=INK, loc="left")
    axes.set_xlabel(written(curve.unit, 30), fontsize=8, color=INK, labelpad=1)
    axes.tick_params(labelsize=7)
    axes.set_ylim(0, 102)


def worst_sheet(
    curves: Sequence[Curve],
    path: os.PathLike[str] | str,
    *,
    classes: Sequence[str],
    labels: ArrayLike,
    title: str = "the images that fall first",
) -> None:
    """Draw the images whose answers change first, as they were when they did, a row for each change.

    Args:
        curves: what `striate.attack.invariance` gave.
        path: the PNG file to be made or replaced.
        classes: their names.
        labels: N, the true classes of all images.
        title: what is written above.

    Raises:
        ShapeError: where no image falls.
        OSError: where the file cannot be written.
    """
    true = np.asarray(labels)
    rows = []
    for curve in curves:
        tiles = [
            Tile(
                picture=as_picture(each.picture)[0],
                caption=f"{each.strength:g}: {classes[true[each.image]]} > {classes[each.answer]}",
            )
            for each in curve.worst
        ]
        if tiles:
            rows.append(Row(tiles, label=(curve.name, f"in {curve.unit}")))
    note = "under each image: the smallest strength at which it was answered wrong, its class, and the answer"
    tile_rows(rows, path, title=title, note=note)


def layer_shift_chart(
    layers: Sequence[Layer], path: os.PathLike[str] | str, *, title: str = "how layers follow shifts"
) -> None:
    """Draw the equivariance error of each layer, a mark for each shift, from the first layer down.

    Args:
        layers: what `striate.attack.layer_shifts` gave, at least one.
        path: the PNG file to be made or replaced.
        title: what is written above.

    Raises:
        ShapeError: where there is no layer.
        OSError: where the file cannot be written.
    """
    if not layers:
        raise ShapeError("there is no layer with maps to draw; at least one is needed")
    figure = new_figure(7.5, 1.4 + 0.21 * len(layers))
    axes = figure.add_subplot()
    plain_axes(axes)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.8)
    places = range(len(layers))
    for number, pixels in enumerate(layers[0].shifts):
        axes.plot(
            [layer.errors[number] for layer in layers],
            places,
            color=_COLOURS[number % len(_COLOURS)],
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=4,
            linewidth=1,
            label=f"{pixels} pixel{'' if pixels == 1 else 's'}",
        )
    axes.set_yticks(list(places), [written(layer.name, 40) for layer in layers], fontsize=7)
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("error under a circular shift: 0 follows, 1 has nothing in common", fontsize=9)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9, labelcolor=INK)
    axes.set_title(written(title, 90), fontsize=12, color=INK, loc="left")
    save(figure, path)
