"""Latents are drawn by seed and number, truncated as a distribution is, and become images as they are."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import stats
from torch import nn

from striate.core.errors import LayerError, ShapeError
from striate.gan import draw_latents, latent, truncated
from striate.gan.latent import check_latents, chosen, cycled_labels, images_of, rendered


@given(st.integers(1, 70), st.integers(0, 40), st.integers(1, 33), st.integers(0, 5))
def test_the_first_latents_do_not_depend_on_how_many_are_drawn(count, more, size, seed):
    few, many = draw_latents(count, size, seed=seed), draw_latents(count + more, size, seed=seed)
    assert few.shape == (count, size)
    assert torch.equal(few, many[:count])


def test_seeds_give_other_latents_of_a_standard_normal():
    first, second = draw_latents(20_000, 3, seed=0), draw_latents(20_000, 3, seed=1)
    assert not torch.equal(first, second)
    assert stats.kstest(first.flatten().numpy(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(first.flatten(), second.flatten())[0, 1]) < 0.02


@pytest.mark.parametrize("threshold", [0.05, 0.5, 1.0, 2.0, 6.0])
def test_truncation_is_that_of_the_distribution(threshold):
    latents = torch.linspace(-8, 8, 201, dtype=torch.float64)
    wanted = stats.truncnorm.ppf(stats.norm.cdf(latents.numpy()), -threshold, threshold)
    inner = slice(30, -30)  # beyond, the oracle rounds shares near 1
    assert np.allclose(truncated(latents, threshold)[inner], wanted[inner], atol=1e-9)


@given(st.floats(0.01, 50), st.lists(st.floats(-30, 30), min_size=1, max_size=8))
def test_truncated_latents_are_inside_and_in_order_and_mirrored(threshold, numbers):
    latents = torch.tensor(sorted(numbers), dtype=torch.float64)
    moved = truncated(latents, threshold)
    assert (moved.abs() <= threshold).all()
    assert (moved.abs() <= latents.abs() + 1e-12).all()
    assert (moved.diff() >= -1e-12).all()
    assert torch.allclose(truncated(-latents, threshold), -moved, rtol=0, atol=1e-12)


def test_a_truncation_far_out_changes_nothing():
    latents = draw_latents(50, 8)
    assert torch.allclose(truncated(latents, float("inf")), latents, atol=1e-6)
    assert torch.equal(draw_latents(50, 8, truncation=1.0), truncated(latents, 1.0))


@pytest.mark.parametrize("threshold", [0, -1, float("nan")])
def test_a_truncation_that_leaves_nothing_is_refused(threshold):
    with pytest.raises(LayerError, match="any over 0 does"):
        truncated(torch.zeros(1), threshold)


@pytest.mark.parametrize(("count", "size"), [(0, 4), (-3, 4), (2, 0)])
def test_no_latents_are_refused(count, size):
    with pytest.raises(LayerError, match="cannot be drawn"):
        draw_latents(count, size)


def test_images_are_those_of_the_network_and_leave_it_as_it_was(linear_generator, monkeypatch):
    network = linear_generator((0.3, 0.2)).train()
    latents = draw_latents(7, 2)
    wanted = (latents @ network.matrix).view(7, 1, 6, 6) / 2 + 0.5
    whole = images_of(network, latents)
    monkeypatch.setattr(latent, "AT_ONCE", 3)
    parts = images_of(network, latents)
    assert torch.allclose(whole, wanted, atol=1e-6)
    assert torch.allclose(parts, whole, atol=1e-6)
    assert not whole.requires_grad
    assert network.training
    assert network.first.weight.requires_grad
    assert rendered(network, latents.requires_grad_()).requires_grad


def test_images_are_clamped_and_computed_in_evaluation_mode(linear_generator):
    network = linear_generator((40.0,))
    network.body = nn.Dropout(0.5)
    images = images_of(network.train(), torch.tensor([[1.0], [-1.0]]))
    assert images.min() == 0
    assert images.max() == 1
    assert torch.equal(images, images_of(network, torch.tensor([[1.0], [-1.0]])))


def test_classes_reach_the_network(linear_generator):
    network = linear_generator((0.1,), classes=3)
    images = images_of(network, torch.zeros(3, 1), torch.tensor([0, 1, 2]))
    assert torch.allclose(images.mean(dim=(1, 2, 3)), torch.tensor([0.3, 0.5, 0.7]), atol=1e-6)


@pytest.mark.parametrize(
    ("latents", "error", "sentence"),
    [
        (torch.zeros(2, 5), ShapeError, "a latent has 5 numbers, where this generator takes 4"),
        (torch.zeros(4), ShapeError, "where N x 4 is wanted"),
        (torch.zeros(0, 4), ShapeError, "where N x 4 is wanted"),
        (torch.zeros(2, 4, dtype=torch.int64), LayerError, "finite floating-point"),
        (torch.full((2, 4), torch.nan), LayerError, "finite floating-point"),
    ],
)
def test_latents_that_are_none_of_the_generators_are_refused(latents, error, sentence):
    with pytest.raises(error, match=sentence):
        check_latents(latents, 4)


def test_classes_that_do_not_fit_are_refused(linear_generator):
    with pytest.raises(LayerError, match="3 classes"):
        images_of(linear_generator((0.1,), classes=3), torch.zeros(1, 1))
    with pytest.raises(LayerError, match="without classes"):
        images_of(linear_generator((0.1,)), torch.zeros(1, 1), torch.tensor([0]))
    with pytest.raises(LayerError, match="classes 0 to 2"):
        images_of(linear_generator((0.1,), classes=3), torch.zeros(1, 1), torch.tensor([3]))
    with pytest.raises(LayerError, match="without classes"):
        cycled_labels(3, None, 1)


def test_latents_are_picked_by_their_numbers():
    with pytest.raises(LayerError, match="no latent 7: these are numbered from 0 to 2"):
        chosen(torch.zeros(3, 2), [0, 7])
    with pytest.raises(LayerError, match="no latent -1"):
        chosen(torch.zeros(3, 2), [-1])
