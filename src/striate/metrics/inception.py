"""The Inception Score: how sure a classifier is of each image, and how many classes it sees in all."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.core.errors import ShapeError, TrainingError
from striate.core.seeds import derive
from striate.metrics.estimates import RESAMPLES, Estimate, estimate_of, resample_counts

TOLERANCE = 1e-3
"""How far the sum of an image's probabilities may be from 1."""


def inception_score(probabilities: Tensor, *, splits: int = 10) -> float:
    """Give the exponential of the mean divergence of an image's classes from those of all images.

    ``exp(mean_n sum_c p_nc log(p_nc / q_c))`` with q the mean of p over the images; the mean of that over
    splits.

    Args:
        probabilities: N x C, of each class, in random order.
        splits: how many parts of neighbouring images are measured apart, 1 to N.

    Returns:
        A figure in [1, C]; it is too low where a split has few images.

    Raises:
        ShapeError: where there are no probabilities, or fewer images than splits.
        TrainingError: where a probability is not a finite number.

    Source: Salimans et al., Improved techniques for training GANs, NeurIPS 2016, section 4; ten splits of
    5,000 images each are usual.

    >>> round(inception_score(torch.eye(4), splits=1), 6)
    4.0
    """
    parts = _parts(probabilities, splits)
    counts = [torch.ones(len(part), 1, dtype=torch.float64) for part in parts]
    return float(_scores(parts, counts))


def inception_estimate(
    probabilities: Tensor, *, splits: int = 10, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Give the Inception Score with its interval.

    Args:
        probabilities: N x C, of each class, in random order.
        splits: how many parts of neighbouring images are measured apart, 1 to N.
        resamples: of each split, from which the interval comes, at least 2.
        seed: what the draws follow from.

    Returns:
        The score with its interval, in [1, C].

    Raises:
        ShapeError: where there are no probabilities, or fewer images than splits.
        TrainingError: where a probability is not a finite number.
    """
    parts = _parts(probabilities, splits)
    counts = [
        resample_counts(len(part), resamples, seed=derive(seed, "split", number))
        for number, part in enumerate(parts)
    ]
    deviation = float(_scores(parts, counts).std())
    value = inception_score(probabilities, splits=splits)
    return estimate_of(value, deviation, lowest=1.0, highest=float(probabilities.shape[1]))


def _scores(parts: list[Tensor], counts: list[Tensor]) -> Tensor:
    """Give the score of each column of counts."""
    scores = []
    for part, drawn in zip(parts, counts, strict=True):
        share = drawn / len(part)
        mean = share.T @ part
        of_each = torch.xlogy(part, part).sum(dim=1) @ share
        scores.append((of_each - torch.xlogy(mean, mean).sum(dim=1)).exp())
    return torch.stack(scores).mean(dim=0)


def _parts(probabilities: Tensor, splits: int) -> list[Tensor]:
    if probabilities.ndim != 2 or not probabilities.is_floating_point() or probabilities.numel() == 0:
        kept = str(probabilities.dtype).removeprefix("torch.")
        raise ShapeError(
            f"probabilities are {kept} of the shape {tuple(probabilities.shape)}, where floats of the shape "
            "(N, C) are wanted"
        )
    images = len(probabilities)
    if not 1 <= splits <= images:
        raise ShapeError(f"{images:,} images cannot be measured in {splits} splits; 1 to {images:,} work")
    probabilities = probabilities.detach().to("cpu").double()
    broken = int((~torch.isfinite(probabilities).all(dim=1)).sum())
    if broken:
        raise TrainingError(
            f"the probabilities of {broken} of {images} images are not finite numbers, as where pixels are "
            "none, which a generator gives whose training diverged"
        )
    wrong = (probabilities < 0).any(dim=1) | ((probabilities.sum(dim=1) - 1).abs() > TOLERANCE)
    if bool(wrong.any()):
        raise ShapeError(
            f"{int(wrong.sum())} of {images} rows are no probabilities, which are at least 0 and add up to 1"
            "; softmax makes them of logits"
        )
    return list(probabilities.tensor_split(splits))
