"""Resamples and the intervals that come from them."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.metrics.estimates import estimate_of, resample_counts


@given(images=st.integers(1, 60), resamples=st.integers(1, 20), seed=st.integers(0, 2**63 - 1))
def test_every_resample_has_as_many_images_as_there_are(images, resamples, seed):
    counts = resample_counts(images, resamples, seed=seed)
    assert counts.shape == (images, resamples)
    assert bool((counts >= 0).all())
    assert counts.sum(dim=0).tolist() == [images] * resamples
    assert counts.equal(resample_counts(images, resamples, seed=seed))


def test_images_are_drawn_as_often_as_a_draw_with_replacement_says():
    counts = resample_counts(400, 400, seed=0)
    for times in range(4):  # Poisson of mean 1, nearly
        share = float((counts == times).double().mean())
        assert abs(share - math.exp(-1) / math.factorial(times)) < 0.01


def test_an_interval_has_the_figure_in_its_middle_and_is_cut_to_what_can_be():
    low, high = estimate_of(3.0, 0.5).interval
    assert abs((low + high) / 2 - 3) < 1e-12
    assert abs(high - low - 2 * 1.96 * 0.5) < 1e-3
    assert estimate_of(0.5, 1.0, lowest=0.0, highest=1.0).interval == (0.0, 1.0)


def test_the_deviation_of_resamples_is_that_of_a_mean():
    values = torch.randn(2000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    means = values @ resample_counts(2000, 500, seed=2) / 2000
    assert abs(float(means.std()) / (float(values.std()) / math.sqrt(2000)) - 1) < 0.1
