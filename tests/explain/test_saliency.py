"""Gradients at the images, held to what they are by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.explain.saliency import gradient_times_input, saliency, smooth_grad


class Powers(nn.Module):
    """Scores: the sum of the squares, and that of the cubes."""

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        return torch.stack([(flat**2).sum(dim=1), (flat**3).sum(dim=1)], dim=1)


IMAGES = torch.tensor([[[1.0, -2.0]], [[3.0, 0.5]]])


def test_saliency_is_the_absolute_gradient() -> None:
    assert saliency(Powers(), IMAGES, 0).map.equal((2 * IMAGES).abs())
    assert saliency(Powers(), IMAGES, torch.tensor([1, 0])).map.tolist() == [[[3.0, 12.0]], [[6.0, 1.0]]]


def test_gradient_times_input_is_the_product() -> None:
    assert gradient_times_input(Powers(), IMAGES, 1).map.equal(3 * IMAGES**3)


def test_gradient_times_input_sums_to_the_score_without_biases() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3, bias=False)
    )
    images = torch.randn(5, 2, 6, 6)
    found = gradient_times_input(network, images)
    scores = network(images).detach()
    assert torch.allclose(found.map.flatten(1).sum(dim=1), scores.amax(dim=1), atol=1e-5)
    assert found.targets.equal(scores.argmax(dim=1))


def test_smooth_grad_is_saliency_without_noise() -> None:
    assert torch.allclose(
        smooth_grad(Powers(), IMAGES, 1, samples=3, noise=0.0).map, saliency(Powers(), IMAGES, 1).map
    )


def test_smooth_grad_is_the_mean_over_its_noise() -> None:
    generator = torch.Generator().manual_seed(5)
    found = smooth_grad(Powers(), IMAGES, 1, samples=4000, noise=0.1, generator=generator)
    # The mean of 3 (x + s n)^2 is 3 x^2 + 3 s^2, with s a tenth of each image's range.
    sizes = 0.1 * torch.tensor([3.0, 2.5]).view(2, 1, 1)
    expected = 3 * IMAGES**2 + 3 * sizes**2
    error = 3 * (2 * IMAGES.abs() * sizes + 2 * sizes**2) / 4000**0.5
    assert ((found.map - expected).abs() < 4 * error).all()


def test_smooth_grad_has_the_same_noise_each_time_and_for_each_image() -> None:
    one, other = smooth_grad(Powers(), IMAGES, 1), smooth_grad(Powers(), IMAGES, 1)
    assert one.map.equal(other.map)
    alone = smooth_grad(Powers(), IMAGES[1:], 1)
    assert torch.allclose(one.map[1:], alone.map)
    seeded = [
        smooth_grad(Powers(), IMAGES, 1, generator=torch.Generator().manual_seed(seed)).map
        for seed in (1, 1, 2)
    ]
    assert seeded[0].equal(seeded[1])
    assert not seeded[0].equal(seeded[2])


def test_smooth_grad_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    smooth_grad(Powers(), IMAGES)
    assert before.equal(torch.get_rng_state())


@pytest.mark.parametrize("choice", [{"samples": 0}, {"noise": -0.1}, {"noise": float("nan")}])
def test_choices_out_of_range_are_refused(choice) -> None:
    with pytest.raises(LayerError, match="cannot be; 1 sample and 0 are the least"):
        smooth_grad(Powers(), IMAGES, **choice)


@pytest.mark.parametrize("explain", [saliency, gradient_times_input, smooth_grad])
@pytest.mark.parametrize("target", [2, -1, torch.tensor([0, 2])])
def test_a_class_that_does_not_exist_is_refused(explain, target) -> None:
    with pytest.raises(
        LayerError, match=r"there is no class (2|-1): the network gives 2 classes, which are 0 to 1"
    ):
        explain(Powers(), IMAGES, target)


@pytest.mark.parametrize("explain", [saliency, gradient_times_input, smooth_grad])
def test_maps_have_a_value_for_each_channel_and_say_so(explain) -> None:
    found = explain(Powers(), torch.rand(2, 3, 4, 5, 2), 0)
    assert found.map.shape == (2, 3, 4, 5, 2)
    assert found.heat().shape == (2, 4, 5, 2)
    assert found.per_channel
    assert (found.gap, found.layer, found.method) == (None, None, explain.__name__)
    assert not found.map.requires_grad


class Root(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).sqrt()


def test_a_gradient_that_is_not_finite_is_refused() -> None:
    with pytest.raises(LayerError, match="values of the map of saliency are inf or NaN"):
        saliency(Root(), torch.zeros(1, 1, 2), 0)


def test_images_that_require_gradients_get_none() -> None:
    images = IMAGES.clone().requires_grad_()
    found = saliency(Powers(), images, 0)
    assert images.grad is None
    assert not found.map.requires_grad
