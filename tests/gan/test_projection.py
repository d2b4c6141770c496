"""Projections on linear generators are the least squares that algebra gives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from striate.core.errors import LayerError, ShapeError
from striate.gan import Descent, draw_latents, project
from striate.gan.latent import images_of
from striate.gan.projection import LatentSearch, longest_usual

STRENGTHS = (0.6, 0.5, 0.4)
QUICK = Descent(starts=3, steps=80)


def test_its_own_images_are_found_again(linear_generator):
    network = linear_generator(STRENGTHS)
    latents = draw_latents(5, 3, seed=9)
    found = project(network, images_of(network, latents), descent=QUICK)
    assert torch.allclose(found.latents, latents, atol=0.02)
    assert found.distances.max() < 1e-3
    assert torch.allclose(images_of(network, found.latents), found.images)
    assert found.labels is None


def test_what_it_cannot_make_is_as_far_away_as_least_squares_say(linear_generator):
    network = linear_generator(STRENGTHS)
    near = images_of(network, draw_latents(4, 3, seed=5))
    images = (near + 0.05 * torch.randn(near.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    matrix, wanted = network.matrix / 2, (images - 0.5).flatten(1)
    solved = torch.linalg.lstsq(matrix.T, wanted.T).solution.T
    left = (wanted - solved @ matrix).square().mean(dim=1).sqrt()
    found = project(network, images, descent=QUICK)
    assert torch.allclose(found.latents, solved, atol=0.05)
    assert torch.allclose(found.distances, left, atol=1e-3)
    assert (found.distances >= left - 1e-6).all()


def test_no_latent_becomes_longer_than_draws_are(linear_generator):
    network = linear_generator((0.1, 0.1))
    far = (network.matrix[:1] / 2 * 12 + 0.5).view(1, 1, 6, 6).clamp(0, 1)
    found = project(network, far, descent=QUICK)
    assert found.latents.norm() == pytest.approx(longest_usual(2), abs=1e-3)
    assert found.latents[0, 0] / found.latents.norm() > 0.99


@pytest.mark.parametrize("size", [3, 16, 64, 128, 512])
def test_the_longest_usual_latent_is_the_quantile(size):
    assert longest_usual(size) == pytest.approx(stats.chi2.ppf(0.999, size) ** 0.5, rel=0.01)


@settings(max_examples=10)
@given(st.integers(1, 12), st.floats(0.001, 5), st.integers(1, 6), st.integers(0, 20))
def test_no_descent_ends_farther_than_it_began(linear_generator, steps, rate, starts, seed):
    network = linear_generator(STRENGTHS)
    images = torch.rand(3, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    found = project(network, images, descent=Descent(starts=starts, steps=steps, rate=rate), seed=seed)
    assert found.starts.shape == (3, starts)
    assert (found.distances <= found.drawn + 1e-6).all()
    assert torch.equal(found.distances, found.starts.amin(dim=1))


def test_one_seed_gives_one_result_whatever_is_beside_an_image(linear_generator, monkeypatch):
    network = linear_generator(STRENGTHS)
    images = torch.rand(5, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    whole = project(network, images, descent=QUICK)
    assert torch.equal(project(network, images, descent=QUICK).latents, whole.latents)
    alone = project(network, images[3:4], descent=QUICK)
    assert torch.allclose(alone.distances[0], whole.distances[3], atol=1e-5)
    assert torch.allclose(alone.latents[0], whole.latents[3], atol=0.05)
    monkeypatch.setattr("striate.gan.projection._AT_ONCE", 4)
    parts = project(network, images, descent=QUICK)
    assert torch.allclose(parts.distances, whole.distances, atol=1e-5)
    assert torch.allclose(parts.latents, whole.latents, atol=0.05)
    other = project(network, images, descent=Descent(starts=3, steps=1), seed=1)
    assert not torch.equal(
        other.latents, project(network, images, descent=Descent(starts=3, steps=1)).latents
    )


def test_the_class_is_found_or_kept(linear_generator):
    network = linear_generator((0.1, 0.1), classes=4)
    labels = torch.tensor([3, 0, 1, 2])
    images = images_of(network, draw_latents(4, 2, seed=3), labels)
    found = project(network, images, descent=QUICK)
    assert torch.equal(found.labels, labels)
    assert found.distances.max() < 1e-3
    kept = project(network, images, labels=torch.zeros(4, dtype=torch.int64), descent=QUICK)
    assert kept.labels.tolist() == [0, 0, 0, 0]
    assert (kept.distances[[0, 2, 3]] > 0.05).all()


def test_the_network_is_left_as_it_was_and_the_callers_modes_do_not_matter(linear_generator):
    network = linear_generator(STRENGTHS).train()
    images = images_of(network, draw_latents(2, 3))
    events = []
    with torch.inference_mode():
        search = LatentSearch(network, descent=Descent(starts=2, steps=5))
        inside = search.find(torch.rand(2, 1, 6, 6), on_event=events.append)
    with torch.no_grad():
        found = project(network, images, descent=QUICK)
    assert found.distances.max() < 1e-3
    assert torch.isfinite(inside.distances).all()
    assert network.training
    assert network.first.weight.requires_grad
    assert network.first.weight.grad is None
    assert [event.data["done"] for event in events] == [1, 2, 3, 4, 5]
    assert events[-1].data["total"] == 5


@pytest.mark.parametrize(
    ("images", "error", "sentence"),
    [
        (torch.rand(2, 1, 5, 5), ShapeError, "2x1x5x5, where N x 1x6x6"),
        (torch.rand(1, 6, 6), ShapeError, "where N x"),
        (torch.rand(0, 1, 6, 6), ShapeError, "where N x"),
        (torch.zeros(1, 1, 6, 6, dtype=torch.uint8), LayerError, r"in \[0, 1\]"),
        (torch.full((1, 1, 6, 6), 3.0), LayerError, "from 3 to 3"),
        (torch.full((1, 1, 6, 6), torch.nan), LayerError, "nan"),
    ],
)
def test_images_that_are_none_of_the_generators_are_refused(linear_generator, images, error, sentence):
    with pytest.raises(error, match=sentence):
        project(linear_generator(STRENGTHS), images)


def test_classes_and_settings_that_cannot_be_are_refused(linear_generator):
    with pytest.raises(LayerError, match="without classes"):
        project(linear_generator((0.1,)), torch.rand(1, 1, 6, 6), labels=torch.tensor([0]))
    with pytest.raises(ShapeError, match="one label for each of 2"):
        project(linear_generator((0.1,), classes=2), torch.rand(2, 1, 6, 6), labels=torch.tensor([0]))
    for wrong in ({"starts": 0}, {"starts": 65}, {"steps": 0}, {"rate": 0.0}, {"rate": float("nan")}):
        with pytest.raises(LayerError, match="cannot be"):
            Descent(**wrong)


def test_a_generator_without_derivatives_says_so(linear_generator):
    class Detached(nn.Module):
        def forward(self, features):
            return features.detach()

    network = linear_generator((0.3,))
    network.first = nn.Sequential(network.first, Detached())
    with pytest.raises(LayerError, match="by anything that has a derivative"):
        project(network, torch.rand(1, 1, 6, 6))
