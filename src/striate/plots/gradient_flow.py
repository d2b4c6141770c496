"""Gradients through a network, layer by layer: their norms above, dead and saturated units below."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes

from striate.plots.lettering import written
from striate.plots.paper import BLUE, FAINT, INK, RULE, VERMILION, new_figure, plain_axes, save

ALLOWED = 1000.0
"""The factor by which the gradient at a layer may differ from the last one's: the band that is shaded."""

_NAMES_SHOWN = 60


class Layer(Protocol):
    """What is drawn of one layer; `striate.explain.LayerFlow` has it, and says what each figure is."""

    @property
    def name(self) -> str:
        """The layer's name."""

    @property
    def weights(self) -> int:
        """How many weights it has."""

    @property
    def weight_gradient(self) -> float | None:
        """Norm of the gradient of its weights."""

    @property
    def output_gradient(self) -> float | None:
        """Norm of the gradient at its output."""

    @property
    def units(self) -> int | None:
        """Channels of an activation."""

    @property
    def dead(self) -> int | None:
        """How many of them are dead."""

    @property
    def saturated(self) -> float | None:
        """Share of elements that are saturated."""


class Flow(Protocol):
    """What is drawn; `striate.explain.GradientFlow` has it."""

    @property
    def layers(self) -> Sequence[Layer]:
        """All layers in order, at least one."""

    @property
    def finding(self) -> str:
        """What was found, in one sentence."""

    @property
    def advice(self) -> str:
        """What to do about it, in one sentence."""


def gradient_flow(flow: Flow, path: os.PathLike[str] | str) -> None:
    """Draw the gradients of a network by layer, from the first to the last.

    Above, on a logarithmic scale, the norms of the gradient at each layer's output and of its weights; the
    band holds what is within a factor of 1000 of the last layer's. A gradient of exactly 0 is a triangle at
    the bottom, and one that is inf or NaN at the top. Below, the share of each activation's units that are
    dead, and of its elements that are saturated.

    Args:
        flow: what `striate.explain.gradient_flow` gave.
        path: the PNG file to be made or replaced.

    Raises:
        OSError: where the file cannot be written.

    >>> import tempfile, torch
    >>> from striate.explain import gradient_flow as measure
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> flow = measure(network, torch.rand(8, 4), torch.zeros(8, dtype=torch.long))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gradient_flow(flow, f"{folder}/flow.png")
    """
    layers = flow.layers
    activations = any(layer.units is not None for layer in layers)
    width = min(16.0, max(7.5, 2.5 + 0.24 * len(layers)))
    figure = new_figure(width, 7.4 if activations else 5.4)
    grid = figure.add_gridspec(2 if activations else 1, 1, height_ratios=(5, 2) if activations else (1,))
    norms = figure.add_subplot(grid[0])
    _draw_norms(norms, layers)
    lowest = norms
    if activations:
        norms.tick_params(labelbottom=False)
        lowest = figure.add_subplot(grid[1], sharex=norms)
        _draw_shares(lowest, layers)
    _name_layers(lowest, layers)
    # The layout keeps room for the title; the sentences may be longer than the picture is wide.
    lines = [*_wrapped(flow.finding, width), *_wrapped(f"what to do: {flow.advice}", width)]
    figure.suptitle("\n".join(lines), fontsize=10.5, color=INK)
    save(figure, path)


def _draw_norms(axes: Axes, layers: Sequence[Layer]) -> None:
    plain_axes(axes)
    axes.set_yscale("log")
    outputs = np.array([_number(layer.output_gradient) for layer in layers])
    weights = np.array([_number(layer.weight_gradient) for layer in layers])
    drawn = np.concatenate([outputs, weights])
    drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
    low, high = (drawn.min(), drawn.max()) if drawn.size else (1.0, 1.0)
    low, high = low / 10, high * 10
    axes.set_ylim(low, high)
    places = np.arange(1, len(layers) + 1)
    last = next((o for layer, o in zip(layers[::-1], outputs[::-1], strict=True) if layer.weights), math.nan)
    if math.isfinite(last) and last > 0:
        axes.axhspan(max(low, last / ALLOWED), min(high, last * ALLOWED), color=RULE, alpha=0.35, linewidth=0)
    for values, colour, marker, line, label in (
        (outputs, BLUE, "o", "-", "at the output"),
        (weights, VERMILION, "s", "none", "of the weights"),
    ):
        positive = np.where(np.isfinite(values) & (values > 0), values, np.nan)
        axes.plot(places, positive, marker, linestyle=line, color=colour, markersize=4, label=label)
        _mark(axes, places[values == 0], low * 1.5, "v", colour)
        _mark(axes, places[np.isinf(values)], high / 1.5, "^", colour)
    axes.set_ylabel("norm of the gradient", fontsize=10, color=INK)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, ncols=2)


def _mark(axes: Axes, places: np.ndarray, height: float, marker: str, colour: str) -> None:
    axes.plot(places, np.full(len(places), height), marker, color=colour, markersize=7, linestyle="none")


def _draw_shares(axes: Axes, layers: Sequence[Layer]) -> None:
    plain_axes(axes)
    dead = [100 * (layer.dead or 0) / layer.units if layer.units else math.nan for layer in layers]
    saturated = [math.nan if layer.saturated is None else 100 * layer.saturated for layer in layers]
    places = np.arange(1, len(layers) + 1)
    axes.bar(places - 0.2, dead, 0.4, color=INK, label="dead units")
    axes.bar(places + 0.2, saturated, 0.4, color=VERMILION, label="saturated elements")
    axes.set_ylim(0, 100)
    axes.set_ylabel("%", fontsize=10, color=INK)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, ncols=2)
    if not any(share > 0 for share in (*dead, *saturated)):
        said = "no unit is dead, no element saturated"
        axes.text(0.5, 0.5, said, transform=axes.transAxes, ha="center", fontsize=9, color=FAINT)


def _name_layers(axes: Axes, layers: Sequence[Layer]) -> None:
    step = math.ceil(len(layers) / _NAMES_SHOWN)
    shown = range(0, len(layers), step)
    axes.set_xticks([place + 1 for place in shown], [written(layers[place].name) for place in shown])
    axes.tick_params(axis="x", labelrotation=90, labelsize=7)
    axes.set_xlim(0.3, len(layers) + 0.7)
    axes.set_xlabel("layers, from the first to the last", fontsize=10, color=FAINT)


def _wrapped(text: str, width: float) -> list[str]:
    """Break a sentence into lines that fit so many inches at 10.5 points."""
    letters = int(12.5 * width)
    return [written(line, letters) for line in textwrap.wrap(text, letters)]


def _number(value: float | None) -> float:
    """Tell what is missing (NaN) from what is no finite number (inf)."""
    if value is None:
        return math.nan
    return value if math.isfinite(value) else math.inf
