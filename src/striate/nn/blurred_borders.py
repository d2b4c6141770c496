"""What a blur makes of the borders: outputs whose windows reach beyond them, computed one line at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from striate.geometry import Window, output_size
from striate.nn.planes import computed_in

KEPT = 64
"""For how many sizes of features matrices are kept: those of large images take some hundred KB each."""


@dataclass(frozen=True)
class Blur:
    """The same blur of every channel, along each axis by itself.

    Args:
        taps: the weights along each axis.
        windows: how they lie along each axis.
        mode: how features go on beyond their borders, one of `PADDING_MODES`.
    """

    taps: tuple[tuple[float, ...], ...]
    windows: tuple[Window, ...]
    mode: str

    def along(self, name: str) -> tuple[int, ...]:
        """Give a figure of the windows along each axis.

        Args:
            name: such as ``stride`` or ``before``.

        Returns:
            One number an axis.
        """
        return tuple(getattr(window, name) for window in self.windows)

    def weights(self, channels: int) -> Tensor:
        """Give the weights as a convolution of each channel takes them.

        Args:
            channels: how many.

        Returns:
            float32, channels x 1 x taps along each axis.
        """
        product = torch.ones(())
        for taps in self.taps:
            product = product[..., None] * torch.tensor(taps)
        return product.expand(channels, 1, *product.shape).contiguous()


class Edge(NamedTuple):
    """An output whose window reaches beyond a border.

    Args:
        output: its number.
        terms: elements of the features and the weights with which they go into it.
        beyond: those of them that stand in for what lies beyond the border, with that part of the weights.
    """

    output: int
    terms: tuple[tuple[int, float], ...]
    beyond: tuple[tuple[int, float], ...]


@lru_cache(maxsize=1024)
def edges(size: int, window: Window, taps: tuple[float, ...], mode: str) -> tuple[Edge, ...]:
    """Find the outputs along an axis whose windows reach beyond a border.

    Args:
        size: of the features along the axis.
        window: how the windows lie.
        taps: the weights in a window.
        mode: how features go on beyond their borders; with zeros nothing is missing in any output.

    Returns:
        All that there are.

    >>> edges(6, Window(kernel=3, stride=2, before=1, after=1), (0.25, 0.5, 0.25), "reflect")
    (Edge(output=0, terms=((1, 0.5), (0, 0.5)), beyond=((1, 0.25),)),)
    """
    if mode == "zeros":
        return ()
    found = []
    for output in range(output_size(size, window)):
        terms: dict[int, float] = {}
        beyond: dict[int, float] = {}
        for place, tap in enumerate(taps, start=output * window.stride - window.before):
            source = _source(place, size, mode)
            terms[source] = terms.get(source, 0.0) + tap
            if source != place:
                beyond[source] = beyond.get(source, 0.0) + tap
        if beyond:
            found.append(Edge(output, tuple(terms.items()), tuple(beyond.items())))
    return tuple(found)


@lru_cache(maxsize=KEPT)
def band(size: int, window: Window, taps: tuple[float, ...], mode: str, dtype: torch.dtype) -> Tensor:
    """Give the matrix that blurs along one axis.

    Args:
        size: of the features along the axis.
        window: how the windows lie.
        taps: the weights in a window.
        mode: how features go on beyond their borders.
        dtype: of the matrix.

    Returns:
        Outputs x size.

    >>> band(4, Window(kernel=3, stride=2, before=1, after=1), (0.25, 0.5, 0.25), "zeros", torch.float32)
    tensor([[0.5000, 0.2500, 0.0000, 0.0000],
            [0.0000, 0.2500, 0.5000, 0.2500]])
    """
    rows = [[0.0] * size for _ in range(output_size(size, window))]
    for output, row in enumerate(rows):
        for place, tap in enumerate(taps, start=output * window.stride - window.before):
            if mode != "zeros" or 0 <= place < size:
                row[_source(place, size, mode)] += tap
    return torch.tensor(rows, dtype=dtype)


class Line(NamedTuple):
    """Outputs at a border: a line of them in images, a plane in volumes.

    Args:
        dimension: of the features, along which it is taken out.
        edge: which output it is along there.
        bands: for each other axis its dimension in the line and the matrix that blurs along it.
    """

    dimension: int
    edge: Edge
    bands: tuple[tuple[int, Tensor], ...]


@lru_cache(maxsize=KEPT)
def lines(rule: Blur, sizes: Sequence[int], dtype: torch.dtype) -> tuple[Line, ...]:
    """Plan how the outputs at the borders are computed.

    Args:
        rule: what is done along each axis.
        sizes: of the features along each axis.
        dtype: in which it is computed.

    Returns:
        All lines that there are.
    """
    found = []
    for axis, size in enumerate(sizes):
        # What stands beyond the borders of a later axis is seen here, so that corners are not seen twice.
        bands = tuple(
            (
                other + (2 if other < axis else 1),
                band(
                    sizes[other],
                    rule.windows[other],
                    rule.taps[other],
                    rule.mode if other > axis else "zeros",
                    dtype,
                ),
            )
            for other in range(len(sizes))
            if other != axis
        )
        for edge in edges(size, rule.windows[axis], rule.taps[axis], rule.mode):
            found.append(Line(axis + 2, edge, bands))
    return tuple(found)


def mend(blurred: Tensor, features: Tensor, rule: Blur) -> None:
    """Add to the outputs of a blur what windows that saw zeros beyond a border should have seen there.

    Args:
        blurred: what came out with zeros around the features; changed in place.
        features: what went in.
        rule: what was done along each axis.
    """
    # The blur is the product of those along each axis, R1 R2 = Z1 Z2 + B1 R2 + Z1 B2, where Z sees zeros
    # beyond the borders and B only what stands there. The first term is there; these are the others.
    precise = computed_in(features.dtype)
    for dimension, edge, bands in lines(rule, tuple(features.shape[2:]), precise):
        (first, scale), *others = edge.beyond
        line = features.select(dimension, first).to(precise)
        if others:
            line, scale = line * scale, 1.0
        for source, weight in others:
            line.add_(features.select(dimension, source), alpha=weight)
        for along, matrix in bands:
            line = _times(line, matrix.T, along)
        blurred.select(dimension, edge.output).add_(line, alpha=scale)


def mend_back(back: Tensor, gradient: Tensor, rule: Blur) -> None:
    """Add to the gradient of the features what reaches them by way of what lies beyond the borders.

    Args:
        back: the gradient with zeros around the features; changed in place.
        gradient: of the outputs.
        rule: what was done along each axis.
    """
    precise = computed_in(back.dtype)
    for dimension, edge, bands in lines(rule, tuple(back.shape[2:]), precise):
        line = gradient.select(dimension, edge.output).to(precise)
        for along, matrix in bands:
            line = _times(line, matrix, along)
        for source, weight in edge.beyond:
            back.select(dimension, source).add_(line, alpha=weight)


def _times(line: Tensor, matrix: Tensor, dimension: int) -> Tensor:
    return (line.movedim(dimension, -1) @ matrix).movedim(-1, dimension)


def _source(place: int, size: int, mode: str) -> int:
    """Find the element that stands at a place, which may lie beyond the borders."""
    if mode == "circular":
        return place % size
    if mode == "reflect":
        return size - 1 - abs(size - 1 - abs(place))
    return min(max(place, 0), size - 1)
