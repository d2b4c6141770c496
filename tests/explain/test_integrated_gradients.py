"""Integrated gradients: exact where the gradient is a polynomial, complete where there are steps enough."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain.integrated_gradients import gauss_legendre, integrated_gradients


class Power(nn.Module):
    """The score is the sum of a power of the values."""

    def __init__(self, power: int) -> None:
        super().__init__()
        self.power = power

    def forward(self, images: Tensor) -> Tensor:
        return (images.flatten(1) ** self.power).sum(dim=1, keepdim=True)


def rectified(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16, 4)
    )


def images(count: int = 3) -> Tensor:
    return torch.rand(count, 2, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 50])
def test_the_rule_is_that_of_gauss_and_legendre(steps) -> None:
    places, weights = gauss_legendre(steps)
    expected = np.polynomial.legendre.leggauss(steps)
    assert places.numpy() == pytest.approx((expected[0] + 1) / 2, abs=1e-14)
    assert weights.numpy() == pytest.approx(expected[1] / 2, abs=1e-14)


@pytest.mark.parametrize(("power", "steps"), [(2, 1), (3, 2), (4, 2), (5, 3), (6, 3)])
def test_steps_integrate_polynomials_of_twice_their_number(power, steps) -> None:
    values = torch.tensor([[[1.5, -1.0]], [[0.5, 2.0]]], dtype=torch.float64)
    baseline = torch.tensor([[[0.5, 0.25]]], dtype=torch.float64)
    found = integrated_gradients(Power(power), values, 0, baseline=baseline, steps=steps)
    expected = (values**power - baseline**power).float()
    assert torch.allclose(found.map, expected, rtol=1e-6)
    assert found.gap.abs().max() < 1e-6
    if power > 2:
        few = integrated_gradients(Power(power), values, 0, baseline=baseline, steps=steps - 1 or 1)
        assert steps == 1 or few.gap.abs().max() > 1e-4


@pytest.mark.parametrize("baseline", [0.0, 0.3, torch.full((2, 1, 1), 0.5), torch.rand(3, 2, 8, 8)])
def test_a_linear_network_has_its_weights_times_the_way(baseline) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(128, 3))
    found = integrated_gradients(network, images(), 2, baseline=baseline, steps=4)
    expected = network[1].weight.detach()[2].view(2, 8, 8) * (images() - baseline)
    assert torch.allclose(found.map, expected, atol=1e-6)
    assert found.gap.abs().max() < 1e-5


def test_the_gap_is_what_the_map_misses_and_falls_with_steps() -> None:
    network = rectified()
    gaps = []
    for steps in (2, 20, 200):
        found = integrated_gradients(network, images(), 1, steps=steps)
        scores = (network(images()) - network(torch.zeros(1, 2, 8, 8)))[:, 1].detach()
        assert torch.allclose(found.gap, found.map.flatten(1).sum(dim=1) - scores, atol=1e-5)
        gaps.append(float(found.gap.abs().mean()))
    assert gaps[0] > 5 * gaps[1] > 5 * gaps[2]


def test_a_wide_gap_is_said() -> None:
    class Step(nn.Module):
        """All of the score comes about within a hundredth of the way."""

        def forward(self, values: Tensor) -> Tensor:
            return (100 * (values.flatten(1) - 0.987)).clamp(0, 1)

    wide = integrated_gradients(Step(), torch.ones(1, 1, 1), 0, steps=3)
    assert wide.gap.item() == pytest.approx(-1)
    assert wide.note == (
        "3 steps; for 1 of 1 images the map misses the change of score by over 5%: take more"
    )
    assert integrated_gradients(Power(2), images(), steps=2).note == "2 steps"


def test_what_equals_the_baseline_has_no_share() -> None:
    values = images()
    values[:, :, 2:4] = 0.25
    found = integrated_gradients(rectified(), values, baseline=0.25, steps=5)
    assert found.map[:, :, 2:4].abs().max() == 0
    assert found.map[:, :, 4:].abs().max() > 0


def test_predicted_classes_are_those_of_the_images() -> None:
    network = rectified(3)
    found = integrated_gradients(network, images(5), steps=3)
    assert found.targets.equal(network(images(5)).argmax(dim=1))


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ({"steps": 0}, LayerError, "an integral of 0 steps cannot be; 1 is the least"),
        (
            {"baseline": torch.zeros(3, 8, 8)},
            ShapeError,
            "a baseline of 3x8x8 does not fit images of 3x2x8x8",
        ),
        ({"targets": 4}, LayerError, "there is no class 4: the network gives 4 classes"),
    ],
)
def test_what_cannot_be_is_refused(choice, error, message) -> None:
    with pytest.raises(error, match=message):
        integrated_gradients(rectified(), images(), **choice)
