"""The tracer's rules for what enlarges, pads, crops, mirrors and shifts feature maps."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from striate.geometry.calls import Call, axis_of
from striate.geometry.dependences import Dependence, unknown
from striate.geometry.fields import Number
from striate.geometry.reaches import Sampling
from striate.geometry.windows import through_samplings

MOST_PARTS = 10_000
"""Scale factors are taken as fractions of at most this denominator."""


def adaptive_pooling(call: Call) -> Dependence:
    """Give what a pooling to a given size depends on: from floor(iW/O) to ceil((i + 1)W/O) - 1.

    Args:
        call: of an adaptive pooling, with its result.

    Returns:
        The dependence.
    """
    first = call.first.ndim - int(call.name[-2])
    sizes, outputs = call.first.shape[first:], call.output.shape[first:]
    samplings = []
    for size, count in zip(sizes, outputs, strict=True):
        step = Fraction(size, count)
        rounding = _rounding(step)  # floor(x) is ceil(x - rounding) where x is a multiple of the step
        samplings.append(Sampling(count, step, -rounding, step + rounding - 1))
    return through_samplings(call.of(call.first), samplings, sizes=sizes, first=first)


def nearest(call: Call) -> Dependence:
    """Give what ``F.interpolate(mode="nearest")`` depends on: output i on input floor(ir).

    Args:
        call: of ``upsample_nearest1d`` and its like, with its result.

    Returns:
        The dependence.
    """
    return _interpolation(call, lambda ratio: (-_rounding(ratio), 0))


def nearest_exact(call: Call) -> Dependence:
    """Give what ``F.interpolate(mode="nearest-exact")`` depends on: output i on input floor((i + 1/2)r).

    Args:
        call: of ``_upsample_nearest_exact1d`` and its like, with its result.

    Returns:
        The dependence.
    """
    return _interpolation(call, lambda ratio: (ratio / 2 - _rounding(ratio / 2), ratio / 2))


def linear(call: Call) -> Dependence:
    """Give what linear interpolation depends on: the two inputs around each place, or the one at it.

    Args:
        call: of ``upsample_linear1d`` and its like, with its result.

    Returns:
        The dependence.
    """
    return _interpolation(call, lambda ratio: _around(ratio, 1, corners=call["align_corners"]))


def cubic(call: Call) -> Dependence:
    """Give what cubic interpolation depends on: the four inputs around each place.

    Args:
        call: of ``upsample_bicubic2d``, with its result.

    Returns:
        The dependence.
    """
    return _interpolation(call, lambda ratio: _around(ratio, 2, corners=call["align_corners"]))


def padding(call: Call) -> Dependence:
    """Give what a padded tensor depends on; what the padding holds is not counted.

    Args:
        call: of ``constant_pad_nd``, ``reflection_pad1d``, ``replication_pad1d`` and their like, with its
        result.

    Returns:
        The dependence.
    """
    amounts = call["padding"] if call.get("pad") is None else call["pad"]
    return shifted_by_padding(call.of(call.first), tuple(call.first.shape), amounts)


def shifted_by_padding(dependence: Dependence, shape: tuple[int, ...], amounts: list[int]) -> Dependence:
    """Give what a tensor depends on after padding.

    Args:
        dependence: of the tensor.
        shape: of the tensor.
        amounts: before and after the last axis, before and after the one before it, and so on.

    Returns:
        The dependence.
    """
    axes = len(amounts) // 2
    samplings = []
    for axis in range(axes):
        before, after = amounts[2 * (axes - 1 - axis) : 2 * (axes - axis)]
        size = shape[len(shape) - axes + axis]
        samplings.append(Sampling(size + before + after, 1, -before, -before))
    return through_samplings(dependence, samplings, sizes=shape[-axes:], first=len(shape) - axes)


def slicing(call: Call) -> Dependence:
    """Give what a slice depends on.

    Args:
        call: of ``slice``, with its result.

    Returns:
        The dependence.
    """
    tensor = call.first
    axis = axis_of(call["dim"], tensor.ndim)
    size = tensor.shape[axis]
    start = call["start"] or 0
    start = min(max(start + size if start < 0 else start, 0), size)
    sampling = Sampling(call.output.shape[axis], call["step"], start, start)
    return through_samplings(call.of(tensor), [sampling], sizes=[size], first=axis)


def mirroring(call: Call) -> Dependence:
    """Give what a mirrored tensor depends on.

    Args:
        call: of ``flip``, with its result.

    Returns:
        The dependence.
    """
    tensor, found = call.first, call.of(call.first)
    for axis in {axis_of(each, tensor.ndim) for each in call["dims"]}:
        size = tensor.shape[axis]
        found = through_samplings(found, [Sampling(size, -1, size - 1, size - 1)], sizes=[size], first=axis)
    return found


def rolling(call: Call) -> Dependence:
    """Give what a rolled tensor depends on, positions beyond the border being those of the other side.

    Args:
        call: of ``roll``, with its result.

    Returns:
        The dependence.
    """
    tensor, found = call.first, call.of(call.first)
    if not call["dims"]:
        return unknown(found, "it is rolled over all of its axes at once")
    for shift, each in zip(call["shifts"], call["dims"], strict=True):
        axis = axis_of(each, tensor.ndim)
        size = tensor.shape[axis]
        found = through_samplings(found, [Sampling(size, 1, -shift, -shift)], sizes=[size], first=axis)
    return found


def _interpolation(call: Call, bounds: Callable[[Fraction], tuple[Number, Number]]) -> Dependence:
    """Take output i from ``ratio*i + low`` to ``ratio*i + high``, bounds that depend on the ratio."""
    dims = int(call.name[-2])
    first = call.first.ndim - dims
    sizes, outputs = call.first.shape[first:], call.output.shape[first:]
    names = {1: ("scales",), 2: ("scales_h", "scales_w"), 3: ("scales_d", "scales_h", "scales_w")}[dims]
    samplings = []
    for size, count, name in zip(sizes, outputs, names, strict=True):
        if call.get("align_corners"):
            ratio = Fraction(size - 1, count - 1) if count > 1 else Fraction(0)
        elif call.get(name):
            ratio = 1 / Fraction(call[name]).limit_denominator(MOST_PARTS)
        else:
            ratio = Fraction(size, count)
        samplings.append(Sampling(count, ratio, *bounds(ratio)))
    return through_samplings(call.of(call.first), samplings, sizes=sizes, first=first)


def _rounding(ratio: Fraction) -> Fraction:
    """Give what floor takes away at most from whole multiples of a ratio."""
    return 1 - Fraction(1, ratio.denominator)


def _around(ratio: Fraction, width: int, *, corners: bool) -> tuple[Number, Number]:
    """Bound the inputs less than ``width`` away from output 0's place in the input, for every output."""
    place = Fraction(0) if corners else (ratio - 1) / 2
    parts = math.lcm(ratio.denominator, place.denominator)
    # Behind the decimal point, the places of the outputs are all those that lie whole grains from the first.
    grain = Fraction(math.gcd(int(ratio * parts), parts), parts)
    return place - width + grain - place % grain, place + width - grain + -place % grain
