"""The Fréchet distance between real and generated images (FID with Inception's features), and its bias.

The distance of finite samples is too large, by about as much as is proportional to one over their number:
the distance between two halves of one set is not 0. `frechet_infinite` extrapolates that away.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from striate.core.errors import ShapeError
from striate.core.seeds import derive
from striate.metrics.estimates import RESAMPLES, Estimate, estimate_of, resample_counts
from striate.metrics.sample_features import checked_features

POINTS = 15
"""How many numbers of images the extrapolation measures the distance at (Chong and Forsyth, section 5)."""

LEAST_SHARE = 0.2
"""The least share of the images that the extrapolation measures at."""

LEAST_PER_FEATURE = 2.5
"""Of fewer images a feature than this the bias is no longer proportional to one over their number."""

MOST_LEAST_SHARE = 0.7
"""Where the least share would be larger, there is too little to extrapolate from."""


def frechet_distance(real: Tensor, generated: Tensor) -> float:
    """Give the Fréchet distance between two sets of features, each taken for a normal distribution.

    ``|m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2))`` with means m and covariances S. With
    ``S = R^T R``, where R is triangular and comes from the centred features without squaring them, the last
    trace is the sum of the singular values of ``R1 R2^T``; so nothing is lost where a covariance is singular,
    as with fewer images than features.

    Args:
        real: N x D, of real images, at least 2.
        generated: M x D, of generated images, at least 2.

    Returns:
        At least 0; it is too large for finite samples, see `frechet_infinite`.

    Raises:
        ShapeError: where they are no tables of the same width, or one has fewer than 2 rows.
        TrainingError: where a feature is not a finite number.

    Source: Dowson and Landau, Journal of Multivariate Analysis 12 (1982); Heusel et al., GANs trained by a
    two time-scale update rule converge to a local Nash equilibrium, NeurIPS 2017, equation 6.

    >>> points = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    >>> round(frechet_distance(points, points + 3), 6)
    18.0
    """
    return _distance(*checked_features(real, generated))


def frechet_infinite(real: Tensor, generated: Tensor, *, points: int = POINTS, seed: int = 0) -> float:
    """Extrapolate the Fréchet distance to infinitely many images, where it has no bias.

    The distance is measured between shares t of both sets, drawn at random; a line through it over ``1/t`` is
    read off at 0.

    Args:
        real: N x D, of real images.
        generated: M x D, of generated images.
        points: at how many shares it is measured, at least 3.
        seed: what the draws follow from.

    Returns:
        The distance; by chance it can be a little under 0 where the distributions are the same.

    Raises:
        ShapeError: as `frechet_distance` does, and where there are fewer than about 3.6 images a feature.
        TrainingError: where a feature is not a finite number.

    Source: Chong and Forsyth, Effectively unbiased FID and Inception Score, CVPR 2020, section 3.2. Differs:
    both sets become smaller together, so that the bias of neither is left, and latents are drawn at random.

    >>> _ = torch.manual_seed(0)
    >>> one, other = torch.randn(2000, 8), torch.randn(2000, 8)
    >>> abs(frechet_infinite(one, other)) < frechet_distance(one, other) / 2
    True
    """
    return _extrapolated(*checked_features(real, generated), points=points, seed=seed)[0]


def frechet_estimates(
    real: Tensor, generated: Tensor, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Estimate, Estimate | None]:
    """Give the Fréchet distance and the extrapolated one, each with its interval.

    Args:
        real: N x D, of real images.
        generated: M x D, of generated images.
        resamples: of both sets, from which the intervals come, at least 2.
        seed: what the draws follow from.

    Returns:
        The distance; and the extrapolated one, or ``None`` where there are too few images for that. To the
        interval of the latter the line adds its own uncertainty.

    Raises:
        ShapeError: as `frechet_distance` does.
        TrainingError: where a feature is not a finite number.
    """
    real, generated = checked_features(real, generated)
    ours = resample_counts(len(real), resamples, seed=derive(seed, "real"))
    theirs = resample_counts(len(generated), resamples, seed=derive(seed, "generated"))
    deviation = float(_resampled(real, generated, ours.T.contiguous(), theirs.T.contiguous()).std())
    distance = estimate_of(_distance(real, generated), deviation, lowest=0.0)
    if _least_share(real, generated) > MOST_LEAST_SHARE:
        return distance, None
    value, error = _extrapolated(real, generated, points=POINTS, seed=seed)
    return distance, estimate_of(value, math.hypot(deviation, error))


def _distance(real: Tensor, generated: Tensor) -> float:
    mean1, root1 = _normal(real)
    mean2, root2 = _normal(generated)
    overlap = torch.linalg.svdvals(root1 @ root2.T).sum()
    traces = root1.square().sum() + root2.square().sum()
    return max(0.0, float((mean1 - mean2).square().sum() + traces - 2 * overlap))


def _normal(features: Tensor) -> tuple[Tensor, Tensor]:
    """Give the mean, and a triangular R with ``R^T R`` the covariance."""
    mean = features.mean(dim=0)
    root: Tensor = torch.linalg.qr(features - mean, mode="r")[1]
    return mean, root / math.sqrt(len(features) - 1)


def _resampled(real: Tensor, generated: Tensor, ours: Tensor, theirs: Tensor) -> Tensor:
    """Give the distances between resamples, whose counts are rows: fast, and to half the digits."""
    middle = real.mean(dim=0)
    real, generated = real - middle, generated - middle
    found = torch.empty(len(ours), dtype=torch.float64)
    for number, counts in enumerate(zip(ours, theirs, strict=True)):
        mean1, covariance1 = _moments(real, counts[0])
        mean2, covariance2 = _moments(generated, counts[1])
        squares, axes = torch.linalg.eigh(covariance1)
        root = axes * squares.clamp(min=0).sqrt()
        overlap = torch.linalg.eigvalsh(root.T @ covariance2 @ root).clamp(min=0).sqrt().sum()
        traces = covariance1.trace() + covariance2.trace()
        found[number] = (mean1 - mean2).square().sum() + traces - 2 * overlap
    return found


def _moments(features: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Give the mean and the covariance of a resample."""
    weighted = features * counts[:, None]
    mean = weighted.sum(dim=0) / len(features)
    covariance = weighted.T @ features - len(features) * torch.outer(mean, mean)
    return mean, covariance / (len(features) - 1)


