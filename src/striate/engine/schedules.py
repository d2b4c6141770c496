"""Learning-rate schedules as functions of the share of the budget that is done."""

from __future__ import annotations


def rate_factor(share: float, *, schedule: str, warmup: float) -> float:
    """Give the factor by which the peak rate is multiplied.

    ``linear`` falls from 1 to 0; ``one-cycle`` rises linearly from 0 to 1 over the share ``warmup``
    and then falls linearly to 0. Both reach 0 exactly where the budget ends.

    Args:
        share: how much of the budget is done, in [0, 1]; values outside are clipped.
        schedule: ``linear`` or ``one-cycle``.
        warmup: the share in which one-cycle rises, in [0, 1).

    Returns:
        A factor in [0, 1].

    Source: Smith and Topin, Super-Convergence (2018); the cosine of their curve is left out.

    >>> rate_factor(0.05, schedule="one-cycle", warmup=0.1)
    0.5
    >>> rate_factor(1.0, schedule="linear", warmup=0.1)
    0.0
    """
    done = min(1.0, max(0.0, share))
    if schedule == "one-cycle" and done < warmup:
        return done / warmup
    start = warmup if schedule == "one-cycle" else 0.0
    return (1 - done) / (1 - start)


def late_decay(share: float, *, decay: float) -> float:
    """Give the factor of a rate that stays, and falls linearly to 0 at the end of the budget.

    Args:
        share: how much of the budget is done, in [0, 1]; values outside are clipped.
        decay: the last share of the budget, in which it falls, in [0, 1]; 0: it stays.

    Returns:
        A factor in [0, 1].

    >>> late_decay(0.5, decay=0.2), round(late_decay(0.9, decay=0.2), 6)
    (1.0, 0.5)
    """
    left = 1 - min(1.0, max(0.0, share))
    return min(1.0, left / decay) if decay > 0 else 1.0
