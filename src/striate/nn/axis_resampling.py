"""Resampling along one axis: of series, volumes and clips, each from places of its own."""

from __future__ import annotations

import torch
from torch import Tensor


def resample_axis(values: Tensor, places: Tensor, *, axis: int) -> Tensor:
    """Read each item of a batch at other places along one of its axes, linearly in between.

    What lies outside is the item itself, reflected at its first or last value.

    Args:
        values: N x C x spatial, floating-point.
        places: N x length, floating-point, on the CPU: 0 is the first value along the axis, 1 the second. The
            result has this length.
        axis: which spatial axis, from 0.

    Returns:
        A batch of the same type.

    >>> resample_axis(torch.tensor([[[0.0, 10.0, 20.0]]]), torch.tensor([[-1.0, 0.5, 2.0]]), axis=0)
    tensor([[[10.,  5., 20.]]])
    """
    length = values.shape[2 + axis]
    inside = _reflected(places.double(), length)
    low = inside.floor().clamp(max=max(0, length - 2)).long()
    moved = values.movedim(2 + axis, -1)
    for_all = (len(values), *(1 for _ in moved.shape[1:-1]), places.shape[1])
    first = low.view(for_all).to(values.device).expand(*moved.shape[:-1], -1)
    second = (first + 1).clamp(max=length - 1)
    shares = (inside - low).view(for_all).to(values.dtype).to(values.device)
    read = torch.lerp(moved.gather(-1, first), moved.gather(-1, second), shares)
    return read.movedim(-1, 2 + axis)


def _reflected(places: Tensor, length: int) -> Tensor:
    """Turn places outside back inside, as often as is needed, the ends themselves not repeated."""
    if length == 1:
        return torch.zeros_like(places)
    last = length - 1
    return last - (last - places.remainder(2 * last)).abs()
