"""How soon each side of a benchmark reaches a level of accuracy, by its mean over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.studies.bench_results import Summary

ROUNDING = 1e-11
"""By how much a mean may miss a level, as rounding makes it."""


def compare(found: Sequence[Summary], *, ours: str) -> list[str]:
    """Say, for whole percents of mean accuracy that our side reaches, how soon, beside the fastest peer.

    Of several that the same two budgets are the fastest to, the highest stands for all.

    Args:
        found: every side with each of its budgets.
        ours: the name of our side.

    Returns:
        A sentence for each of those that some budget comes to; none where a side is missing.
    """
    mine = [each for each in found if each.side == ours]
    peers = [each for each in found if each.side != ours]
    if not mine or not peers:
        return []
    levels = sorted({math.floor(100 * (each.accuracy.mean + ROUNDING)) for each in found})
    highest = {(_fastest(level, mine), _fastest(level, peers)): level for level in levels}
    return [_compared(level, one, other, peers) for (one, other), level in highest.items() if one is not None]


def _compared(level: int, one: Summary, other: Summary | None, peers: Sequence[Summary]) -> str:
    mine = one.training_seconds.median
    said = f"{level} %: {one.side} after {mine:.1f} s of training ({_epochs(one)})"
    if other is None:
        best = max(peers, key=lambda each: each.accuracy.mean)
        return (
            f"{said}; no peer gets there, the best being {best.side} with {best.accuracy.percent()} after "
            f"{best.training_seconds.median:.1f} s"
        )
    theirs = other.training_seconds.median
    whole = other.process_seconds.median / one.process_seconds.median
    return (
        f"{said}, {other.side} after {theirs:.1f} s ({_epochs(other)}): {theirs / mine:.1f} times as "
        f"long; the whole process {whole:.1f} times as long"
    )


def _epochs(summary: Summary) -> str:
    return f"{summary.epochs:g} epoch{'s' if summary.epochs != 1 else ''}"


def _fastest(level: int, found: Sequence[Summary]) -> Summary | None:
    enough = [each for each in found if each.accuracy.mean >= level / 100 - ROUNDING]
    return min(enough, key=lambda each: each.training_seconds.median, default=None)
