"""The tracer's rules for what joins tensors, element by element or side by side, and takes elements out."""

from __future__ import annotations

from striate.geometry.calls import Call, axis_of, tensors_in
from striate.geometry.dependences import Dependence, joined, mapped, unknown
from striate.geometry.mixing import mixed_along
from striate.geometry.reaches import Sampling
from striate.geometry.reshaping import broadcast, renumbered
from striate.geometry.windows import through_samplings

SIDE_BY_SIDE = "it lays parts of which each has positions of its own side by side"
TAKEN = "it takes elements out of places that are computed"


def pointwise(call: Call) -> Dependence:
    """Give what an operation element by element depends on.

    Args:
        call: of any such operation, with its result.

    Returns:
        The union over its arguments, broadcast against each other.
    """
    shape = call.output.shape
    return joined(broadcast(call.of(tensor), tensor.shape, shape) for tensor in tensors_in(call.values))


def gated(call: Call) -> Dependence:
    """Give what a gated linear unit depends on: both halves of an axis.

    Args:
        call: of ``glu``.

    Returns:
        The dependence.
    """
    axis = axis_of(call["dim"], call.first.ndim)
    size = call.first.shape[axis]
    given = call.of(call.first)
    halves = [Sampling(size // 2, 1, start, start) for start in (0, size // 2)]
    return joined(through_samplings(given, [half], sizes=[size], first=axis) for half in halves)


def concatenated(call: Call) -> Dependence:
    """Give what tensors laid one after another along an axis depend on.

    Args:
        call: of ``cat``, with its result.

    Returns:
        The dependence; unknown where several depend on the input and one has positions along that axis.
    """
    tensors = [tensor for tensor in call["tensors"] if tensor.ndim == call.output.ndim]
    axis = axis_of(call["dim"], call.output.ndim)
    parts, start, total = [], 0, call.output.shape[axis]
    for tensor in tensors:
        size = tensor.shape[axis]
        moved = Sampling(total, 1, -start, -start)
        parts.append(through_samplings(call.of(tensor), [moved], sizes=[size], first=axis))
        start += size
    along = any(_has_positions(call.of(tensor), axis) for tensor in tensors)
    found = joined(parts)
    return unknown(found, SIDE_BY_SIDE) if along and sum(map(bool, parts)) > 1 else found


def stacked(call: Call) -> Dependence:
    """Give what tensors depend on that are laid along an axis of their own.

    Args:
        call: of ``stack``, with its result.

    Returns:
        The dependence.
    """
    added = axis_of(call["dim"], call.output.ndim)
    places = {axis: axis + (axis >= added) for axis in range(call.output.ndim - 1)}
    return joined(renumbered(call.of(tensor), places) for tensor in call["tensors"])


def copied(call: Call) -> Dependence:
    """Give what a tensor depends on after another was written over it.

    Args:
        call: of ``copy_``.

    Returns:
        The dependence of what was written.
    """
    source = call["src"]
    return broadcast(call.of(source), source.shape, call.first.shape)


def nothing(call: Call) -> Dependence:
    """Say that what comes out depends on no input: shapes count, values do not.

    Args:
        call: of ``zeros_like``, ``fill_`` and their like.

    Returns:
        No dependence.
    """
    del call
    return {}


def indexed(call: Call) -> Dependence:
    """Give what elements depend on that indices take out: any along the axes that are indexed.

    Which of them are taken may depend on the input too; that is not counted, as it is not for a maximum.

    Args:
        call: of ``index``, with its result.

    Returns:
        The dependence.
    """
    tensor = call.first
    indices = call["indices"]
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    given = call.of(tensor)
    if not given:
        return _of_indices(call)
    added = max(index.ndim for index in indices if index is not None)
    together = axes == list(range(axes[0], axes[-1] + 1))
    place = axes[0] if together else 0  # where the axes of the indices come to stand
    kept = [axis for axis in range(tensor.ndim) if axis not in axes]
    before = [axis for axis in kept if together and axis < place]
    places = {axis: number + (0 if axis in before else added) for number, axis in enumerate(kept)}
    return renumbered(mixed_along(given, axes), places)


def put(call: Call) -> Dependence:
    """Give what a tensor depends on some of whose elements were set: known where a mask says which.

    Args:
        call: of ``index_put``.

    Returns:
        The dependence; unknown where places are computed, or each gets a value of its own.
    """
    tensor, masks, value = call.first, call["indices"], call["values"]
    every = joined(call.of(each) for each in tensors_in(call.values))
    if len(masks) == 1 and masks[0] is not None and masks[0].shape == tensor.shape and value.numel() == 1:
        return joined(
            [call.of(tensor), call.of(masks[0]), broadcast(call.of(value), value.shape, tensor.shape)]
        )
    return unknown(every, TAKEN)


def gathered(call: Call) -> Dependence:
    """Give what elements depend on that are gathered along one axis: any of those along it.

    Args:
        call: of ``gather`` or ``index_select``.

    Returns:
        The dependence.
    """
    given = call.of(call.first)
    if not given:
        return _of_indices(call)
    return mixed_along(given, {axis_of(call["dim"], call.first.ndim)})


def embedded(call: Call) -> Dependence:
    """Give what embeddings depend on: the numbers of which they are.

    Args:
        call: of ``embedding``.

    Returns:
        The dependence of the indices, with one axis more.
    """
    return call.dependence("indices")


def _of_indices(call: Call) -> Dependence:
    found = joined(call.of(tensor) for tensor in tensors_in(call.values))
    return mapped(found, lambda reach: reach if not reach.digits else None, TAKEN)


def _has_positions(dependence: Dependence, axis: int) -> bool:
    return any(
        digit.axis == axis for seen in dependence.values() for reach in seen.reaches for digit in reach.digits
    )
