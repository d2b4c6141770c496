"""Pairs of samples that are alike are counted as by hand, and a collapse is told from chance."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from striate.gan.diversity import (
    ALIKE,
    COLLAPSED_TIMES,
    GREY_LEVEL,
    NARROW_TIMES,
    alike_radius,
    alike_share,
    judge_diversity,
)
from striate.metrics.estimates import Estimate


def normal(count: int, *, seed: int = 0, width: int = 6) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


@given(st.integers(2, 60), st.integers(0, 99))
def test_pairs_are_counted_as_by_scipy(count, seed):
    points = normal(count, seed=seed)
    radius = 2.0
    assert alike_share(points, radius).value == pytest.approx((pdist(points.numpy()) <= radius).mean())


def test_the_radius_is_the_quantile_of_all_pairs():
    points = normal(200)
    share = alike_share(points, alike_radius(points)).value
    assert share == pytest.approx(math.ceil(ALIKE * 19900) / 19900)


def test_equal_images_are_alike_by_a_grey_level_in_the_mean():
    points = torch.zeros(50, 64)
    assert alike_radius(points) == pytest.approx(8 * GREY_LEVEL)
    share = alike_share(points, alike_radius(points))
    assert (share.value, share.interval) == (1.0, (pytest.approx(1, abs=0.003), 1.0))


@pytest.mark.parametrize("count", [2, 3, 20])
def test_the_real_pair_that_sets_the_radius_counts_itself(count):
    for seed in range(20):
        points = normal(count, seed=seed, width=64)
        assert alike_share(points, alike_radius(points)).value > 0


@pytest.mark.parametrize("modes", [1, 4, 25])
def test_so_many_modes_are_told_by_the_share(modes):
    chosen = torch.randint(modes, (500,), generator=torch.Generator().manual_seed(modes))
    samples = 10 * normal(modes, width=64)[chosen] + 0.01 * normal(500, width=64)
    share = alike_share(samples, 1.0)
    assert 1 / share.value == pytest.approx(modes, rel=0.05)
    assert share.interval[0] <= 1 / modes <= share.interval[1]


def test_the_interval_holds_the_truth_as_often_as_it_says():
    # In one dimension, |x - y| <= r for normal x and y has the probability erf(r / 2).
    radius, truth = 0.1, math.erf(0.05)
    hits = 0
    for seed in range(200):
        low, high = alike_share(normal(100, seed=seed, width=1), radius).interval
        hits += low <= truth <= high
    assert hits >= 180


def test_no_pair_alike_is_not_taken_for_none_ever():
    share = alike_share(torch.arange(10.0)[:, None], 0.5)
    assert share.value == share.interval[0] == 0
    assert share.interval[1] == pytest.approx(3 / 45)


@pytest.mark.parametrize(
    ("low", "verdict", "level"),
    [
        (COLLAPSED_TIMES * 1.01, "collapsed", "error"),
        (COLLAPSED_TIMES * 0.99, "narrow", "warning"),
        (NARROW_TIMES * 0.99, "healthy", "note"),
    ],
)
def test_the_verdict_goes_by_what_is_sure(low, verdict, level):
    share = Estimate(low * 0.002, (low * 0.001, low * 0.003))
    finding = judge_diversity(share, 0.001, 300)
    assert (finding.verdict, finding.level) == (verdict, level)
    assert finding.value == pytest.approx(2 * low)
    assert finding.interval == pytest.approx((low, 3 * low))
    assert bool(finding.advice) == (level != "note")
    assert "300 samples" in finding.message


def test_one_image_is_said_to_be_one():
    finding = judge_diversity(Estimate(1.0, (1.0, 1.0)), 0.001, 64)
    assert finding.message.endswith("as if there were one image")
    assert np.isfinite(finding.value)
