"""The kinds of parameters that a search draws: one of some names, whole numbers, and real numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = str | int | float


@dataclass(frozen=True)
class Choice:
    """One of some names.

    Args:
        name: of the parameter.
        options: at least one.
    """

    name: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Whole:
    """A whole number.

    Args:
        name: of the parameter.
        low: the smallest.
        high: the largest, a whole number of steps above.
        step: between one and the next.
    """

    name: str
    low: int
    high: int
    step: int = 1


@dataclass(frozen=True)
class Real:
    """A real number.

    Args:
        name: of the parameter.
        low: the smallest.
        high: the largest.
        step: between one and the next; ``None``: there is none, and it is drawn evenly by its logarithm.
    """

    name: str
    low: float
    high: float
    step: float | None = None


Parameter: TypeAlias = Choice | Whole | Real
Draw: TypeAlias = Callable[[Parameter], Value]
"""Gives the value of a parameter."""
