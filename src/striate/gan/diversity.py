"""Diversity: how often two samples of a generator are alike, against how often two real images are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from striate.core.finding import Finding, Level
from striate.gan.shares import percent, told
from striate.metrics.estimates import QUANTILE, Estimate, estimate_of

ALIKE = 0.001
"""Two images are alike where they are nearer to each other than all but this share of pairs of real ones."""

GREY_LEVEL = 1 / 255
"""Two images are alike in any case where the values of their thumbnails differ by no more, on the mean."""

COLLAPSED_TIMES = 25.0
"""From so many times the real images' share of pairs alike on, a generator has collapsed: at `ALIKE`, that is
when samples are alike as often as those of 40 images drawn again and again."""

NARROW_TIMES = 5.0
"""From so many times on, samples are less diverse than they ought to be."""

AGAINST_COLLAPSE = (
    "start again with another seed, or go back to an earlier checkpoint; a gradient penalty (R1), a lower "
    "rate of the discriminator and fewer of its steps make collapses rarer"
)
"""What is to be tried where a generator has collapsed."""


def alike_radius(real: Tensor) -> float:
    """Give the distance under which two images count as alike.

    Args:
        real: thumbnails of real images, N x D with N at least 2.

    Returns:
        The `ALIKE` quantile of the distances of all pairs, and at least that of `GREY_LEVEL` in every value.
    """
    distances = torch.pdist(real)
    rank = max(1, math.ceil(ALIKE * len(distances)))
    # Other routines find the same distances by other roundings, and the pair itself must count.
    at_rank = float(distances.kthvalue(rank).values) * (1 + 1e-5)
    return max(at_rank, GREY_LEVEL * math.sqrt(real.shape[1]))


def alike_share(thumbnails: Tensor, radius: float) -> Estimate:
    """Count how many of all pairs of images are alike.

    One over the share is the number of different images, each as frequent as the others, of which samples
    would be alike as often.

    Args:
        thumbnails: of samples, N x D with N at least 2.
        radius: from `alike_radius`.

    Returns:
        The share, and an interval from the spread of how many each sample is alike with (the jackknife's).

    Source: Arora and Zhang, Do GANs actually learn the distribution? An empirical study (2017), section 3.2,
    where people look for twins in a batch; the distance that stands for them, and the interval, are ours.

    >>> alike_share(torch.tensor([[0.0], [0.0], [1.0]]), 0.5).value
    0.3333333333333333
    """
    count = len(thumbnails)
    near = torch.cdist(thumbnails, thumbnails, compute_mode="donot_use_mm_for_euclid_dist") <= radius
    shares = (near.sum(dim=1).double() - 1) / (count - 1)
    value = float(shares.mean())
    error = 2 * float(shares.std()) / math.sqrt(count)
    # Where no pair is alike, three of as many could be by chance.
    hidden = 3 / (count * (count - 1) / 2) / QUANTILE
    return estimate_of(value, max(error, hidden), lowest=0, highest=1)


def judge_diversity(alike: Estimate, of_real: float, images: int) -> Finding:
    """Judge how often samples are alike.

    Args:
        alike: of pairs of samples.
        of_real: the share of pairs of real images that are alike, above 0.
        images: how many samples there were.

    Returns:
        ``collapsed``, ``narrow`` or ``healthy``; the value is how many times as often as real images
        samples are alike.
    """
    low, high = (bound / of_real for bound in alike.interval)
    message = f"{told(alike)} of the pairs of {images} samples are alike, and {percent(of_real)} of real ones"
    verdict: str
    level: Level
    if low >= COLLAPSED_TIMES:
        verdict, level, advice = "collapsed", "error", AGAINST_COLLAPSE
    elif low >= NARROW_TIMES:
        verdict, level = "narrow", "warning"
        advice = "watch it: where it gets worse, a gradient penalty (R1) or lower learning rates help"
    else:
        verdict, level, advice = "healthy", "note", ""
    if level != "note":
        message += f", as if there were {_different(alike.value)}"
    return Finding(
        name="diversity",
        verdict=verdict,
        level=level,
        message=message,
        advice=advice,
        value=alike.value / of_real,
        interval=(low, high),
        images=images,
    )


def _different(alike: float) -> str:
    count = max(1, round(1 / alike))
    return "one image" if count == 1 else f"{count} different images"
