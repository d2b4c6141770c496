"""Give one element of every window by its rank, or the most frequent one, with sorting networks.

Blocks of planes go through a network one after the other, so that what is in between stays in the
processor's cache and no window is ever written out by itself. To torch each function is a single operator,
around which it compiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, product
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from striate.geometry import Window
from striate.nn.places import places_as
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

MOST_IN_SUM = 24
"""Elements whose powers of two add up without rounding in 32 bits."""

INTEGERS = {32: torch.int32, 64: torch.int64}
MANTISSA = {32: 23, 64: 52}
ZERO_EXPONENT = {32: 127, 64: 1023}
"""How floating-point numbers of so many bits are written."""

MOST_SORTED = 128
"""The largest window that a network puts in order; networks grow faster than windows do."""

WORTH = {"smallest": 3, "median": 60}
"""Steps at one place that take as long as an element does where each window is looked at by itself."""


class Part(NamedTuple):
    """A rectangle of the output, whose windows all hold equally many elements and no padding.

    Args:
        images: the rectangle of the input that they lie on, planes x spatial x values together.
        out: the output, likewise.
        windows: one an axis, without what lies in the padding.
        places: of what is chosen, as the output; None where they are not wanted.
        numbers: the place of each element of these windows in the whole ones.
        none: the place that stands for none.
    """

    images: Tensor
    out: Tensor
    windows: tuple[Window, ...]
    places: Tensor | None
    numbers: tuple[int, ...]
    none: int

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
def smallest(images: Tensor, windows: list[int], size: list[int], placed: bool) -> tuple[Tensor, Tensor]:
    """Give the smallest element of each window, and its place.

    Args:
        images: N x C x spatial.
        windows: as `striate.nn.windows.as_numbers` writes them.
        size: how many there are along each axis.
        placed: whether the places are wanted, which only the gradient needs.

    Returns:
        N x C x size, with NaN where a window holds one; and where wanted the place of the first element that
        has this value, otherwise nothing.
    """
    out, places = _empty_results(images, windows, size, placed)
    for part in _parts(images, out, places if placed else None, from_numbers(windows)):
        network = selecting(part.kernel, 0)
        if part.images.shape[-1] >= MANY_TOGETHER and not placed:
            _take_smallest(part)
        elif _is_worth_it(network, part, WORTH["smallest"]):
            _select(network, part)
        else:
            part.out.copy_(part.written_out().amin(dim=tuple(range(-len(part.windows), 0))))
            _find(part)
    return out, places


@torch.library.custom_op("striate::median", mutates_args=())
def median(images: Tensor, windows: list[int], size: list[int], placed: bool) -> tuple[Tensor, Tensor]:
    """Give the middle element of each window, the lower one of two, and its place.

    Args:
        images: N x C x spatial.
        windows: as `striate.nn.windows.as_numbers` writes them.
        size: how many there are along each axis.
        placed: whether the places are wanted, which only the gradient needs.

    Returns:
        As `smallest`.
    """
    out, places = _empty_results(images, windows, size, placed)
    for part in _parts(images, out, places if placed else None, from_numbers(windows)):
        elements = prod(part.kernel)
        if elements <= MOST_SORTED:
            network = selecting(part.kernel, (elements - 1) // 2)
            if _is_worth_it(network, part, WORTH["median"]):
                _select(network, part)
                continue
        for target, each in _one_by_one(part):
            target.copy_(each.median(dim=-1).values)
        _find(part)
    return out, places


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
    for part in _parts(bins, out, None, from_numbers(windows)):
        if prod(part.kernel) <= MOST_SORTED:
            for block, layout, rows in _through(sorting(part.kernel), part):
                target = part.out[block]
                target.copy_(layout.at_windows(_longest_run(rows[1:]))[: len(target)])
        else:
            for target, each in _one_by_one(part):
                ordered = each.to(computed_in(bins.dtype)).movedim(-1, 0).sort(dim=0).values
                target.copy_(_longest_run(ordered.unbind()))
    return out


@most_frequent.register_fake
def _empty(images: Tensor, windows: list[int], size: list[int]) -> Tensor:  # noqa: ARG001
    return empty_as(images, size)


@smallest.register_fake
@median.register_fake
def _empty_results(
    images: Tensor, windows: list[int], size: list[int], placed: bool
) -> tuple[Tensor, Tensor]:
    out = empty_as(images, size)
    elements = prod(window.kernel for window in from_numbers(windows))
    return out, places_as(out if placed else out.new_empty(0), elements)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    images, ctx.windows, *_ = inputs
    ctx.size = list(images.shape[2:])
    ctx.save_for_backward(output[1])


def _bring_back(ctx: Any, gradient: Tensor, *_: None) -> tuple[Tensor | None, ...]:
    back = torch.ops.striate.bring_back(gradient, *ctx.saved_tensors, ctx.windows, ctx.size)
    return back, None, None, None


smallest.register_autograd(_bring_back, setup_context=_keep)
median.register_autograd(_bring_back, setup_context=_keep)


def _parts(images: Tensor, out: Tensor, places: Tensor | None, windows: Sequence[Window]) -> Iterator[Part]:
    """Divide the output into rectangles of equal windows, none much larger than a block."""
    last = is_channels_last(images)
    images, out = as_planes(images, channels_last=last), as_planes(out, channels_last=last)
    places = None if places is None else as_planes(places, channels_last=last)
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
        yield Part(
            images[:, *elements],
            out[:, *outputs],
            held,
            None if places is None else places[:, *outputs],
            _numbers(rectangle, windows),
            prod(window.kernel for window in windows),
        )


def _numbers(rectangle: Sequence[Span], windows: Sequence[Window]) -> tuple[int, ...]:
    """Number the elements that windows at a border hold as in whole windows."""
    numbers = [0]
    for span, window in zip(rectangle, windows, strict=True):
        missing = (span.begin + window.before - span.first * window.stride) // window.dilation
        held = range(missing, missing + span.kernel)
        numbers = [before * window.kernel + number for before, number in product(numbers, held)]
    return tuple(numbers)


def _is_worth_it(network: Network, part: Part, steps: int) -> bool:
    return len(network.steps) * part.layout(1).waste <= steps * prod(part.kernel)


def _select(network: Network, part: Part) -> None:
    for block, layout, (row, result) in _through(network, part):
        target = part.out[block]
        target.copy_(layout.at_windows(result)[: len(target)])
        if part.places is not None:
            whole = product(*map(range, part.kernel))
            elements = (layout.each(row, element) for element in whole)
            sought = layout.each(result, (0,) * len(part.windows))
            # A row of its own, in which the numbers of all windows lie as the results do.
            numbers = torch.empty_like(result)
            _number(layout.each(numbers, (0,) * len(part.windows)), elements, sought, part)
            part.places[block].copy_(layout.at_windows(numbers)[: len(target)])


def _find(part: Part) -> None:
    """Find the places of what was chosen, if they are wanted, among the images themselves."""
    if part.places is None:
        return
    most = max(1, room_for(part.images) // max(1, USUAL_ROWS * prod(part.out.shape[1:])))
    windows = part.written_out().flatten(-len(part.windows))
    for block in even_parts(len(part.images), most):
        sought = part.out[block].to(computed_in(part.out.dtype))
        numbers = torch.empty_like(sought)
        _number(numbers, windows[block].unbind(-1), sought, part)
        part.places[block].copy_(numbers)


def _number(target: Tensor, elements: Iterable[Tensor], sought: Tensor, part: Part) -> None:
    """Write the number of the first element that is equal to what is sought."""
    # Comparisons that give numbers, 1 and 0, are done on many at once, unlike those that give booleans.
    match = torch.empty_like(sought)
    target.zero_()
    if part.none <= MOST_IN_SUM:
        for number, element in zip(part.numbers, elements, strict=True):
            target.add_(torch.eq(element, sought, out=match), alpha=0.5**number)
        # The first that is equal is the largest power of two in the sum, which its exponent says.
        bits = torch.finfo(target.dtype).bits
        exponents = target.view(INTEGERS[bits]).bitwise_right_shift_(MANTISSA[bits])
        torch.sub(ZERO_EXPONENT[bits], exponents, out=target).clamp_(max=part.none)
    else:
        for number, element in zip(part.numbers, elements, strict=True):
            torch.eq(element, sought, out=match).mul_(number - part.none)
            torch.minimum(target, match, out=target)
        target.add_(part.none)


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


def _through(network: Network, part: Part) -> Iterator[tuple[slice, Layout, list[Tensor]]]:
    """Run a network over one block of planes after the other; give its row of elements, and its results."""
    single = part.layout(1)
    each = single.length() + (network.registers - 1 + 2 * (part.places is not None)) * single.length(0)
    blocks = list(even_parts(len(part.images), max(1, room_for(part.images) // each)))
    if not blocks:
        return
    layout = part.layout(blocks[0].stop)
    registers = [layout.row(part.images)]
    registers += [registers[0].new_empty(layout.length(0)) for _ in range(1, network.registers)]

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
        yield block, layout, [registers[0], *(registers[result.register] for result in network.results)]


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
