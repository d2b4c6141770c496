"""Precision, recall, density and coverage against slow definitions, with ties and duplicates."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import ShapeError, TrainingError
from striate.core.intervals import wilson
from striate.metrics import (
    density_coverage,
    expected_coverage,
    neighbour_estimates,
    neighbours,
    precision_recall,
)


def distances(one, other):
    return ((one[:, None] - other[None]) ** 2).sum(axis=2)


def radii(points, k):
    return np.sort(distances(points, points), axis=1)[:, k]  # the nearest is the point itself


def slow_precision_recall(real, generated, k):
    inside_real = distances(generated, real) <= radii(real, k)[None]
    inside_generated = distances(real, generated) <= radii(generated, k)[None]
    return inside_real.any(axis=1).mean(), inside_generated.any(axis=1).mean()


def slow_density_coverage(real, generated, k):
    inside = distances(generated, real) <= radii(real, k)[None]
    return inside.sum() / (k * len(generated)), inside.any(axis=0).mean()


def tensors(*arrays):
    return tuple(torch.from_numpy(array) for array in arrays)


@given(
    images=st.integers(6, 20),
    others=st.integers(6, 20),
    features=st.integers(1, 4),
    k=st.integers(1, 5),
    seed=st.integers(0, 9999),
)
def test_they_are_their_definitions_on_a_grid_of_ties_and_duplicates(images, others, features, k, seed):
    source = np.random.default_rng(seed)
    real = source.integers(0, 4, (images, features)).astype(float)
    generated = source.integers(0, 5, (others, features)).astype(float)
    found = precision_recall(*tensors(real, generated), neighbours=k)
    assert found == pytest.approx(slow_precision_recall(real, generated, k))
    found = density_coverage(*tensors(real, generated), neighbours=k)
    assert found == pytest.approx(slow_density_coverage(real, generated, k))


@given(seed=st.integers(0, 9999), scale=st.sampled_from([1e-6, 1.0, 1e6]), away=st.sampled_from([0.0, 1e3]))
def test_they_are_their_definitions_wherever_the_features_lie(seed, scale, away):
    source = np.random.default_rng(seed)
    real = (source.normal(0, 1, (30, 3)) + away) * scale
    generated = (source.normal(0.7, 1.2, (25, 3)) + away) * scale
    found = precision_recall(*tensors(real, generated))
    assert found == pytest.approx(slow_precision_recall(real, generated, 3))
    found = density_coverage(*tensors(real, generated))
    assert found == pytest.approx(slow_density_coverage(real, generated, 5))


def test_the_estimates_are_the_same_figures_in_any_blocks(monkeypatch):
    torch.manual_seed(0)
    real, generated = torch.randn(150, 5), torch.randn(130, 5) * 1.1
    whole = neighbour_estimates(real, generated)
    assert (whole.precision.value, whole.recall.value) == precision_recall(real, generated)
    assert (whole.density.value, whole.coverage.value) == pytest.approx(density_coverage(real, generated))
    monkeypatch.setattr(neighbours, "BLOCK_ELEMENTS", 1000)
    assert neighbour_estimates(real, generated) == whole


def test_the_intervals_are_those_of_shares_and_of_a_mean():
    torch.manual_seed(1)
    real, generated = torch.randn(200, 4), torch.randn(100, 4) * 0.8
    found = neighbour_estimates(real, generated)
    assert found.precision.interval == wilson(round(found.precision.value * 100), 100)
    assert found.recall.interval == wilson(round(found.recall.value * 200), 200)
    assert found.coverage.interval == wilson(round(found.coverage.value * 200), 200)
    low, high = found.density.interval
    assert low < found.density.value < high


def test_copies_of_real_images_and_copies_of_one():
    torch.manual_seed(2)
    real = torch.randn(60, 4)
    assert precision_recall(real, real.clone()) == (1, 1)
    assert density_coverage(real, real.clone())[1] == 1
    one = real[:1].repeat(60, 1)
    precision, recall = precision_recall(real, one)
    assert precision == 1
    assert recall == pytest.approx(1 / 60)
    far = real + 100
    assert precision_recall(real, far) == (0, 0)
    assert density_coverage(real, far) == (0, 0)


def normal(count: int, *, seed: int) -> torch.Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("real", "generated"), [(100, 100), (60, 200), (200, 50)])
def test_images_of_the_same_kind_are_covered_as_expected(real, generated):
    covered = [
        neighbour_estimates(normal(real, seed=2 * seed + 1), normal(generated, seed=2 * seed)).coverage.value
        for seed in range(40)
    ]
    error = np.std(covered) / np.sqrt(len(covered))
    assert np.mean(covered) == pytest.approx(expected_coverage(real, generated), abs=4 * error)


def test_images_of_the_same_kind_have_the_density_and_coverage_that_they_should():
    source = torch.Generator().manual_seed(3)
    found = np.array(
        [
            density_coverage(torch.randn(300, 6, generator=source), torch.randn(200, 6, generator=source))
            for _ in range(20)
        ]
    )
    density, coverage = found.mean(axis=0)
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(expected_coverage(300, 200), abs=0.02)
    assert expected_coverage(10**6, 10**6) == pytest.approx(1 - 2**-5, abs=1e-5)
    assert expected_coverage(10, 10, neighbours=1) == pytest.approx(1 - 9 / 19)


@pytest.mark.parametrize(
    ("images", "k", "sentence"),
    [
        (5, 5, "5 real images are too few; this takes at least 6"),
        (5, 0, "0 neighbours are none"),
    ],
)
def test_too_few_are_refused(images, k, sentence):
    with pytest.raises(ShapeError, match=sentence):
        precision_recall(torch.randn(images, 2), torch.randn(20, 2), neighbours=k)
    with pytest.raises(ShapeError, match=sentence):
        density_coverage(torch.randn(images, 2), torch.randn(20, 2), neighbours=k)


def test_what_is_no_number_is_refused():
    with pytest.raises(TrainingError, match="20 of 20 generated"):
        neighbour_estimates(torch.randn(20, 2), torch.full((20, 2), torch.nan))
