"""How shares and their intervals are written in the sentences of a diagnosis."""

from __future__ import annotations

from striate.metrics.estimates import Estimate


def percent(share: float) -> str:
    """Write a share in per cent, with two digits that count.

    Args:
        share: in [0, 1].

    Returns:
        Such as ``0.10 %``, ``2.5 %`` or ``97 %``.

    >>> percent(0.001), percent(0.025), percent(0.97), percent(0.0), percent(0.00004)
    ('0.10 %', '2.5 %', '97 %', '0 %', '0.0040 %')
    """
    value = 100 * share
    if value < 1e-6 or value >= 9.95:
        return f"{value:.0f} %"
    return f"{value:#.2g} %"


def told(share: Estimate) -> str:
    """Write a share with its interval.

    Args:
        share: in [0, 1].

    Returns:
        The text.

    >>> told(Estimate(0.25, (0.2, 0.5)))
    '25 % (20 % to 50 %)'
    """
    low, high = share.interval
    return f"{percent(share.value)} ({percent(low)} to {percent(high)})"
