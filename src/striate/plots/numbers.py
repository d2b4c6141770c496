"""Series as lines, volumes and clips as some of their slices, drawn small on a sheet of many."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from striate.plots.paper import BLUE, DOTS_PER_INCH, FAINT

SLICES = 4
"""So many slices of a volume, or frames of a clip, are drawn at most."""

CHANNELS = 6
"""So many channels of a series are drawn at most, each in a band of its own."""

TILE = 1.35
"""Inches of the longer side of an image."""

APART = 0.12
"""Inches between two that are wider than their captions."""

_SERIES = (0.9, 2.3)  # inches: height and width
_VOLUMES = 2.7  # inches: width of all slices together
_GAP = 0.03
_SAID = 0.1  # inches above the lines of a series, where it is said what they are
_POINTS = 600
"""Points of a line at most: more are closer together than dots on paper."""


def tile_size(shape: tuple[int, ...]) -> tuple[float, float]:
    """Say how large an image, series, volume or clip is drawn.

    Args:
        shape: C x spatial.

    Returns:
        Height and width, inches.

    >>> tile_size((3, 100, 50))
    (1.35, 0.675)
    """
    sides = shape[1:]
    if len(sides) == 1:
        return _SERIES
    if len(sides) == 2:
        height, width = (side * TILE / max(sides) for side in sides)
        return height, width
    count = min(SLICES, sides[0])
    width = (_VOLUMES - (count - 1) * _GAP) / count
    return min(_VOLUMES, width * sides[1] / sides[2]), _VOLUMES


def draw_numbers(
    axes: Axes, item: NDArray[Any], corner: tuple[float, float], size: tuple[float, float]
) -> None:
    """Draw a series as lines, or some slices of a volume or clip, somewhere on axes in inches.

    Args:
        axes: that cover their figure.
        item: C x L or C x D x H x W, uint8 or any numbers.
        corner: its left and its top.
        size: its width and height.
    """
    if item.ndim == 2:
        draw_lines(axes, item, corner, size)
    else:
        _draw_slices(axes, item, corner, size)


def draw_lines(
    axes: Axes,
    series: NDArray[Any],
    corner: tuple[float, float],
    size: tuple[float, float],
    *,
    colour: str = BLUE,
) -> None:
    """Draw the channels of a series as lines, each in a band of its own and by its own range.

    Args:
        axes: that cover their figure.
        series: C x L, any numbers; of many channels the first six are drawn, and it says so.
        corner: its left and its top.
        size: its width and height.
        colour: of the lines.
    """
    (left, top), (width, height) = corner, size
    shown = series[:CHANNELS].astype(np.float64)
    band = (height - _SAID) / len(shown)
    for number, values in enumerate(shown):
        points = _thinned(values)
        low, high = float(points.min()), float(points.max())
        shares = (points - low) / (high - low) if high > low else np.full(len(points), 0.5)
        across = left + (np.arange(len(points)) + 0.5) / len(points) * width
        down = top + _SAID + (number + 0.92 - 0.84 * shares) * band
        axes.plot(across, down, color=colour, linewidth=0.7, solid_joinstyle="round")
    said = f"{shown.min():.3g} to {shown.max():.3g}"
    if len(series) > 1:
        first = f"{CHANNELS} of {len(series)}" if len(series) > CHANNELS else str(len(series))
        said = f"{first} channels, each by its range"
    axes.text(left + 0.03, top + 0.02, said, fontsize=4.5, color=FAINT, va="top")


def _thinned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep the lowest and the highest of neighbouring values of a long series, so that no peak is lost."""
    each = -(-len(values) // (_POINTS // 2))
    if each <= 2:
        return values
    padded = np.concatenate([values, np.full(-len(values) % each, values[-1])]).reshape(-1, each)
    return np.stack([padded.min(axis=1), padded.max(axis=1)], axis=1).ravel()


def _draw_slices(
    axes: Axes, volume: NDArray[Any], corner: tuple[float, float], size: tuple[float, float]
) -> None:
    (left, top), (width, height) = corner, size
    chosen = np.unique(np.linspace(0, volume.shape[1] - 1, min(SLICES, volume.shape[1])).round().astype(int))
    each = (width - (len(chosen) - 1) * _GAP) / len(chosen)
    pictures = volume[:, chosen].astype(np.float64)
    low, high = (0.0, 255.0) if volume.dtype == np.uint8 else (float(pictures.min()), float(pictures.max()))
    pictures = ((pictures - low) / ((high - low) or 1.0)).clip(0, 1)
    small = max(volume.shape[2:]) <= each * DOTS_PER_INCH
    for number in range(len(chosen)):
        slices = pictures[:, number]
        start = left + number * (each + _GAP)
        axes.imshow(
            np.moveaxis(slices, 0, 2) if len(slices) == 3 else slices.mean(axis=0),
            cmap="gray",
            vmin=0,
            vmax=1,
            extent=(start, start + each, top + height, top),
            interpolation="nearest" if small else "hanning",
        )
