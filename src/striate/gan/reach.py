"""Reach: how many samples lie among real images, and how much of the data has a sample near."""

from __future__ import annotations

import math

from striate.core.finding import Finding, Level
from striate.gan.shares import percent, told
from striate.metrics.estimates import Estimate
from striate.metrics.neighbours import DENSITY_NEIGHBOURS as NEIGHBOURS

UNLIKE = 0.25
"""Samples are unlike the data where under this share of as many lie among real images as real ones do."""

UNREACHED = 0.5
"""Parts of the data are missing where under this share is reached of what real images would reach."""


def expected_coverage(real: int, samples: int) -> float:
    """Give the share of real images that as many other real images would be near to.

    None of n others is among the k nearest of an image, of m - 1 real ones and these, with probability
    ``(m-1)/(m-1+n) * (m-2)/(m-2+n) * ...`` (k factors), since all orders are equally likely.

    Args:
        real: how many are to be reached, over k.
        samples: how many others there are.

    Returns:
        The expectation, in [0, 1].

    >>> round(expected_coverage(500, 500), 3)
    0.969
    """
    return 1 - math.prod((real - 1 - nearer) / (real - 1 - nearer + samples) for nearer in range(NEIGHBOURS))


def judge_resemblance(among: Estimate, of_real: float, images: int) -> Finding:
    """Judge how many samples lie among real images.

    Args:
        among: of the samples.
        of_real: the share of other real images that lie among these.
        images: how many samples there were.

    Returns:
        ``unlike the data`` or ``healthy``; the value is the share of the samples.
    """
    verdict: str
    level: Level
    if among.interval[1] < UNLIKE * of_real:
        verdict, level = "unlike the data", "warning"
        advice = (
            "train longer; where it stays so, lower both learning rates, and look at the sheets for noise"
        )
    else:
        verdict, level, advice = "healthy", "note", ""
    return Finding(
        name="resemblance",
        verdict=verdict,
        level=level,
        message=(
            f"{told(among)} of {images} samples lie among real images, and {percent(of_real)} of other real "
            "ones do"
        ),
        advice=advice,
        value=among.value,
        interval=among.interval,
        images=images,
    )


def judge_coverage(covered: Estimate, expected: float, real: int) -> Finding:
    """Judge how many real images have a sample near.

    Args:
        covered: of the real images.
        expected: the share that other real images would reach, from `expected_coverage`.
        real: how many were to be reached.

    Returns:
        ``parts missing`` or ``healthy``; the value is the share of the real images.
    """
    verdict: str
    level: Level
    if covered.interval[1] < UNREACHED * expected:
        verdict, level = "parts missing", "warning"
        advice = (
            "train longer, or make the generator wider; a gradient penalty (R1) keeps it from dropping parts"
        )
    else:
        verdict, level, advice = "healthy", "note", ""
    return Finding(
        name="coverage",
        verdict=verdict,
        level=level,
        message=(
            f"{told(covered)} of {real} real images have a sample near, where {percent(expected)} would have "
            "another real one"
        ),
        advice=advice,
        value=covered.value,
        interval=covered.interval,
        images=real,
    )
