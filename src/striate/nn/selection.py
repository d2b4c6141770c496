"""Give one element of every window by its rank, or the most frequent one, with sorting networks.

Blocks of planes go through a network one after the other, so that what is in between stays in the
processor's cache and no window is ever written out by itself. To torch each function is a single operator,
around which it compiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

import striate.nn.matching  # noqa: F401 - the gradients are routed by its operators
from striate.geometry import Window
from striate.nn.planes import (
    Layout,
    as_planes,
    computed_in,
    empty_as,
    even_parts,
    is_channels_last,
    room_for,
)
from striate.nn.sorting_networks import Network, Operand, selecting, sorting
from striate.nn.windows import Span, from_numbers, spans

MANY_TOGETHER = 16
"""Values that lie together from which on it is fast to take windows from the images themselves."""

USUAL_ROWS = 8
"""Rows of a block whose windows are small."""

MOST_SORTED = 128
"""The largest window that a network puts in order; networks grow faster than windows do."""

WORTH = {"smallest": 3, "median": 60}
"""Steps at one place that take as long as an element does where each window is looked at by itself."""


class Part(NamedTuple):
    """A rectangle of the output, whose windows all hold equally many elements and no padding.

    Args:
        images: the rectangle of the input that they lie on, planes x spatial x values together.
        out: the output, likewise.
        windows: one an axis.
    """

    images: Tensor
    out: Tensor
    windows: tuple[Window, ...]

    @property
    def kernel(self) -> tuple[int, ...]:
        """Elements of a window along each axis."""
        return tuple(window.kernel for window in self.windows)

    def layout(self, planes: int) -> Layout:
        """Lay out a block of so many planes."""
        return Layout(planes=planes, images=self.images, out=self.out, windows=self.windows)

    def written_out(self) -> Tensor:
        """View every window by itself: planes x spatial x values together x kernel."""
        view = self.images
        for axis, window in enumerate(self.windows, 1):
            view = view.unfold(axis, window.reach, window.stride)[..., :: window.dilation]
        return view


@torch.library.custom_op("striate::smallest", mutates_args=())
def smallest(images: Tensor, windows: list[int], size: list[int]) -> Tensor:
    """Give the smallest element of each window.

    Args:
        images: N x C x spatial.
        windows: as `striate.nn.windows.as_numbers` writes them.
        size: how many there are along each axis.

    Returns:
        N x C x size, with NaN where a window holds one.
    """
    out = empty_as(images, size)
    for part in _parts(images, out, from_numbers(windows)):
        network = selecting(part.kernel, 0)
        if part.images.shape[-1] >= MANY_TOGETHER:
            _take_smallest(part)
        elif _is_worth_it(network, part, WORTH["smallest"]):
            _select(network, part)
        else:
            part.out.copy_(part.written_out().amin(dim=tuple(range(-len(part.windows), 0))))
    return out


@torch.library.custom_op("striate::median", mutates_args=())
def median(images: Tensor, windows: list[int], size: list[int]) -> Tensor:
    """Give the middle element of each window, the lower one of two.

    Args:
        images: N x C x spatial.
        windows: as `striate.nn.windows.as_numbers` writes them.
        size: how many there are along each axis.

    Returns:
        N x C x size, with NaN where a window holds one.
    """
    out = empty_as(images, size)
    for part in _parts(images, out, from_numbers(windows)):
        elements = prod(part.kernel)
        if elements <= MOST_SORTED:
            network = selecting(part.kernel, (elements - 1) // 2)
            if _is_worth_it(network, part, WORTH["median"]):
                _select(network, part)
                continue
        for target, each in _one_by_one(part):
            target.copy_(each.median(dim=-1).values)
    return out


@torch.library.custom_op("striate::most_frequent", mutates_args=())
def most_frequent(bins: Tensor, windows: list[int], size: list[int]) -> Tensor:
    """Give the most frequent value of each window, the lowest one of equally frequent ones.

    Args:
        bins: N x C x spatial, whole numbers.
        windows: as `striate.nn.windows.as_numbers` writes them.
        size: how many there are along each axis.

    Returns:
        N x C x size, with NaN where a window holds one.
    """
    out = empty_as(bins, size)
    for part in _parts(bins, out, from_numbers(windows)):
        if prod(part.kernel) <= MOST_SORTED:
            for target, layout, rows in _through(sorting(part.kernel), part):
                target.copy_(layout.at_windows(_longest_run(rows))[: len(target)])
        else:
            for target, each in _one_by_one(part):
                ordered = each.to(computed_in(bins.dtype)).movedim(-1, 0).sort(dim=0).values
                target.copy_(_longest_run(ordered.unbind()))
    return out


@smallest.register_fake
@median.register_fake
@most_frequent.register_fake
def _empty(images: Tensor, windows: list[int], size: list[int]) -> Tensor:  # noqa: ARG001
    return empty_as(images, size)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    images, ctx.windows, _ = inputs
    ctx.save_for_backward(images, output)


def _route(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    return torch.ops.striate.route(gradient, *ctx.saved_tensors, ctx.windows, False), None, None


smallest.register_autograd(_route, setup_context=_keep)
median.register_autograd(_route, setup_context=_keep)


def _parts(images: Tensor, out: Tensor, windows: Sequence[Window]) -> Iterator[Part]:
    """Divide the output into rectangles of equal windows, none much larger than a block."""
    last = is_channels_last(images)
    images, out = as_planes(images, channels_last=last), as_planes(out, channels_last=last)
    along = [
        list(spans(images.shape[axis], out.shape[axis], window)) for axis, window in enumerate(windows, 1)
    ]
    most = max(1, room_for(images) // max(1, USUAL_ROWS * windows[0].stride * prod(images.shape[2:])))
    along[0] = [
        Span(
            span.first + part.start,
            part.stop - part.start,
            span.begin + part.start * windows[0].stride,
            span.kernel,
        )
        for span in along[0]
        for part in even_parts(span.outputs, most)
    ]
    for rectangle in product(*along):
        held = tuple(
            Window(kernel=span.kernel, stride=window.stride, dilation=window.dilation)
            for span, window in zip(rectangle, windows, strict=True)
        )
        elements = [
            slice(span.begin, span.begin + (span.outputs - 1) * window.stride + window.reach)
            for span, window in zip(rectangle, held, strict=True)
        ]
        outputs = [slice(span.first, span.first + span.outputs) for span in rectangle]
        yield Part(images[:, *elements], out[:, *outputs], held)


def _is_worth_it(network: Network, part: Part, steps: int) -> bool:
    return len(network.steps) * part.layout(1).waste <= steps * prod(part.kernel)


def _select(network: Network, part: Part) -> None:
    for target, layout, (result,) in _through(network, part):
        target.copy_(layout.at_windows(result)[: len(target)])


def _take_smallest(part: Part) -> None:
    """Take minima along one axis after the other, of the images as they lie in memory."""
    most = max(1, room_for(part.images) // max(1, prod(part.images.shape[1:])))
    for block in even_parts(len(part.images), most):
        values = part.images[block]
        for axis, window in enumerate(part.windows, 1):
            each = values.unfold(axis, window.reach, window.stride)[..., :: window.dilation].unbind(-1)
            if len(each) > 1:
                values = torch.minimum(each[0], each[1])
                for other in each[2:]:
                    torch.minimum(values, other, out=values)
            else:
                values = each[0]
        part.out[block].copy_(values)


def _through(network: Network, part: Part) -> Iterator[tuple[Tensor, Layout, list[Tensor]]]:
    """Run a network over blocks of planes, and give the output of each block beside its results."""
    single = part.layout(1)
    each = single.length() + (network.registers - 1) * single.length(0)
    blocks = list(even_parts(len(part.images), max(1, room_for(part.images) // each)))
    if not blocks:
        return
    layout = part.layout(blocks[0].stop)
    registers = [layout.row(part.images)]
    registers += [layout.row(part.images, axis=0) for _ in range(1, network.registers)]

    def piece(operand: Operand, axis: int) -> Tensor:
        start = layout.offset(operand.element)
        return registers[operand.register][start : start + layout.reach(axis)]

    steps = [
        (
            torch.maximum if step.larger else torch.minimum,
            piece(step.first, step.axis),
            piece(step.second, step.axis),
            registers[step.target][: layout.reach(step.axis)],
        )
        for step in network.steps
    ]
    for block in blocks:
        layout.store(registers[0], part.images[block])
        for extreme, first, second, target in steps:
            extreme(first, second, out=target)
        yield part.out[block], layout, [registers[result.register] for result in network.results]


def _one_by_one(part: Part) -> Iterator[tuple[Tensor, Tensor]]:
    """Write the windows of a few planes and lines out, and give the output beside them."""
    windows = part.written_out()
    axes = len(part.windows)
    line = max(1, prod(windows.shape[2:]))
    most = max(1, room_for(windows) // (USUAL_ROWS * line))
    for lines in even_parts(windows.shape[1], most):
        for planes in even_parts(len(windows), max(1, most // (lines.stop - lines.start))):
            yield part.out[planes, lines], windows[planes, lines].flatten(-axes)


def _longest_run(ordered: Sequence[Tensor]) -> Tensor:
    """Give the most frequent of rising values, the first of equally frequent ones; NaN where one is NaN."""
    # Comparisons that give numbers, 1 and 0, are done on many at once, unlike those that give booleans.
    best = ordered[0].clone()
    run, longest = torch.ones_like(best), torch.ones_like(best)
    same, longer, step = torch.empty_like(best), torch.empty_like(best), torch.empty_like(best)
    for before, value in pairwise(ordered):
        run.mul_(torch.eq(value, before, out=same)).add_(1)
        torch.gt(run, longest, out=longer)
        best.add_(torch.sub(value, best, out=step).mul_(longer))
        torch.maximum(run, longest, out=longest)
    return best
