"""A policy for series, volumes and clips: random changes of place along each axis, then of values.

All changes of place are composed before anything is read: along each axis every item is resampled once, and
not at all where nothing moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from striate.data.changes import on_rows
from striate.data.policy import ROOM, ROOM_ELSEWHERE, Draws, Policy
from striate.nn import resample_axis
from striate.nn.planes import even_parts


@dataclass(frozen=True)
class AxisPolicy(Policy):
    """Mirror along the last axis, shift by whole values, and change in any other ways.

    Series are shifted along time, volumes and clips within their planes. Chance is drawn, and mixed, as for
    images.

    Args:
        flip: whether items are mirrored along their last axis.
        shift: the largest shift in values along each axis.
        changes: what else is done.

    >>> series = torch.arange(8.0).view(1, 1, 8)
    >>> policy = AxisPolicy(flip=True, shift=0)
    >>> policy(series, torch.tensor([True]), torch.Generator())[0, 0, :3]
    tensor([7., 6., 5.])
    """

    def change(self, images: Tensor, draws: Draws) -> Tensor:
        """Change items as was drawn, every one by itself.

        Args:
            images: N x C x spatial: uint8 of pixels, or floating-point of any numbers.
            draws: for these items.

        Returns:
            A new batch of the same shape and type.
        """
        result = torch.empty_like(images)
        places = self._places(draws, images.shape[2:])
        room = ROOM if images.device.type == "cpu" else ROOM_ELSEWHERE
        for rows in even_parts(len(images), max(1, room // max(1, images[:1].numel()))):
            some = images[rows].to(torch.float32, copy=True)
            some = _moved(some, [each[rows] for each in places])
            for change, drawn in zip(self.changes, draws.changes, strict=True):
                some = change.alter(some, drawn[rows])
            result[rows] = some if images.is_floating_point() else some.round_().clamp_(0, 255)
        return result

    def _places(self, draws: Draws, size: Sequence[int]) -> list[Tensor]:
        """Give where every value comes from: the last change first, which reads what those before made."""
        count = len(draws.mirrored)
        places = [torch.arange(side, dtype=torch.float64).repeat(count, 1) for side in size]
        for change, drawn in reversed(list(zip(self.changes, draws.changes, strict=True))):
            places = change.along(places, drawn)
        for axis in range(min(2, len(size))):  # right, and down where there is a plane
            places[-1 - axis] = places[-1 - axis] - draws.moved[:, axis : axis + 1]
        mirrored = size[-1] - 1 - places[-1]
        places[-1] = torch.where(draws.mirrored[:, None], mirrored, places[-1])
        return places


def _moved(values: Tensor, places: list[Tensor]) -> Tensor:
    """Resample the items that something moved, along the axes along which it did."""
    for axis, each in enumerate(places):
        moved = (each != torch.arange(each.shape[1], dtype=each.dtype)).any(dim=1)

        def read(some: Tensor, rows: Tensor, each: Tensor = each, axis: int = axis) -> Tensor:
            return resample_axis(some, each[rows], axis=axis)

        values = on_rows(values, moved, read)
    return values
