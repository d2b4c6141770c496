"""One unit of a network: the part of the image that it sees, and the sum of products that made its value."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from striate.plots.paper import INK, save, whole_axes
from striate.plots.tiles import (
    Array,
    Scale,
    Tile,
    as_picture,
    draw_scale,
    draw_tile,
    finish,
    fitted,
    plane,
    write_lines,
)

MOST_CHANNELS = 4
_MOST_WITH_FIGURES = 5  # elements along a side of a kernel whose numbers are written
_IMAGE, _SIDE, _GAP = 2.8, 1.55, 0.35
_LOWEST = 0.42  # inches that a row of the sum, and a scale, take at least


class Sum(Protocol):
    """What is drawn of a sum; `striate.reference.ExplainedSum` has it."""

    @property
    def inputs(self) -> tuple[int, ...]:
        """Channels of the layer's input."""

    @property
    def patch(self) -> NDArray[np.float64]:
        """Channels x kernel: the values."""

    @property
    def border(self) -> NDArray[np.bool_]:
        """Where they are zeros around the input."""

    @property
    def kernel(self) -> NDArray[np.float64]:
        """Channels x kernel: the weights."""

    @property
    def products(self) -> NDArray[np.float64]:
        """Values times weights."""

    @property
    def sums(self) -> NDArray[np.float64]:
        """Of the products of each channel."""

    @property
    def bias(self) -> float:
        """What is added."""

    @property
    def total(self) -> float:
        """All together."""


class OneUnit(Protocol):
    """What is drawn of a unit; `striate.explain.Unit` has it."""

    @property
    def layer(self) -> str:
        """The layer's name."""

    @property
    def channel(self) -> int:
        """Of the layer."""

    @property
    def position(self) -> tuple[int, ...]:
        """In the layer's map."""

    @property
    def value(self) -> float:
        """What the network computes there."""

    @property
    def window(self) -> tuple[slice, ...]:
        """The part of the image that it sees."""

    @property
    def sum(self) -> Sum | None:
        """The sum that the value is."""

    @property
    def note(self) -> str:
        """What is to be known of the sum."""


def unit_picture(unit: OneUnit, image: ArrayLike, path: os.PathLike[str] | str) -> None:
    """Draw a unit: its receptive field on the image, and values times weights of its strongest channels.

    Values, weights and products each have one colour scale for all channels; the four channels with the
    largest sums are drawn, and the sums of all are written.

    Args:
        unit: what `striate.explain.explain_unit` gave.
        image: C x spatial, of one or two axes; of a volume the slices are drawn without the field.
        path: the PNG file to be made or replaced.

    Raises:
        ShapeError: where the image has other axes.
        OSError: where the file cannot be written.
    """
    picture, said = as_picture(image)
    seen = "x".join(str(part.stop - part.start) for part in unit.window)
    where = "in the rectangle" if len(unit.window) < 3 else "of the volume"
    tile = Tile(picture, caption=f"what it sees {where}: {seen}", mark=_mark(unit.window))
    height = max(fitted(picture, _IMAGE)[1] + 0.4, _height(unit.sum))
    columns = 3 if unit.sum is not None else 0
    width = _IMAGE + _GAP + columns * (_SIDE + 2 * _GAP) + (1.6 if columns else 2.0)
    figure, axes = whole_axes(width, height)
    draw_tile(axes, tile, (0.0, 0.0), _IMAGE)
    if unit.sum is not None:
        _draw_sum(axes, unit.sum, _IMAGE + 2 * _GAP)
    place = ", ".join(map(str, unit.position))
    title = f"Layer '{unit.layer}', channel {unit.channel}, position ({place}): {unit.value:.4g}"
    finish(axes, (width, height), title, ". ".join(text for text in (unit.note, said) if text))
    save(figure, path)


