"""The figures of steps that no process has told the others of yet."""

from __future__ import annotations

from collections import deque

from torch import Tensor


class Tally:
    """Sums of what steps came to: losses, right predictions, what their images count, and how many they are.

    A step's figures may still be on their way from a GPU when the next one begins; they wait until they are
    read.

    >>> import torch
    >>> tally = Tally()
    >>> tally.note(torch.tensor(0.5), torch.tensor(3), 4, 4)
    >>> tally.read(0)
    >>> tally.taken(), tally.taken()
    ([2.0, 3.0, 4.0, 4.0], [0.0, 0.0, 0.0, 0.0])
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Tensor, Tensor, Tensor | int, int]] = deque()
        self._sums = [0.0] * 4

    def note(self, loss: Tensor, right: Tensor, weight: Tensor | int, count: int) -> None:
        """Take a step's figures where they are, to be read later.

        Args:
            loss: the mean over its images.
            right: how many are predicted correctly, each times what it counts.
            weight: what all of them count.
            count: how many there are.
        """
        self._waiting.append((loss, right, weight, count))

    def read(self, left: int) -> None:
        """Read the figures of this process's steps, but for the latest ones.

        Args:
            left: how many of these.
        """
        while len(self._waiting) > left:
            loss, right, weight, count = self._waiting.popleft()
            if count:
                self.add(loss.item() * float(weight), right.item(), float(weight), count)

    def add(self, *figures: float) -> None:
        """Add figures that are known already.

        Args:
            figures: the sum of the losses, and the other three as for `note`.
        """
        self._sums = [old + more for old, more in zip(self._sums, figures, strict=True)]

    def taken(self) -> list[float]:
        """Give the sums of all that was read, and begin anew.

        Returns:
            The sum of the losses, and the other three as for `note`.
        """
        sums, self._sums = self._sums, [0.0] * 4
        return sums
