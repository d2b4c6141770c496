"""What the layers of a network detect: a bar for each concept, layer by layer, beside what chance gives."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Sequence
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.paper import BLUE, FAINT, INK, new_figure, plain_axes, save

_MOST_CONCEPTS = 12
_PANELS_ACROSS = 3
_PANEL = 4.2  # inches of width
_BAR = 0.24  # inches of height
_CHANCE = "#BBBBBB"


class Layer(Protocol):
    """What is drawn of one layer; `striate.explain.LayerDissection` has it, and says what each figure is."""

    @property
    def name(self) -> str:
        """The layer's name."""

    @property
    def units(self) -> Sequence[object]:
        """Its units."""

    @property
    def detectors(self) -> int:
        """How many of them detect a concept."""

    @property
    def by_chance(self) -> int:
        """How many would with the masks of other images."""

    @property
    def counts(self) -> Sequence[tuple[str, int]]:
        """The concepts detected, each with how many units do."""

    @property
    def by_chance_counts(self) -> Sequence[tuple[str, int]]:
        """The same with the masks of other images."""


class Findings(Protocol):
    """What is drawn; `striate.explain.Dissection` has it."""

    @property
    def layers(self) -> Sequence[Layer]:
        """The layers."""

    @property
    def images(self) -> int:
        """How many images it was measured on."""

    @property
    def quantile(self) -> float:
        """The share of values on which a unit is active."""

    @property
    def least(self) -> float:
        """The IoU over which a unit is a detector."""


def concept_bars(findings: Findings, path: os.PathLike[str] | str, *, title: str = "") -> None:
    """Draw how many units of each layer detect each concept, and how many would with masks of other images.

    All panels have one scale. Beyond 12 concepts the 12 most frequent of a layer are drawn, and it says so.

    Args:
        findings: what `striate.explain.dissect` gave.
        path: the PNG file to be made or replaced.
        title: what is written above; by default what was measured.

    Raises:
        ShapeError: where there is no layer.
        OSError: where the file cannot be written.

    >>> import tempfile, torch
    >>> from striate.explain import concept_kit, concepts_in, dissect
    >>> images = torch.rand(8, 1, 12, 12)
    >>> found = dissect(torch.nn.Conv2d(1, 2, 3), images, concepts_in(images, concept_kit(images)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     concept_bars(found, f"{folder}/concepts.png")
    """
    layers = findings.layers
    if not layers:
        raise ShapeError("there is no layer to draw; a dissection of at least one is drawn")
    across = min(_PANELS_ACROSS, len(layers))
    down = math.ceil(len(layers) / across)
    bars = max(2, *(len(_shown(layer)) for layer in layers))
    figure = new_figure(across * _PANEL, 0.9 + down * (0.9 + bars * _BAR))
    most = max(1, *(count for layer in layers for _, count in (*layer.counts, *layer.by_chance_counts)), 1)
    grid = figure.subplots(down, across, squeeze=False)
    for axes, layer in zip(grid.flat, layers, strict=False):
        _draw(axes, layer, most, bars)
    for axes in grid.flat[len(layers) :]:
        axes.set_axis_off()
    said = title or (
        f"units that detect a concept (IoU over {findings.least:g} where a unit is active on its highest "
        f"{100 * findings.quantile:g} % of values; {findings.images:,} images)"
    )
    key = "blue: detectors; grey: with the masks of other images, what chance gives"
    wrapped = textwrap.wrap(written(said, 300), int(across * _PANEL * 11))
    figure.suptitle("\n".join([*wrapped, key]), fontsize=10, color=INK)
    save(figure, path)


def _shown(layer: Layer) -> list[tuple[str, int, int]]:
    """Give the concepts of a layer with both counts, the most frequent first."""
    found, chance = dict(layer.counts), dict(layer.by_chance_counts)
    names = sorted({*found, *chance}, key=lambda name: (-found.get(name, 0), -chance.get(name, 0), name))
    return [(name, found.get(name, 0), chance.get(name, 0)) for name in names[:_MOST_CONCEPTS]]


def _draw(axes: Axes, layer: Layer, most: int, bars: int) -> None:
    shown = _shown(layer)
    plain_axes(axes)
    axes.grid(visible=False)
    places = range(len(shown))
    axes.barh([place - 0.17 for place in places], [found for _, found, _ in shown], 0.5, color=BLUE)
    axes.barh([place + 0.24 for place in places], [by for _, _, by in shown], 0.26, color=_CHANCE)
    for place, (_, found, by) in enumerate(shown):
        axes.text(found + 0.015 * most, place - 0.17, str(found), fontsize=7.5, color=INK, va="center")
        if by:
            axes.text(by + 0.015 * most, place + 0.26, str(by), fontsize=6, color=FAINT, va="center")
    axes.set_yticks(list(places), [written(name, 40) for name, _, _ in shown])
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.tick_params(axis="x", labelsize=7.5)
    axes.set_ylim(bars - 0.5, -0.6)
    axes.set_xlim(0, most * 1.12)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not shown:
        said = "no unit detects a concept"
        axes.text(0.5, 0.5, said, transform=axes.transAxes, ha="center", fontsize=9, color=FAINT)
    rest = len({name for name, _ in (*layer.counts, *layer.by_chance_counts)}) - len(shown)
    more = f"; {rest} more concept{'s' if rest > 1 else ''}" if rest > 0 else ""
    title = f"{written(layer.name, 26)}: {layer.detectors} of {len(layer.units)} units"
    axes.set_title(f"{title}\n(by chance {layer.by_chance}{more})", fontsize=9, color=INK, loc="left")
    axes.set_xlabel("units", fontsize=8, color=INK)