def _mark(window: Sequence[slice]) -> tuple[float, float, float, float] | None:
    if len(window) > 2:
        return None
    rows, columns = (slice(0, 1), *window)[-2:]
    left, top = float(columns.start), float(rows.start)
    return left, top, float(columns.stop - columns.start), float(rows.stop - rows.start)


def _height(found: Sum | None) -> float:
    if found is None:
        return 0.0
    shown = min(MOST_CHANNELS, len(found.inputs))
    return 0.3 + shown * _pitch(found) + 0.75


def _pitch(found: Sum) -> float:
    """Inches from one row of the sum to the next."""
    return max(fitted(plane(found.kernel[0]), _SIDE)[1] + 0.2, _LOWEST)


def _draw_sum(axes: Axes, found: Sum, left: float) -> None:
    strongest = np.argsort(-np.abs(found.sums), kind="stable")[:MOST_CHANNELS]
    parts = {"value": found.patch, "weight": found.kernel, "product": found.products}
    high, pitch = fitted(plane(found.kernel[0]), _SIDE)[1], _pitch(found)
    for column, (name, values) in enumerate(parts.items()):
        across = left + column * (_SIDE + 2 * _GAP)
        scale = Scale(min(float(values.min()), 0.0), float(values.max()))
        write_lines(axes, [f"{name}s"], (across, 0.02))
        draw_scale(axes, scale, (across + _SIDE + 0.06, 0.25), max(high, _LOWEST))
        for row, number in enumerate(strongest):
            shown = np.where(found.border, np.nan, values[number]) if name == "value" else values[number]
            corner = across, 0.25 + row * pitch
            draw_tile(axes, Tile(plane(shown), scale), corner, _SIDE)
            _write_figures(axes, plane(shown), scale, corner)
            sign = {"value": "", "weight": "\N{MULTIPLICATION SIGN}", "product": "="}[name]
            axes.text(across - 0.12, corner[1] + high / 2, sign, fontsize=11, color=INK, ha="center")
    sums = left + 3 * (_SIDE + 2 * _GAP)
    for row, number in enumerate(strongest):
        lines = [f"channel {found.inputs[number]}:", f"sum {found.sums[number]:.4g}"]
        write_lines(axes, lines, (sums, 0.25 + row * pitch))
    rest = len(found.sums) - len(strongest)
    others = float(found.sums.sum() - found.sums[strongest].sum())
    terms = [_term(found.sums[number]) for number in strongest]
    terms += [f"{_term(others)} ({rest} other channel{'s' if rest > 1 else ''})"] if rest else []
    lines = [
        " + ".join(terms) + f" + {_term(found.bias)} (bias) = {found.total:.4g}",
        *(["grey: zeros around the input"] if found.border.any() else []),
    ]
    bottom = 0.3 + len(strongest) * pitch
    for row, line in enumerate(lines):
        axes.text(left, bottom + 0.2 * row, line, fontsize=8.5 if row == 0 else 7.5, color=INK, va="top")


def _write_figures(axes: Axes, values: Array, scale: Scale, corner: tuple[float, float]) -> None:
    """Write the numbers into the elements where these are large enough."""
    rows, columns = values.shape
    if max(rows, columns) > _MOST_WITH_FIGURES:
        return
    width, height = fitted(values, _SIDE)
    low, high = scale.limits
    for (row, column), value in np.ndenumerate(values):
        place = corner[0] + (column + 0.5) * width / columns, corner[1] + (row + 0.5) * height / rows
        # On the darker ends of a scale figures are white.
        share = (value - low) / (high - low)
        dark = share < 0.5 if scale.low >= 0 else abs(share - 0.5) > 0.42
        text = "0" if np.isnan(value) else f"{value + 0.0:.2g}"
        colour = "white" if dark and not np.isnan(value) else INK
        axes.text(*place, text, fontsize=5.5, color=colour, ha="center", va="center_baseline")


def _term(value: float) -> str:
    return f"{value:.4g}" if value >= 0 else f"({value:.4g})"
