"""The kernel distance against torchmetrics and its definition, pair by pair."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torchmetrics.image.kid import KernelInceptionDistance

from striate.core.errors import ShapeError, TrainingError
from striate.metrics import kernel, kernel_distance, kernel_estimate


def by_definition(real, generated):
    def mean(one, other, *, skip):
        pairs = [(i, j) for i in range(len(one)) for j in range(len(other)) if not (skip and i == j)]
        return np.mean([(one[i] @ other[j] / one.shape[1] + 1) ** 3 for i, j in pairs])

    inside = mean(real, real, skip=True) + mean(generated, generated, skip=True)
    return inside - 2 * mean(real, generated, skip=False)


@given(
    images=st.integers(2, 9), others=st.integers(2, 9), features=st.integers(1, 5), seed=st.integers(0, 999)
)
def test_it_is_its_definition(images, others, features, seed):
    source = np.random.default_rng(seed)
    real, generated = source.normal(0, 1, (images, features)), source.normal(1, 1, (others, features))
    found = kernel_distance(torch.from_numpy(real), torch.from_numpy(generated))
    assert found == pytest.approx(by_definition(real, generated), rel=1e-9, abs=1e-9)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`")
def test_it_is_torchmetrics():
    torch.manual_seed(0)
    real, generated = torch.randn(200, 24), torch.randn(200, 24) * 1.2 + 0.3
    metric = KernelInceptionDistance(feature=nn.Flatten(), subsets=1, subset_size=200)
    metric.update(real[:, :, None, None].double(), real=True)
    metric.update(generated[:, :, None, None].double(), real=False)
    assert kernel_distance(real, generated) == pytest.approx(float(metric.compute()[0]), rel=1e-6)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`")
def test_the_mean_over_subsets_comes_near():
    torch.manual_seed(1)
    real, generated = torch.randn(400, 8), torch.randn(400, 8) + 0.5
    metric = KernelInceptionDistance(feature=nn.Flatten(), subsets=200, subset_size=200)
    metric.update(real[:, :, None, None].double(), real=True)
    metric.update(generated[:, :, None, None].double(), real=False)
    mean, deviation = metric.compute()
    assert abs(kernel_distance(real, generated) - float(mean)) < 0.3 * float(deviation)


def test_blocks_change_nothing(monkeypatch):
    torch.manual_seed(2)
    real, generated = torch.randn(37, 6), torch.randn(23, 6)
    whole = kernel_estimate(real, generated)
    monkeypatch.setattr(kernel, "BLOCK_ELEMENTS", 100)
    parts = kernel_estimate(real, generated)
    assert parts.value == pytest.approx(whole.value, rel=1e-12)
    assert parts.interval == pytest.approx(whole.interval, rel=1e-9)


def test_it_has_no_bias():
    source = torch.Generator().manual_seed(3)
    found = [kernel_distance(*torch.randn(2, 30, 4, generator=source)) for _ in range(300)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))
    assert min(found) < 0


def test_a_resample_is_the_distance_of_what_was_drawn_without_pairs_of_the_same_image():
    torch.manual_seed(4)
    real, generated = torch.randn(6, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    ours, theirs = torch.tensor([2.0, 0, 1, 1, 1, 1]).double(), torch.tensor([0.0, 3, 1, 1, 0]).double()

    def mean(one, other, of_one, of_other, *, skip):
        values = (one @ other.T / 3 + 1) ** 3
        weights = of_one[:, None] * of_other[None]
        if skip:
            weights.fill_diagonal_(0)
        return (values * weights).sum() / weights.sum()

    expected = mean(real, real, ours, ours, skip=True) + mean(generated, generated, theirs, theirs, skip=True)
    expected -= 2 * mean(real, generated, ours, theirs, skip=False)
    found = kernel._discrepancies(real, generated, ours[:, None], theirs[:, None])
    assert float(found) == pytest.approx(float(expected), rel=1e-12)


def test_an_interval_holds_what_other_samples_give():
    def sets(seed):
        source = torch.Generator().manual_seed(seed)
        return torch.randn(150, 4, generator=source), torch.randn(150, 4, generator=source) + 0.4

    mean = np.mean([kernel_distance(*sets(seed)) for seed in range(1000, 1200)])
    estimates = [kernel_estimate(*sets(seed), seed=seed) for seed in range(40)]
    assert sum(each.interval[0] <= mean <= each.interval[1] for each in estimates) >= 34
    assert estimates[0].value == pytest.approx(kernel_distance(*sets(0)), rel=1e-9)
    assert estimates[0] == kernel_estimate(*sets(0), seed=0)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ShapeError, match="9 real images are too few; this takes at least 10"):
        kernel_estimate(torch.randn(9, 2), torch.randn(20, 2))
    with pytest.raises(ShapeError, match="at least 2"):
        kernel_distance(torch.randn(9, 2), torch.randn(1, 2))
    with pytest.raises(TrainingError, match="1 of 9 real images are not finite"):
        kernel_distance(torch.cat([torch.randn(8, 2), torch.full((1, 2), torch.nan)]), torch.randn(9, 2))
