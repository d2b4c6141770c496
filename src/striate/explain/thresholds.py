"""The threshold over which a unit counts as active: exact, from its largest values, kept batch by batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from striate.core.errors import ShapeError

MOST_KEPT = 2**29
"""How many values are kept at once, at most, of all units together: 2 GiB."""


class TopShare:
    """Keeps the largest values of each unit, and gives the threshold that a share of all values exceeds.

    Of the M values of a unit the floor(share M) + 1 largest are kept, and the smallest of these is the
    threshold T: as many as floor(share M) are over it, fewer only where several are equal to it.

    Args:
        units: how many.
        total: M, the values of each unit that will come.
        share: in (0, 1).

    >>> top = TopShare(1, total=10, share=0.2)
    >>> top.add(torch.tensor([[3.0, 1.0, 4.0, 1.0, 5.0]]))
    >>> top.add(torch.tensor([[9.0, 2.0, 6.0, 5.0, 3.0]]))
    >>> top.thresholds().tolist()  # 9 and 6 are over it
    [5.0]
    """

    def __init__(self, units: int, *, total: int, share: float) -> None:
        self.count = math.floor(share * total) + 1
        self.size = units * self.count
        self._kept = torch.empty(units, 0)

    def add(self, values: Tensor) -> None:
        """Take some more values of each unit.

        Args:
            values: floating point, units x any number.
        """
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        kept = self._kept.to(values)
        if kept.shape[1] == self.count:
            # Only what exceeds the least of those kept can count, and of later batches that is little.
            over = int((values > kept.amin(dim=1, keepdim=True)).sum(dim=1).amax())
            if over == 0:
                return
            values = values.topk(over, dim=1, sorted=False).values
        both = torch.cat([kept, values], dim=1)
        count = min(self.count, both.shape[1])
        self._kept = both.topk(count, dim=1, sorted=False).values

    def thresholds(self) -> Tensor:
        """Give the threshold of each unit.

        Returns:
            float32 (units).
        """
        return self._kept.amin(dim=1)


def check_memory(collected: dict[str, TopShare]) -> None:
    """Refuse to keep more values than memory should be used for.

    Args:
        collected: by layer.

    Raises:
        ShapeError: with the arithmetic, and what would do.

    >>> check_memory({"conv": TopShare(8, total=1000, share=0.01)})
    """
    total = sum(top.size for top in collected.values())
    if total <= MOST_KEPT:
        return
    largest = max(collected, key=lambda name: collected[name].size)
    top = collected[largest]
    raise ShapeError(
        f"the exact thresholds of these layers need the largest {total:,} values, {4 * total / 1e9:.1f} GB, "
        f"and {4 * MOST_KEPT / 1e9:.1f} GB are allowed; most go to {largest!r}, {top.size // top.count} "
        f"units of {top.count:,}; fewer layers at a time, fewer images or a smaller share would do"
    )
