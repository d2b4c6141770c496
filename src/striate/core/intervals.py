"""Confidence intervals of measured shares."""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson(successes: float, trials: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """Give the Wilson score interval of a share.

    With ``p = successes / trials`` and the normal quantile ``z``, the bounds are
    ``(p + z^2/2n ± z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)``; unlike ``p ± z sqrt(p(1-p)/n)``
    they stay in [0, 1] and hold near 0 and 1.

    Args:
        successes: how many trials succeeded, 0 to ``trials``; or the sum of a value in [0, 1] of each trial.
            None of the same mean varies more than successes and failures do, so the interval is wide enough.
        trials: how many were made, at least 1; no whole number where several means are one.
        confidence: coverage of the interval, in (0, 1).

    Returns:
        Lower and upper bound, both in [0, 1].

    Raises:
        ValueError: where the counts or the confidence are out of range.

    Source: Wilson, Journal of the American Statistical Association 22 (1927).

    >>> low, high = wilson(90, 100)
    >>> round(low, 4), round(high, 4)
    (0.8256, 0.9448)
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} of {trials} is not a share")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not in (0, 1)")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def newcombe(
    successes: float, trials: int, other_successes: float, other_trials: int, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Give the interval of the difference of two shares that were measured independently.

    With the shares ``p`` and ``q`` and their Wilson intervals ``(l, u)`` and ``(l', u')``, the bounds are
    ``p - q - sqrt((p - l)^2 + (u' - q)^2)`` and ``p - q + sqrt((u - p)^2 + (q - l')^2)``; unlike the usual
    ones, they hold where shares are near 0 or 1, and where few trials were made.

    Args:
        successes, trials: of the first share, as for `wilson`.
        other_successes, other_trials: of the one that is subtracted.
        confidence: coverage of the interval, in (0, 1).

    Returns:
        Lower and upper bound, both in [-1, 1].

    Raises:
        ValueError: where the counts or the confidence are out of range.

    Source: Newcombe, Statistics in Medicine 17 (1998), pages 873 to 890, method 10.

    >>> low, high = newcombe(56, 70, 48, 80)
    >>> round(low, 4), round(high, 4)
    (0.0524, 0.3339)
    """
    low, high = wilson(successes, trials, confidence=confidence)
    other_low, other_high = wilson(other_successes, other_trials, confidence=confidence)
    share, other = successes / trials, other_successes / other_trials
    below, above = math.hypot(share - low, other_high - other), math.hypot(high - share, other - other_low)
    return share - other - below, share - other + above
