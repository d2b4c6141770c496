"""The tracer's rules for what changes the shape of tensors and moves their axes, and computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from striate.geometry.calls import Call, axis_of
from striate.geometry.dependences import Dependence, mapped
from striate.geometry.reaches import Reach, Sampling
from striate.geometry.windows import through_samplings

CUT = "a view cuts an axis of positions apart unevenly"


def same(call: Call) -> Dependence:
    """Give what a copy or another view of the same shape depends on.

    Args:
        call: of any such operation.

    Returns:
        The dependence of its first argument.
    """
    return call.of(call.first)


def viewed(call: Call) -> Dependence:
    """Give what a view of another shape depends on.

    Args:
        call: of ``view`` and its like, with its result.

    Returns:
        The dependence.
    """
    return reshaped(call.of(call.first), call.first.shape, call.output.shape)


def reshaped(dependence: Dependence, old: Sequence[int], new: Sequence[int]) -> Dependence:
    """Give what a tensor depends on after its elements, in their order, got another shape.

    Args:
        dependence: of the tensor.
        old: its shape.
        new: its shape from then on.

    Returns:
        The dependence.
    """
    return mapped(dependence, lambda reach: reach.reshaped(old, new), CUT)


def renumbered(dependence: Dependence, places: Mapping[int, int]) -> Dependence:
    """Give what a tensor depends on after its axes moved.

    Args:
        dependence: of the tensor.
        places: old axis -> new axis; axes of one element may be left out.

    Returns:
        The dependence.
    """
    return mapped(dependence, lambda reach: reach.renumbered(places))


def permuted(call: Call) -> Dependence:
    """Give what a tensor with its axes in another order depends on.

    Args:
        call: of ``permute``, ``transpose`` or ``t``.

    Returns:
        The dependence.
    """
    dims = call.first.ndim
    order = list(range(dims))
    if call.name == "permute":
        order = [axis_of(each, dims) for each in call["dims"]]
    elif dims > 1:
        one, other = (0, 1) if call.name == "t" else (call["dim0"], call["dim1"])
        one, other = axis_of(one, dims), axis_of(other, dims)
        order[one], order[other] = order[other], order[one]
    return renumbered(call.of(call.first), {old: new for new, old in enumerate(order)})


def unsqueezed(call: Call) -> Dependence:
    """Give what a tensor with one more axis depends on.

    Args:
        call: of ``unsqueeze``, with its result.

    Returns:
        The dependence.
    """
    added = axis_of(call["dim"], call.output.ndim)
    return renumbered(call.of(call.first), {axis: axis + (axis >= added) for axis in range(call.first.ndim)})


def squeezed(call: Call) -> Dependence:
    """Give what a tensor without some of its axes of one element depends on.

    Args:
        call: of ``squeeze``.

    Returns:
        The dependence.
    """
    shape = call.first.shape
    named = call.get("dim")
    if named is None:
        named = range(len(shape))
    axes = [named] if isinstance(named, int) else named
    gone = {axis for each in axes if shape[axis := axis_of(each, len(shape))] == 1}
    kept = [axis for axis in range(len(shape)) if axis not in gone]
    return renumbered(call.of(call.first), {axis: place for place, axis in enumerate(kept)})


def expanded(call: Call) -> Dependence:
    """Give what a tensor repeated along axes of one element depends on.

    Args:
        call: of ``expand``, with its result.

    Returns:
        The dependence.
    """
    return broadcast(call.of(call.first), call.first.shape, call.output.shape)


def broadcast(dependence: Dependence, shape: Sequence[int], wanted: Sequence[int]) -> Dependence:
    """Give what a tensor depends on when it is used as one of a larger shape.

    Args:
        dependence: of the tensor.
        shape: of the tensor.
        wanted: to which it is broadcast, from the last axis on.

    Returns:
        The dependence, on the axes of the wanted shape.
    """
    if tuple(shape) == tuple(wanted):
        return dependence
    more = len(wanted) - len(shape)
    places = {axis: axis + more for axis, size in enumerate(shape) if wanted[axis + more] == size}
    return renumbered(dependence, places)


def repeated(call: Call) -> Dependence:
    """Give what a tensor laid several times side by side depends on.

    Args:
        call: of ``repeat``, with its result.

    Returns:
        The dependence.
    """
    more = call.output.ndim - call.first.ndim
    return renumbered(call.of(call.first), {axis: axis + more for axis in range(call.first.ndim)})


def selected(call: Call) -> Dependence:
    """Give what the elements at one index of an axis depend on.

    Args:
        call: of ``select``.

    Returns:
        The dependence.
    """
    dims = call.first.ndim
    axis = axis_of(call["dim"], dims)
    index = axis_of(call["index"], call.first.shape[axis])
    return _selected(call.of(call.first), axis, index, dims)


def unbound(call: Call) -> list[Dependence]:
    """Give what each slice along an axis depends on.

    Args:
        call: of ``unbind``, with its result.

    Returns:
        One dependence for each.
    """
    dims = call.first.ndim
    axis = axis_of(call["dim"], dims)
    return [_selected(call.of(call.first), axis, index, dims) for index in range(len(call.result))]


def split(call: Call) -> list[Dependence]:
    """Give what each part of a tensor that is split along an axis depends on.

    Args:
        call: of ``split`` and its like, with its result.

    Returns:
        One dependence for each.
    """
    axis = axis_of(call["dim"], call.first.ndim)
    size = call.first.shape[axis]
    counts = [part.shape[axis] for part in call.result]
    starts = [0, *accumulate(counts)]
    return [
        through_samplings(call.of(call.first), [Sampling(count, 1, start, start)], sizes=[size], first=axis)
        for start, count in zip(starts, counts, strict=False)
    ]


def _selected(dependence: Dependence, axis: int, index: int, dims: int) -> Dependence:
    places = {old: old - (old > axis) for old in range(dims) if old != axis}

    def change(reach: Reach) -> Reach | None:
        found = reach.selected(axis, index)
        return found and found.renumbered(places)

    return mapped(dependence, change, CUT)
