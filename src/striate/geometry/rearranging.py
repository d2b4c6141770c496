"""The tracer's rules for what lays pixels and channels out anew: shuffles, and windows as axes."""

from __future__ import annotations

from collections.abc import Sequence

from striate.geometry.calls import Call, axis_of
from striate.geometry.dependences import Dependence, mapped
from striate.geometry.reaches import Digit, Spread
from striate.geometry.reshaping import renumbered, reshaped
from striate.geometry.sizes import output_size
from striate.geometry.windows import MERGED, windows_of


def shuffled(call: Call) -> Dependence:
    """Give what a tensor depends on whose groups of channels are interleaved.

    Args:
        call: of ``channel_shuffle``.

    Returns:
        The dependence.
    """
    shape, groups = tuple(call.first.shape), call["groups"]
    apart = (shape[0], groups, shape[1] // groups, *shape[2:])
    found = reshaped(call.of(call.first), shape, apart)
    swapped = renumbered(found, {**{axis: axis for axis in range(len(apart))}, 1: 2, 2: 1})
    return reshaped(swapped, (apart[0], apart[2], apart[1], *apart[3:]), shape)


def pixels_of_channels(call: Call) -> Dependence:
    """Give what a map depends on that is enlarged by laying its channels out as pixels.

    Args:
        call: of ``pixel_shuffle``, with its result.

    Returns:
        The dependence.
    """
    *batch, channels, height, width = call.first.shape
    factor, outer = call["upscale_factor"], len(batch)
    apart = (*batch, channels // factor**2, factor, factor, height, width)
    order = (*range(outer + 1), outer + 3, outer + 1, outer + 4, outer + 2)
    return _through(call, apart, order)


def channels_of_pixels(call: Call) -> Dependence:
    """Give what a map depends on that is made smaller by laying its pixels out as channels.

    Args:
        call: of ``pixel_unshuffle``, with its result.

    Returns:
        The dependence.
    """
    *batch, channels, height, width = call.first.shape
    factor, outer = call["downscale_factor"], len(batch)
    apart = (*batch, channels, height // factor, factor, width // factor, factor)
    order = (*range(outer + 1), outer + 2, outer + 4, outer + 1, outer + 3)
    return _through(call, apart, order)


def unfolded(call: Call) -> Dependence:
    """Give what ``Tensor.unfold`` depends on, whose windows become an axis of their own at the end.

    Args:
        call: of ``unfold``, with its result.

    Returns:
        The dependence.
    """
    tensor = call.first
    axis = axis_of(call["dimension"], tensor.ndim)
    place = Digit(axis, 1, call.output.shape[axis], call["step"])
    element = Digit(tensor.ndim, 1, call["size"], 1)
    parts = {axis: Spread(tensor.shape[axis], (place, element))}
    return mapped(call.of(tensor), lambda reach: reach.spread(parts), MERGED)


def columns_of_images(call: Call) -> Dependence:
    """Give what ``F.unfold`` depends on: windows one after another, their elements among the channels.

    Args:
        call: of ``im2col``.

    Returns:
        The dependence.
    """
    images = call.first
    rows = images.ndim - 2  # the axis of the rows, and then that of the windows
    channels, columns = rows - 1, rows + 1
    down, across = windows_of(call, call.numbers("kernel_size", 2))
    sizes = images.shape
    high, wide = output_size(sizes[rows], down), output_size(sizes[columns], across)
    inner = Digit(channels, down.kernel * across.kernel, sizes[channels], 1)
    row = (Digit(rows, wide, high, down.stride), Digit(channels, across.kernel, down.kernel, down.dilation))
    column = (Digit(rows, 1, wide, across.stride), Digit(channels, 1, across.kernel, across.dilation))
    parts = {
        channels: Spread(sizes[channels], (inner,)),
        rows: Spread(sizes[rows], row, -down.before),
        columns: Spread(sizes[columns], column, -across.before),
    }
    return mapped(call.of(images), lambda reach: reach.spread(parts), MERGED)


def _through(call: Call, apart: Sequence[int], order: Sequence[int]) -> Dependence:
    """Follow a view, a change of the order of axes, and a view to the shape of the result."""
    found = reshaped(call.of(call.first), call.first.shape, apart)
    found = renumbered(found, {old: new for new, old in enumerate(order)})
    return reshaped(found, [apart[axis] for axis in order], call.output.shape)
