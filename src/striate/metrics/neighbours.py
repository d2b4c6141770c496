"""How generated images lie among real ones: precision, recall, density and coverage, by neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from striate.core.errors import ShapeError
from striate.core.intervals import wilson
from striate.metrics.estimates import Estimate, estimate_of
from striate.metrics.sample_features import checked_features

BLOCK_ELEMENTS = 2**22
"""Distances that are held at once: 32 MiB."""

PRECISION_NEIGHBOURS = 3
DENSITY_NEIGHBOURS = 5
"""As the authors of each pair of measures took them."""

_SLACK = 1e-12
"""Of the largest square: by so much a distance computed from products may be off."""


@dataclass(frozen=True)
class NeighbourEstimates:
    """Four measures by nearest neighbours, each with its interval.

    The balls are held fixed for the intervals, which are those of a share, or of a mean, of as many images as
    are judged by it.

    Args:
        precision: share of the generated images that lie among real ones.
        recall: share of the real images that lie among generated ones.
        density: how densely real images lie around a generated one; 1 where both are distributed alike.
        coverage: share of the real images that have a generated one nearby.
    """

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


def precision_recall(
    real: Tensor, generated: Tensor, *, neighbours: int = PRECISION_NEIGHBOURS
) -> tuple[float, float]:
    """Give the share of generated images among real ones, and of real images among generated ones.

    An image is among others where it lies in the ball around one of them that reaches to that one's k-th
    nearest neighbour of its own kind.

    Args:
        real: N x D, of real images.
        generated: M x D, of generated images; both are only comparable at the same N and M.
        neighbours: k, at least 1.

    Returns:
        Precision and recall, each in [0, 1].

    Raises:
        ShapeError: where they are no tables of the same width, or one has no k + 1 rows.
        TrainingError: where a feature is not a finite number.

    Source: Kynkäänniemi et al., Improved precision and recall metric for assessing generative models,
    NeurIPS 2019, section 2.

    >>> precision_recall(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.5], [9.0]]), neighbours=1)
    (0.5, 1.0)
    """
    real, generated = _checked(real, generated, neighbours)
    among_real, _ = _within(generated, real, _radii(real, neighbours))
    among_generated, _ = _within(real, generated, _radii(generated, neighbours))
    return float((among_real > 0).double().mean()), float((among_generated > 0).double().mean())


def density_coverage(
    real: Tensor, generated: Tensor, *, neighbours: int = DENSITY_NEIGHBOURS
) -> tuple[float, float]:
    """Give how densely real images lie around generated ones, and the share of real images that are covered.

    With balls around the real images that reach to their k-th nearest: density is the mean number of balls
    that a generated image lies in, over k; coverage is the share of balls with a generated image in them.

    Args:
        real: N x D, of real images.
        generated: M x D, of generated images; coverage is only comparable at the same N and M.
        neighbours: k, at least 1.

    Returns:
        Density, at least 0, about 1 where both are distributed alike; and coverage, in [0, 1], about
        ``1 - 2^-k`` where both are distributed alike and as many.

    Raises:
        ShapeError: where they are no tables of the same width, or one has no k + 1 rows.
        TrainingError: where a feature is not a finite number.

    Source: Naeem et al., Reliable fidelity and diversity metrics for generative models, ICML 2020, section 3.
    Differs: the border belongs to a ball, as the k-th neighbour does.

    >>> density_coverage(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.5], [9.0]]), neighbours=1)
    (1.0, 1.0)
    """
    real, generated = _checked(real, generated, neighbours)
    counts, covered = _within(generated, real, _radii(real, neighbours))
    return float(counts.double().mean()) / neighbours, float(covered.double().mean())


def expected_coverage(real: int, generated: int, *, neighbours: int = DENSITY_NEIGHBOURS) -> float:
    """Give the coverage that is to be expected where both kinds of images are distributed alike.

    A real image is not covered where its k nearest of all others are real: with N real and M generated ones,
    with a probability of ``(N-1) ... (N-k) / ((N+M-1) ... (N+M-k))``.

    Args:
        real: how many real images there are, over k.
        generated: how many generated ones.
        neighbours: k, at least 1.

    Returns:
        A share in [0, 1].

    Source: Naeem et al., ICML 2020, section 3.3.

    >>> round(expected_coverage(10_000, 10_000), 3)
    0.969
    """
    missed = 1.0
    for place in range(1, neighbours + 1):
        missed *= (real - place) / (real + generated - place)
    return 1 - missed


def neighbour_estimates(real: Tensor, generated: Tensor) -> NeighbourEstimates:
    """Give precision, recall, density and coverage with their intervals, for the usual numbers of neighbours.

    Args:
        real: N x D, of real images, at least 6.
        generated: M x D, of generated images, at least 6.

    Returns:
        The four.

    Raises:
        ShapeError: where they are no tables of the same width, or one has too few rows.
        TrainingError: where a feature is not a finite number.
    """
    real, generated = _checked(real, generated, DENSITY_NEIGHBOURS)
    balls = _radii(real, PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS)
    around_real, filled = _within(generated, real, balls)
    around_generated, _ = _within(real, generated, _radii(generated, PRECISION_NEIGHBOURS))
    densities = around_real[:, 1].double() / DENSITY_NEIGHBOURS
    scatter = float(densities.std()) / math.sqrt(len(densities))
    return NeighbourEstimates(
        precision=_share(around_real[:, 0] > 0),
        recall=_share(around_generated[:, 0] > 0),
        density=estimate_of(float(densities.mean()), scatter, lowest=0.0),
        coverage=_share(filled[:, 1]),
    )


def _share(judged: Tensor) -> Estimate:
    yes = int(judged.sum())
    return Estimate(yes / len(judged), wilson(yes, len(judged)))


def _checked(real: Tensor, generated: Tensor, neighbours: int) -> tuple[Tensor, Tensor]:
    if neighbours < 1:
        raise ShapeError(f"{neighbours} neighbours are none; at least 1 is needed")
    real, generated = checked_features(real, generated, least=neighbours + 1)
    # Distances stay, and products of smaller numbers lose less.
    middle = real.mean(dim=0)
    return real - middle, generated - middle


def _radii(features: Tensor, *neighbours: int) -> Tensor:
    """Give the squared distance from each image to its k-th nearest other, N x as many as k are named."""
    squares = features.square().sum(dim=1)
    found = torch.empty(len(features), len(neighbours), dtype=torch.float64)
    rows = max(1, BLOCK_ELEMENTS // len(features))
    for start in range(0, len(features), rows):
        distances = _squared_distances(features[start : start + rows], features, squares)
        # The nearest of all is the image itself.
        nearest = distances.topk(max(neighbours) + 1, dim=1, largest=False).values
        found[start : start + rows] = nearest[:, list(neighbours)]
    return found


def _within(judged: Tensor, centres: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
    """Give in how many balls each image lies, and whether each ball has an image in it, for each radius."""
    squares = centres.square().sum(dim=1)
    largest = torch.maximum(squares.max(), judged.square().sum(dim=1).max())
    reaches = (radii + _SLACK * largest).T.contiguous()
    counts = torch.empty(len(judged), len(reaches), dtype=torch.int64)
    filled = torch.zeros(len(centres), len(reaches), dtype=torch.bool)
    rows = max(1, BLOCK_ELEMENTS // len(centres))
    for start in range(0, len(judged), rows):
        distances = _squared_distances(judged[start : start + rows], centres, squares)
        for number, reach in enumerate(reaches):
            inside = distances <= reach
            counts[start : start + rows, number] = inside.sum(dim=1)
            filled[:, number] |= inside.any(dim=0)
    return counts, filled


def _squared_distances(block: Tensor, others: Tensor, squares: Tensor) -> Tensor:
    products = torch.addmm(squares[None, :], block, others.T, alpha=-2)
    return products.add_(block.square().sum(dim=1)[:, None])
