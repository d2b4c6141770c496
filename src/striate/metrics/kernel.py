"""The kernel distance between real and generated images (KID by Inception's features), without bias."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.core.seeds import derive
from striate.metrics.estimates import RESAMPLES, Estimate, estimate_of, resample_counts
from striate.metrics.sample_features import checked_features

BLOCK_ELEMENTS = 2**22
"""Kernel values that are held at once: 32 MiB."""


def kernel_distance(real: Tensor, generated: Tensor) -> float:
    """Give the squared maximum mean discrepancy of two sets of features under a cubic kernel.

    ``mean k(x, x') + mean k(y, y') - 2 mean k(x, y)`` with ``k(a, b) = (a·b / D + 1)^3``, the first two over
    all pairs of different images.

    Args:
        real: N x D, of real images, at least 2.
        generated: M x D, of generated images, at least 2.

    Returns:
        The distance; its expectation is that of infinitely many images, so that it can be under 0 where the
        distributions are the same.

    Raises:
        ShapeError: where they are no tables of the same width, or one has fewer than 2 rows.
        TrainingError: where a feature is not a finite number.

    Source: Bińkowski et al., Demystifying MMD GANs, ICLR 2018, section 4. Differs: all pairs are taken, to
    which the mean over random subsets of a thousand images, as usually reported, comes near by chance.

    >>> kernel_distance(torch.tensor([[1.0], [1.0]]), torch.tensor([[0.0], [0.0]]))
    7.0
    """
    real, generated = checked_features(real, generated)
    ones = torch.ones(len(real), 1, dtype=torch.float64), torch.ones(len(generated), 1, dtype=torch.float64)
    return float(_discrepancies(real, generated, *ones))


def kernel_estimate(
    real: Tensor, generated: Tensor, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Give the kernel distance with its interval, all resamples in one pass over the pairs.

    Args:
        real: N x D, of real images, at least 10.
        generated: M x D, of generated images, at least 10.
        resamples: of both sets, from which the interval comes, at least 2.
        seed: what the draws follow from.

    Returns:
        The distance with its interval.

    Raises:
        ShapeError: where they are no tables of the same width, or one has fewer than 10 rows.
        TrainingError: where a feature is not a finite number.
    """
    # Of fewer images a resample may hold a single one, which makes no pair.
    real, generated = checked_features(real, generated, least=10)
    ours = _counts(len(real), resamples, seed=derive(seed, "real"))
    theirs = _counts(len(generated), resamples, seed=derive(seed, "generated"))
    found = _discrepancies(real, generated, ours, theirs)
    return estimate_of(float(found[0]), float(found[1:].std()))


def _counts(images: int, resamples: int, *, seed: int) -> Tensor:
    """Give how often each image is in the sample itself, which is once, and in each resample."""
    once = torch.ones(images, 1, dtype=torch.float64)
    return torch.cat([once, resample_counts(images, resamples, seed=seed)], dim=1)


def _discrepancies(real: Tensor, generated: Tensor, ours: Tensor, theirs: Tensor) -> Tensor:
    """Give the discrepancy of each column of counts."""
    between = _kernel_sums(real, generated, ours, theirs) / (len(real) * len(generated))
    return _mean_within(real, ours) + _mean_within(generated, theirs) - 2 * between


def _mean_within(features: Tensor, counts: Tensor) -> Tensor:
    """Give the mean over pairs of different images, those drawn twice not paired with themselves."""
    same = counts.square()
    own = _cubic(features.square().sum(dim=1), features.shape[1])
    pairs = len(features) ** 2 - same.sum(dim=0)
    return (_kernel_sums(features, features, counts, counts) - own @ same) / pairs


def _kernel_sums(one: Tensor, other: Tensor, of_one: Tensor, of_other: Tensor) -> Tensor:
    rows = max(1, BLOCK_ELEMENTS // len(other))
    total = torch.zeros(of_one.shape[1], dtype=torch.float64)
    for start in range(0, len(one), rows):
        values = _cubic(one[start : start + rows] @ other.T, one.shape[1])
        total += (of_one[start : start + rows] * (values @ of_other)).sum(dim=0)
    return total


def _cubic(products: Tensor, features: int) -> Tensor:
    """Change inner products into values of the kernel, in place."""
    products.div_(features).add_(1)
    return products * products.square()
