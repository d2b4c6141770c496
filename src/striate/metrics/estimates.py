"""What a score of samples is, with its interval, and the resamples that the interval comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

RESAMPLES = 100
"""So many resamples an interval comes from, which tells its width to about 7 %."""

QUANTILE = 1.959964
"""Of the normal distribution, for intervals of 95 %."""


@dataclass(frozen=True)
class Estimate:
    """A figure measured on samples, and where it would lie with others of the same number.

    Args:
        value: what was measured.
        interval: of 95 %, for other samples of the same number; it says nothing of a bias that this number
            brings.

    >>> Estimate(2.0, (1.5, 2.5)).value
    2.0
    """

    value: float
    interval: tuple[float, float]


def resample_counts(images: int, resamples: int, *, seed: int) -> Tensor:
    """Draw resamples with replacement: how often each image is in each of them.

    Args:
        images: how many there are to draw from, N; each resample has as many.
        resamples: how many, R.
        seed: what the draws follow from.

    Returns:
        N x R, float64; each column adds up to N.

    >>> resample_counts(5, 3, seed=0).sum(dim=0).tolist()
    [5.0, 5.0, 5.0]
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(images, (images, resamples), generator=generator)
    ones = torch.ones(images, resamples, dtype=torch.float64)
    return torch.zeros_like(ones).scatter_add_(0, drawn, ones)


def estimate_of(
    value: float, deviation: float, *, lowest: float = -math.inf, highest: float = math.inf
) -> Estimate:
    """Put an interval around a figure, as wide as the figures of resamples scatter.

    ``value ± 1.96 deviation``. It is centred at the figure, not at theirs: where a figure is biased, that of
    a resample, which has fewer different images, is more so.

    Args:
        value: the figure.
        deviation: the standard deviation of the same of resamples.
        lowest: what the figure cannot be under.
        highest: what it cannot be over.

    Returns:
        The figure with its interval, which is cut to what can be.

    >>> low, high = estimate_of(1.0, 2.0, lowest=0).interval
    >>> low, round(high, 3)
    (0, 4.92)
    """
    half = QUANTILE * deviation
    return Estimate(value, (max(lowest, value - half), min(highest, value + half)))
