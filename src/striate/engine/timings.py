"""How long the parts of a work took, by name, with the device waited for at both ends of each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Timings:
    """Seconds by name; a part that happens again adds to what it took before.

    Args:
        device: on which the work is done.

    >>> timings = Timings()
    >>> with timings.of("sleep"):
    ...     time.sleep(0.01)
    >>> timings.seconds["sleep"] >= 0.01
    True
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = device
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Time a block.

        Args:
            name: of the part.
        """
        self._wait()
        began = time.perf_counter()
        try:
            yield
        finally:
            self._wait()
            self.add(name, time.perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        """Add what was measured elsewhere.

        Args:
            name: of the part.
            seconds: that it took.
        """
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def _wait(self) -> None:
        if self._device.startswith("cuda"):
            torch.cuda.synchronize(self._device)