def _least_share(real: Tensor, generated: Tensor) -> float:
    images = min(len(real), len(generated))
    return max(LEAST_SHARE, LEAST_PER_FEATURE * real.shape[1] / images)


def _extrapolated(real: Tensor, generated: Tensor, *, points: int, seed: int) -> tuple[float, float]:
    """Give where the line meets infinitely many images, and its standard error there."""
    least = _least_share(real, generated)
    if least > MOST_LEAST_SHARE:
        wanted = math.ceil(LEAST_PER_FEATURE * real.shape[1] / MOST_LEAST_SHARE)
        raise ShapeError(
            f"{min(len(real), len(generated)):,} images are too few to extrapolate the distance of "
            f"{real.shape[1]} features, which takes {LEAST_PER_FEATURE} / {MOST_LEAST_SHARE} a feature: "
            f"{wanted:,}"
        )
    if points < 3:
        raise ShapeError(f"a line through {points} points says nothing of its error; 3 and more work")
    generator = torch.Generator().manual_seed(seed)
    shares = torch.linspace(least, 1, points, dtype=torch.float64)
    measured = [
        _distance(_share(real, share, generator), _share(generated, share, generator))
        for share in shares.tolist()
    ]
    design = torch.stack([torch.ones_like(shares), 1 / shares], dim=1)
    inverse = torch.linalg.inv(design.T @ design)
    values = torch.tensor(measured, dtype=torch.float64)
    line = inverse @ design.T @ values
    variance = (values - design @ line).square().sum() / (points - 2)
    return float(line[0]), float((variance * inverse[0, 0]).sqrt())


def _share(features: Tensor, share: float, generator: torch.Generator) -> Tensor:
    chosen = torch.randperm(len(features), generator=generator)[: max(2, round(share * len(features)))]
    return features[chosen]
