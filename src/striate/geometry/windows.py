"""What convolutions, poolings and other windows read: their sizes, and the rules of the tracer for them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor

from striate.core.errors import ShapeError
from striate.geometry.calls import Call
from striate.geometry.dependences import Dependence, joined, mapped
from striate.geometry.reaches import Reach, Sampling
from striate.geometry.sizes import (
    Window,
    left_over,
    misfit,
    output_size,
    transposed_output_size,
)

MERGED = "a window runs along an axis that holds several positions"


def through_windows(
    dependence: Dependence,
    windows: Sequence[Window],
    *,
    sizes: Sequence[int],
    outputs: Sequence[int],
    first: int,
) -> Dependence:
    """Give what a feature map depends on after windows ran over its last axes.

    Args:
        dependence: of the map.
        windows: one an axis.
        sizes: of the map along these axes.
        outputs: sizes of what comes out.
        first: the first of these axes.

    Returns:
        The dependence of what comes out, on axes numbered alike.
    """
    samplings = [
        Sampling(count, window.stride, -window.before, window.reach - 1 - window.before)
        for window, count in zip(windows, outputs, strict=True)
    ]
    return through_samplings(dependence, samplings, sizes=sizes, first=first)


def through_samplings(
    dependence: Dependence, samplings: Sequence[Sampling], *, sizes: Sequence[int], first: int
) -> Dependence:
    """Give what a feature map depends on after each of its last axes was read in some regular way.

    Args:
        dependence: of the map.
        samplings: one an axis.
        sizes: of the map along these axes.
        first: the first of these axes.

    Returns:
        The dependence of what comes out, on axes numbered alike.
    """

    def change(reach: Reach) -> Reach | None:
        found: Reach | None = reach
        for axis, (sampling, size) in enumerate(zip(samplings, sizes, strict=True), start=first):
            found = found and found.resampled(axis, size, sampling)
        return found

    return mapped(dependence, change, MERGED)


def lost(size: int, window: Window) -> int:
    """Count the input elements at the end that no window reaches though the stride leads up to them.

    What is left over in the padding costs nothing, nor does what a stride larger than the window passes over
    everywhere.

    Args:
        size: of the input along the axis.
        window: how the window lies.

    Returns:
        Their number.

    >>> lost(7, Window(kernel=3, stride=3)), lost(224, Window(kernel=7, stride=2, before=3, after=3))
    (1, 0)
    """
    return max(0, left_over(size, window) - window.after - max(0, window.stride - window.reach))


def note_lost(
    notes: list[str],
    sizes: Sequence[int],
    windows: Sequence[Window],
    *,
    strict: bool,
    borders: Sequence[int] | None = None,
) -> None:
    """Note, or refuse, windows that leave input elements over.

    Args:
        notes: get the sentence.
        sizes: of the input along the axes of the windows.
        windows: one an axis.
        strict: refuse instead.
        borders: how many of the last elements along each axis are padding that was put there before.

    Raises:
        ShapeError: where elements are left over and it is strict.
    """
    for size, window, border in zip(sizes, windows, borders or (0,) * len(windows), strict=True):
        count = lost(size, window) - border
        if count > 0:
            sentence = misfit(size, window)
            if strict:
                raise ShapeError(sentence)
            seen = "element is" if count == 1 else f"{count} elements are"
            note = f"{sentence}; the last {seen} never seen"
            if note not in notes:
                notes.append(note)


def convolution_result(call: Call) -> Tensor:
    """Make the output of a convolution, whose size is computed here, so that errors hold the arithmetic.

    Args:
        call: of ``convolution``.

    Returns:
        An empty tensor of the right shape.

    Raises:
        ShapeError: where channels or sizes do not fit.
    """
    images, weight = call["input"], call["weight"]
    given, sizes = images.shape[1], images.shape[2:]
    wanted = weight.shape[0] if call["transposed"] else weight.shape[1] * call["groups"]
    if given != wanted:
        raise ShapeError(f"it takes {wanted} channels, and got {given}")
    windows = _windows_of_convolution(call)
    if call["transposed"]:
        extra = call.numbers("output_padding", len(sizes))
        outputs = [
            transposed_output_size(size, window, extra=more)
            for size, window, more in zip(sizes, windows, extra, strict=True)
        ]
        channels = weight.shape[1] * call["groups"]
    else:
        outputs = [output_size(size, window) for size, window in zip(sizes, windows, strict=True)]
        channels = weight.shape[0]
        note_lost(call.notes, sizes, windows, strict=call.strict, borders=call.border(images, len(windows)))
    made: Tensor = images.new_empty((images.shape[0], channels, *outputs))
    return made


def convolution(call: Call) -> Dependence:
    """Give what the output of a convolution depends on.

    Args:
        call: of ``convolution``, with its result.

    Returns:
        The dependence; all channels of a place are taken together.
    """
    images, weight = call["input"], call["weight"]
    sizes, outputs = images.shape[2:], call.output.shape[2:]
    mixed = mapped(call.dependence("input"), lambda reach: reach.reduced({1}))
    windows = _windows_of_convolution(call)
    if call["transposed"]:
        samplings = [
            Sampling(
                count,
                Fraction(1, window.stride),
                Fraction(window.before - window.reach + 1, window.stride),
                Fraction(window.before, window.stride),
            )
            for window, count in zip(windows, outputs, strict=True)
        ]
        found = through_samplings(mixed, samplings, sizes=sizes, first=2)
    else:
        found = through_windows(mixed, windows, sizes=sizes, outputs=outputs, first=2)
    # Filters that are computed from the input bring along all that they depend on.
    filters = mapped(call.dependence("weight"), lambda reach: reach.reduced(range(weight.ndim)))
    return joined([found, filters, mapped(call.dependence("bias"), lambda reach: reach.reduced({0}))])


def pooling_result(call: Call) -> Tensor | tuple[Tensor, Tensor]:
    """Make the output of a pooling, whose size is computed here, so that errors hold the arithmetic.

    Args:
        call: of a pooling by maximum or average.

    Returns:
        An empty tensor of the right shape; by maximum, and another one of indices.

    Raises:
        ShapeError: where sizes do not fit.
    """
    images = call.first
    windows = _windows_of_pooling(call)
    sizes = images.shape[-len(windows) :]
    ceil = bool(call["ceil_mode"])
    outputs = [output_size(size, window, ceil=ceil) for size, window in zip(sizes, windows, strict=True)]
    if not ceil:
        note_lost(call.notes, sizes, windows, strict=call.strict, borders=call.border(images, len(windows)))
    shape = (*images.shape[: -len(windows)], *outputs)
    pooled = images.new_empty(shape)
    return (pooled, images.new_empty(shape, dtype=torch.int64)) if call.name.startswith("max") else pooled


def pooling(call: Call) -> Dependence:
    """Give what the output of a pooling depends on.

    Args:
        call: of a pooling by maximum or average, with its result.

    Returns:
        The dependence.
    """
    windows = _windows_of_pooling(call)
    first = call.first.ndim - len(windows)
    sizes, outputs = call.first.shape[first:], call.output.shape[first:]
    return through_windows(call.of(call.first), windows, sizes=sizes, outputs=outputs, first=first)


def _windows_of_convolution(call: Call) -> list[Window]:
    kernels = call["weight"].shape[2:]
    return windows_of(call, kernels)


def _windows_of_pooling(call: Call) -> list[Window]:
    dims = next(int(letter) for letter in call.name if letter.isdigit())
    windows = windows_of(call, call.numbers("kernel_size", dims))
    for window in windows:
        if 2 * window.before > window.reach:
            raise ShapeError(
                f"padding {window.before} is more than half of a pooling window of {window.reach}, so that "
                f"some windows would hold no element; padding {window.reach // 2} and less can be"
            )
    return windows


def windows_of(call: Call, kernels: Sequence[int]) -> list[Window]:
    """Read how the windows of an operation lie.

    Args:
        call: with a stride, a padding and maybe a dilation.
        kernels: elements of the window along each axis.

    Returns:
        One window an axis.
    """
    dims = len(kernels)
    strides = call.numbers("stride", dims) or tuple(kernels)  # a pooling without one moves by its window
    paddings = call.numbers("padding", dims)
    dilations = call.numbers("dilation", dims) if call.get("dilation") else (1,) * dims
    return [
        Window(kernel=kernel, stride=stride, before=padding, after=padding, dilation=dilation)
        for kernel, stride, padding, dilation in zip(kernels, strides, paddings, dilations, strict=True)
    ]
