"""The tracer's rules for what takes many elements together: reductions, norms, matrix products, attention."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from torch import Tensor

from striate.geometry.calls import Call, axis_of
from striate.geometry.dependences import Dependence, joined, mapped
from striate.geometry.reshaping import broadcast, renumbered


def reduced(call: Call) -> Dependence:
    """Give what a sum, mean, maximum, norm or the like over axes depends on.

    Args:
        call: of any reduction.

    Returns:
        The dependence.
    """
    dims = call.first.ndim
    axes = reduced_axes(call)
    found = mixed_along(call.of(call.first), axes)
    if call.get("keepdim"):
        return found
    kept = [axis for axis in range(dims) if axis not in axes]
    return renumbered(found, {axis: place for place, axis in enumerate(kept)})


def mixed(call: Call) -> Dependence:
    """Give what an operation depends on that takes all elements along an axis for each: softmax, sorting.

    Args:
        call: of such an operation, which keeps the number of axes.

    Returns:
        The dependence.
    """
    return mixed_along(call.of(call.first), reduced_axes(call))


def reduced_axes(call: Call) -> set[int]:
    """Read the axes of a reduction.

    Args:
        call: of a reduction.

    Returns:
        The axes, counted from the front; all of them where none is named.
    """
    return _axes(call.get("dim"), call.first.ndim)


def mixed_along(dependence: Dependence, axes: Collection[int]) -> Dependence:
    """Give what elements depend on that are made of all those along axes.

    Args:
        dependence: of the elements they are made of.
        axes: along which.

    Returns:
        The dependence, on the same axes.
    """
    return mapped(dependence, lambda reach: reach.reduced(axes))


def layer_norm(call: Call) -> Dependence:
    """Give what a norm over the last axes depends on.

    Args:
        call: of ``native_layer_norm``.

    Returns:
        The dependence.
    """
    dims = call.first.ndim
    return mixed_along(call.of(call.first), range(dims - len(call["normalized_shape"]), dims))


def group_norm(call: Call) -> Dependence:
    """Give what a norm over groups of channels depends on: every place of the image.

    Args:
        call: of ``native_group_norm``.

    Returns:
        The dependence.
    """
    return mixed_along(call.of(call.first), range(1, call.first.ndim))


def batch_norm(call: Call) -> Dependence:
    """Give what a batch norm depends on: its own place, or every one where the batch's own figures are used.

    Args:
        call: of ``native_batch_norm`` and its like.

    Returns:
        The dependence.
    """
    if not call.get("training"):
        return call.of(call.first)
    return mixed_along(call.of(call.first), {0, *range(2, call.first.ndim)})


def matrix_product(call: Call) -> Dependence:
    """Give what a product of matrices or vectors depends on.

    Args:
        call: of ``mm``, ``bmm``, ``addmm``, ``baddbmm``, ``mv``, ``addmv`` or ``dot``, with its result.

    Returns:
        The dependence.
    """
    left, right = factors(call)
    batch = left.ndim - 2 if left.ndim > 1 else 0
    rows = left.ndim - 2
    found = [
        _contracted(call.of(left), {left.ndim - 1}, {axis: axis for axis in range(left.ndim - 1)}),
        _contracted(
            call.of(right),
            {batch},
            {**{axis: axis for axis in range(batch)}, batch + 1: rows + 1},
        ),
    ]
    if call.name in ("addmm", "baddbmm", "addmv"):
        found.append(broadcast(call.of(call.first), call.first.shape, call.output.shape))
    return joined(found)


def factors(call: Call) -> tuple[Tensor, Tensor]:
    """Give the two tensors that a product multiplies.

    Args:
        call: of one of those that `matrix_product` takes.

    Returns:
        The left and the right one.
    """
    tensors = [value for value in call.values if isinstance(value, Tensor)]
    return tensors[-2], tensors[-1]


def attention(call: Call) -> Dependence:
    """Give what scaled dot-product attention depends on: its query, and all keys and values.

    Args:
        call: of ``_scaled_dot_product_flash_attention`` and its like.

    Returns:
        The dependence.
    """
    query, key, value = call["query"], call["key"], call["value"]
    last = query.ndim - 1
    found = [
        mixed_along(call.of(query), {last}),
        mixed_along(call.of(key), {last, last - 1}),
        mixed_along(call.of(value), {last - 1}),
    ]
    mask = call.get("attn_mask") if call.get("attn_mask") is not None else call.get("attn_bias")
    if isinstance(mask, Tensor):
        scores = (*query.shape[:-1], key.shape[-2])
        found.append(mixed_along(broadcast(call.of(mask), mask.shape, scores), {last}))
    return joined(found)


def recurrent(given: Dependence, *, dims: int, time: int) -> Dependence:
    """Give what a recurrent layer depends on: at every step, any step.

    Args:
        given: what its input depends on.
        dims: axes of the input.
        time: the axis of the steps.

    Returns:
        The dependence of the sequence that comes out.
    """
    return mixed_along(given, {time, dims - 1})


def _contracted(dependence: Dependence, axes: Collection[int], places: Mapping[int, int]) -> Dependence:
    return renumbered(mixed_along(dependence, axes), places)


def _axes(value: Any, dims: int) -> set[int]:
    """Read the axes of a reduction; all of them where none is named."""
    if value is None or (isinstance(value, Iterable) and not list(value)):
        return set(range(dims))
    named = [value] if isinstance(value, int) else value
    return {axis_of(each, dims) for each in named}
