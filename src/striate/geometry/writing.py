"""What becomes of a tensor when another one, which looks at the same memory, is written in place."""

from __future__ import annotations

from torch import Tensor

from striate.geometry.dependences import Dependence, unknown

WRITTEN = "it is written in place through a view"


def seen_through(written: Tensor, other: Tensor, dependence: Dependence) -> Dependence:
    """Give what a tensor gets to depend on when a part of its memory is written.

    Args:
        written: the view that is written.
        other: another view of the same memory.
        dependence: of what is written.

    Returns:
        The dependence of what reaches the other view: nothing where the views do not meet, and unknown where
        they do not have the same positions at the same indices.
    """
    if written.shape == other.shape and written.stride() == other.stride() and not _offset(written, other):
        return dependence
    axis = _sliced_axis(written, other)
    if axis is None:
        return unknown(dependence, WRITTEN)
    start = _offset(written, other) // written.stride(axis)
    if start >= other.shape[axis] or start + written.shape[axis] <= 0:
        return {}
    placed = any(
        digit.axis == axis for seen in dependence.values() for reach in seen.reaches for digit in reach.digits
    )
    return unknown(dependence, WRITTEN) if placed else dependence


def _offset(written: Tensor, other: Tensor) -> int:
    return int(written.storage_offset() - other.storage_offset())


def _sliced_axis(written: Tensor, other: Tensor) -> int | None:
    """Find the one axis along which two views are different slices of the same tensor."""
    if written.ndim != other.ndim or written.stride() != other.stride():
        return None
    offset = _offset(written, other)
    axes = [axis for axis in range(written.ndim) if written.shape[axis] != other.shape[axis]]
    if not axes:  # slices of the same size: along the axis whose steps lead from one to the other
        axes = [axis for axis, step in enumerate(written.stride()) if 0 < step <= abs(offset)][:1]
    if len(axes) != 1 or not written.stride(axes[0]) or offset % written.stride(axes[0]):
        return None
    return axes[0]
