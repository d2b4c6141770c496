"""A finding: one measured statement with its figures, a verdict on it, and what to try."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Level: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One measured statement.

    Args:
        name: what was measured, in a word that stays the same, such as ``diversity``.
        verdict: what is to be thought of it, in a word or two, such as ``healthy``.
        level: ``error`` (what was made is of no use), ``warning`` (worth looking at) or ``note``.
        message: one sentence without a full stop: what was measured, on how much, and what was found.
        advice: what to try, in the same form; empty where nothing is wrong.
        value: the figure that the verdict rests on; ``None`` where there is no single one.
        interval: in which it lies with 95 % confidence; ``None`` where none is known.
        images: on how many it was measured.

    >>> Finding(name="diversity", verdict="healthy", level="note", message="all differ", images=9).said
    'diversity healthy: all differ'
    """

    name: str
    verdict: str
    level: Level
    message: str
    images: int
    advice: str = ""
    value: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def said(self) -> str:
        """Everything in one sentence, for the message of an event or a line on a screen."""
        return f"{self.name} {self.verdict}: {self.message}" + (f"; {self.advice}" if self.advice else "")

    def to_dict(self) -> dict[str, Any]:
        """Give the finding as plain values, as JSON has them.

        Returns:
            Its fields by name; a figure that is no finite number is ``None``.
        """
        interval = None if self.interval is None else [_finite(bound) for bound in self.interval]
        return {**asdict(self), "value": _finite(self.value), "interval": interval}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
