"""Reach: how many samples lie among real images, and how much of the data has a sample near."""

from __future__ import annotations

from striate.core.finding import Finding, Level
from striate.gan.shares import percent, told
from striate.metrics.estimates import Estimate

UNLIKE = 0.25
"""Samples are unlike the data where under this share of as many lie among real images as real ones do."""

UNREACHED = 0.5
"""Parts of the data are missing where under this share is reached of what real images would reach."""


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
        expected: the share that other real images would reach, from `striate.metrics.expected_coverage`.
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
