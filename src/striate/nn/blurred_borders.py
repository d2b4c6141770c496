"""What a blur makes of the borders: outputs whose windows reach beyond them, computed one line at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from striate.geometry import Window, output_size
from striate.nn.planes import computed_in

Places: TypeAlias = tuple[slice, ...]


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


class Pass(NamedTuple):
    """A blur of lines along one of their axes.

    Args:
        dimension: of the lines, along which they are blurred.
        size: of the features along it.
        steps: for each weight the elements that it falls on inside the borders, and the outputs that it takes
            them into; the first step takes something into every output.
        edges: outputs that reach beyond a border.
        later: whether this axis comes after the one along which the lines were taken out.
    """

    dimension: int
    size: int
    steps: tuple[tuple[float, Places, Places], ...]
    edges: tuple[Edge, ...]
    later: bool


@lru_cache(maxsize=1024)
def lines(rule: Blur, sizes: Sequence[int]) -> tuple[tuple[int, Edge, tuple[Pass, ...]], ...]:
    """Plan how the outputs at the borders are computed: each a line (a plane, in three dimensions) of them.

    Args:
        rule: what is done along each axis.
        sizes: of the features along each axis.

    Returns:
        For each line: the dimension along which it is taken out of the features, its output there, and how it
        is blurred along the other axes.
    """
    found = []
    for axis, size in enumerate(sizes):
        passes = tuple(
            Pass(
                dimension := other + (2 if other < axis else 1),
                sizes[other],
                tuple(_steps(sizes[other], rule.windows[other], rule.taps[other], dimension)),
                edges(sizes[other], rule.windows[other], rule.taps[other], rule.mode),
                other > axis,
            )
            for other in range(len(sizes))
            if other != axis
        )
        for edge in edges(size, rule.windows[axis], rule.taps[axis], rule.mode):
            found.append((axis + 2, edge, passes))
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
    for taken_out, edge, passes in lines(rule, tuple(features.shape[2:])):
        (first, scale), *others = edge.beyond
        line = features.select(taken_out, first).to(precise)
        if others or 1 not in (line.stride(1), line.stride(-1)):  # a copy without gaps is faster from here on
            line, scale = line * scale, 1.0
        for source, weight in others:
            line.add_(features.select(taken_out, source), alpha=weight)
        for each in passes:
            line = _blur(line, each)
        blurred.select(taken_out, edge.output).add_(line, alpha=scale)


def mend_back(back: Tensor, gradient: Tensor, rule: Blur) -> None:
    """Add to the gradient of the features what reaches them by way of what lies beyond the borders.

    Args:
        back: the gradient with zeros around the features; changed in place.
        gradient: of the outputs.
        rule: what was done along each axis.
    """
    precise = computed_in(back.dtype)
    for taken_out, edge, passes in lines(rule, tuple(back.shape[2:])):
        line = gradient.select(taken_out, edge.output).to(precise)
        for each in passes:
            line = _blur_back(line, each)
        for source, weight in edge.beyond:
            back.select(taken_out, source).add_(line, alpha=weight)


def _source(place: int, size: int, mode: str) -> int:
    """Find the element that stands at a place, which may lie beyond the borders."""
    if mode == "circular":
        return place % size
    if mode == "reflect":
        return size - 1 - abs(size - 1 - abs(place))
    return min(max(place, 0), size - 1)


def _steps(
    size: int, window: Window, taps: tuple[float, ...], dimension: int
) -> Iterator[tuple[float, Places, Places]]:
    before = (slice(None),) * dimension
    last_output = output_size(size, window) - 1
    # The weight before which the padding ends takes an element into every output.
    for tap in sorted(range(window.kernel), key=lambda tap: tap != window.before):
        start = tap - window.before
        first, last = max(0, -(start // window.stride)), min(last_output, (size - 1 - start) // window.stride)
        if first <= last:
            begin, end = first * window.stride + start, last * window.stride + start
            yield (
                taps[tap],
                (*before, slice(begin, end + 1, window.stride)),
                (*before, slice(first, last + 1)),
            )


def _blur(line: Tensor, along: Pass) -> Tensor:
    (weight, elements, _), *steps = along.steps
    blurred = line[elements] * weight
    for weight, elements, outputs in steps:
        blurred[outputs].add_(line[elements], alpha=weight)
    for edge in along.edges if along.later else ():
        for source, weight in edge.beyond:
            blurred.select(along.dimension, edge.output).add_(
                line.select(along.dimension, source), alpha=weight
            )
    return blurred


def _blur_back(line: Tensor, along: Pass) -> Tensor:
    shape = list(line.shape)
    shape[along.dimension] = along.size
    if line.stride(1) == 1:  # channels lie last in memory, and stay so
        channels = shape.pop(1)
        back = line.new_zeros((*shape, channels)).movedim(-1, 1)
    else:
        back = line.new_zeros(shape)
    for weight, elements, outputs in along.steps:
        back[elements].add_(line[outputs], alpha=weight)
    for edge in along.edges if along.later else ():
        for source, weight in edge.beyond:
            beyond = line.select(along.dimension, edge.output)
            back.select(along.dimension, source).add_(beyond, alpha=weight)
    return back
