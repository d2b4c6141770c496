"""An order of images in which all classes occur equally often, however many images each of them has."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.core.seeds import derive


class BalancedOrder:
    """Orders of as many images as there are, in which every class is as frequent as every other.

    Each class goes through its images in random order, then through all of them again in another one, and
    goes on in the next epoch where it has stopped. So images of rare classes come several times in an epoch
    and those of frequent ones not in every epoch, but all of a class equally often in the long run.

    Args:
        labels: N int64, on the CPU.
        seed: derives the orders.

    >>> order = BalancedOrder(torch.tensor([0, 0, 0, 0, 0, 1]), seed=0)(0)
    >>> (order == 5).sum()
    tensor(3)
    """

    def __init__(self, labels: Tensor, *, seed: int) -> None:
        self._seed, self._count = seed, len(labels)
        counts = torch.bincount(labels).tolist()
        self._members = [(labels == label).nonzero()[:, 0] for label, count in enumerate(counts) if count]
        self._each = -(-self._count // len(self._members))

    def __call__(self, epoch: int) -> Tensor:
        """Give the order of an epoch.

        Args:
            epoch: its number, from 0.

        Returns:
            N int64: numbers of images, some of them several times.
        """
        drawn = torch.cat([self._drawn(number, epoch) for number in range(len(self._members))])
        generator = torch.Generator().manual_seed(derive(self._seed, "order", epoch))
        return drawn[torch.randperm(len(drawn), generator=generator)[: self._count]]

    def _drawn(self, number: int, epoch: int) -> Tensor:
        """Give the images of a class that an epoch shows: its part of one shuffled round after another."""
        members, start = self._members[number], epoch * self._each
        stop, size = start + self._each, len(members)
        first, last = start // size, (stop - 1) // size
        if first == last:
            return self._round(number, first)[start - first * size : stop - first * size]
        begun, ended = self._round(number, first)[start - first * size :], self._round(number, last)
        return torch.cat([begun, members.repeat(last - first - 1), ended[: stop - last * size]])

    def _round(self, number: int, turn: int) -> Tensor:
        members = self._members[number]
        generator = torch.Generator().manual_seed(derive(self._seed, "balance", number, turn))
        return members[torch.randperm(len(members), generator=generator)]
