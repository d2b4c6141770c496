"""Confidence intervals of measured shares."""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson(successes: float, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Give the Wilson score interval of a share.

    With ``p = successes / trials`` and the normal quantile ``z``, the bounds are
    ``(p + z^2/2n ± z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)``; unlike ``p ± z sqrt(p(1-p)/n)``
    they stay in [0, 1] and hold near 0 and 1.

    Args:
        successes: how many trials succeeded, 0 to ``trials``; or the sum of a value in [0, 1] of each trial.
            None of the same mean varies more than successes and failures do, so the interval is wide enough.
        trials: how many were made, at least 1.
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
