"""Penalties are the slopes that autograd and differences give, in float32, and teach the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.gan.penalties import one_centred, slopes, zero_centred


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.Softplus(), nn.Flatten(), nn.Linear(4 * 25, 1), nn.Flatten(0)
    )


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(3, 2, 5, 5, generator=torch.Generator().manual_seed(1))


def test_squared_slopes_are_those_of_each_image_by_itself(network, images) -> None:
    scores, squared = slopes(network, images)
    for index, image in enumerate(images):
        gradient = torch.func.grad(lambda one: network(one[None])[0])(image)
        assert squared[index].item() == pytest.approx(gradient.square().sum().item(), rel=1e-4)
        assert scores[index].item() == pytest.approx(network(image[None]).item(), rel=1e-4, abs=1e-6)


def test_squared_slopes_are_those_of_central_differences(network, images) -> None:
    network, images = network.double(), images.double()

    def score(image: torch.Tensor) -> torch.Tensor:
        return network(image[None])[0]

    step = 1e-5
    squared = 0.0
    for index in range(images[0].numel()):
        moved = torch.zeros(images[0].numel(), dtype=torch.float64)
        moved[index] = step
        moved = moved.view_as(images[0])
        squared += ((score(images[0] + moved) - score(images[0] - moved)).item() / (2 * step)) ** 2
    _, found = slopes(lambda batch: network(batch.double()), images)
    assert found[0].item() == pytest.approx(squared, rel=1e-4)


def test_a_penalty_teaches_the_weights_as_differences_say(network, images) -> None:
    def penalty() -> torch.Tensor:
        return zero_centred(slopes(network, images)[1])

    penalty().backward()
    weight = network[0].weight
    assert weight.grad is not None
    with torch.no_grad():
        for place in ((0, 0, 1, 1), (3, 1, 2, 0)):
            kept, step = weight[place].item(), 1e-2
            weight[place] = kept + step
            above = penalty().item()
            weight[place] = kept - step
            below = penalty().item()
            weight[place] = kept
            assert weight.grad[place].item() == pytest.approx(
                (above - below) / (2 * step), rel=0.02, abs=1e-5
            )


def test_penalties_compute_in_float32_under_autocast(network, images) -> None:
    expected = slopes(network, images)
    with torch.autocast("cpu", torch.bfloat16):
        found = slopes(network, images)
    for one, other in zip(expected, found, strict=True):
        assert other.dtype == torch.float32
        assert one.equal(other)


def test_penalties_of_a_plane_are_known(images) -> None:
    def plane(batch: torch.Tensor) -> torch.Tensor:
        return 3 * batch[:, 0, 0, 0] - 4 * batch[:, 1, 2, 3]

    _, squared = slopes(plane, images)
    assert squared.tolist() == [25.0] * 3
    assert zero_centred(squared).item() == 12.5
    shares = torch.tensor([0.0, 0.3, 1.0])
    assert one_centred(plane, images, -images, shares).item() == pytest.approx(16)


def test_one_centred_looks_between_real_and_generated(images) -> None:
    seen = []

    def note(batch: torch.Tensor) -> torch.Tensor:
        seen.append(batch.detach().clone())
        return batch.sum((1, 2, 3))

    one_centred(note, images, torch.zeros_like(images), torch.tensor([0.0, 0.25, 1.0]))
    expected = images * torch.tensor([0.0, 0.25, 1.0])[:, None, None, None]
    assert torch.allclose(seen[0], expected)


def test_a_flat_score_is_penalised_without_a_nan() -> None:
    weight = torch.zeros(1, requires_grad=True)
    images = torch.ones(2, 1, 2, 2)
    penalty = one_centred(lambda batch: batch.sum((1, 2, 3)) * weight, images, images, torch.rand(2))
    penalty.backward()
    assert penalty.item() == pytest.approx(1, rel=1e-4)
    assert torch.isfinite(weight.grad).all()
