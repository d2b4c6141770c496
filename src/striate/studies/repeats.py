"""What trainings repeated with other seeds say together: their mean, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True)
class Mean:
    """A mean of repetitions with its 95 % interval.

    Args:
        mean: of the values.
        low: lower bound; ``None`` for a single value, which says nothing of others.
        high: upper bound, likewise.
        count: how many values there were.
    """

    mean: float
    low: float | None
    high: float | None
    count: int

    def percent(self) -> str:
        """Write the mean of shares in percent, with half the width of its interval.

        Returns:
            The text.

        >>> mean_of([0.90, 0.92, 0.94]).percent()
        '92.00 ± 4.97 %'
        """
        return f"{100 * self.mean:.2f}{self._spread()} %"

    def points(self) -> str:
        """Write the mean of differences between shares in percentage points, with half the interval's width.

        Returns:
            The text, with its sign.

        >>> mean_of([0.01, 0.02]).points()
        '+1.50 ± 6.35 points'
        """
        return f"{100 * self.mean:+.2f}{self._spread()} points"

    def _spread(self) -> str:
        return "" if self.high is None else f" ± {100 * (self.high - self.mean):.2f}"


def mean_of(values: Sequence[float]) -> Mean:
    """Compute the mean of repeated measurements and Student's 95 % interval of it.

    ``mean ± t s / sqrt(n)``, with the sample's deviation ``s`` and the 97.5 % quantile ``t`` of Student's
    distribution with ``n - 1`` degrees of freedom. It takes the values as drawn from a normal distribution;
    what it covers is another seed (weights, order, images drawn), not another set of test images.

    Args:
        values: at least one.

    Returns:
        The mean with its interval.

    Source: Student, The probable error of a mean, Biometrika 6 (1908).

    >>> mean_of([1.0, 2.0, 3.0])  # doctest: +ELLIPSIS
    Mean(mean=2.0, low=-0.484..., high=4.484..., count=3)
    """
    mean, count = fmean(values), len(values)
    if count == 1:
        return Mean(mean, None, None, 1)
    spread = student_quantile(0.95, count - 1) * stdev(values) / math.sqrt(count)
    return Mean(mean, mean - spread, mean + spread, count)


def student_quantile(confidence: float, freedom: int) -> float:
    """Compute how far from 0 Student's distribution has a share of its weight on both sides.

    Args:
        confidence: the share, in (0, 1).
        freedom: degrees of freedom, at least 1.

    Returns:
        The t with ``P(|T| <= t) = confidence``.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.3 and 26.7.4, solved for t
    by bisection.

    >>> round(student_quantile(0.95, 4), 4)
    2.7764
    """
    low, high = 0.0, math.pi / 2
    for _ in range(80):
        middle = (low + high) / 2
        if _coverage(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan(low)


def _coverage(angle: float, freedom: int) -> float:
    """Give P(|T| <= t) for tan(angle) = t / sqrt(freedom)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2 == 1
    term = total = cosine if odd else 1.0
    for power in range(3 if odd else 2, freedom, 2):
        term *= (power - 1) / power * cosine**2
        total += term
    if not odd:
        return sine * total
    return 2 / math.pi * (angle + (sine * total if freedom > 1 else 0.0))
