"""Progress of long preparations, told as events at most ten times a second."""

from __future__ import annotations

import time

from striate.core.events import Event, OnEvent

SECONDS_BETWEEN = 0.1


class Progress:
    """Counts what is done and tells it as ``prepare`` events.

    Args:
        on_event: who is told.
        what: the work, such as ``"decoding images"``.
        total: how much there is; ``None`` where that is unknown.
        unit: what is counted, such as ``"images"`` or ``"bytes"``.
        done: how much was done before.

    >>> seen = []
    >>> progress = Progress(seen.append, "decoding images", 2, "images")
    >>> progress.advance(1); progress.advance(1); progress.finish()
    >>> seen[-1].data["done"]
    2
    """

    def __init__(self, on_event: OnEvent, what: str, total: int | None, unit: str, done: int = 0) -> None:
        self._on_event = on_event
        self._what = what
        self._total = total
        self._unit = unit
        self._done = done
        self._told = -1
        self._next = 0.0

    def advance(self, amount: int = 1) -> None:
        """Count some more, and tell it if the last telling is long enough ago.

        Args:
            amount: how much was done since the last call.
        """
        self._done += amount
        if time.monotonic() >= self._next:
            self._tell()

    def finish(self) -> None:
        """Tell the last count, unless it has been told."""
        if self._told != self._done:
            self._tell()

    def _tell(self) -> None:
        self._told = self._done
        self._next = time.monotonic() + SECONDS_BETWEEN
        data = {"what": self._what, "done": self._done, "total": self._total, "unit": self._unit}
        self._on_event(Event("prepare", data))
