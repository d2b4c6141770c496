"""A universal perturbation misleads on images that it was not learnt from, far more than noise."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from striate.attack.balls import L0, L1, L2, Linf
from striate.attack.goals import Targeted
from striate.attack.universal import Universal
from striate.core.errors import AttackError

BALLS = [Linf(0.2), L2(1.5), L1(8.0)]


@pytest.mark.parametrize("ball", BALLS, ids=str)
def test_it_misleads_on_other_images(ball, digits) -> None:
    network, images, labels = digits
    change = Universal(ball, steps=60).learn(network, images[:120], labels[:120])
    assert ball.norms(change[None]).item() <= ball.eps * (1 + 1e-6)
    others, known = images[120:], labels[120:]

    def wrong(changed: Tensor) -> int:
        return int((network(changed.clamp(0, 1)).argmax(dim=1) != known).sum())

    noise = torch.rand(change.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    noise = noise * (ball.eps / ball.norms(noise[None])).float()
    assert wrong(others + change) >= 24
    assert wrong(others + change) > 2 * wrong(others + noise)


def test_by_hand_on_a_linear_model() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False)).double()
    network[1].weight.data = torch.tensor([[1.0, -1.0, 2.0, 0.0], [0.0] * 4], dtype=torch.float64)
    images = torch.tensor([[[0.9, 0.3, 0.5, 0.5]], [[0.6, 0.4, 0.4, 0.1]]], dtype=torch.float64)
    labels = torch.tensor([0, 0])
    change = Universal(Linf(0.2), steps=40).learn(network, images, labels)
    assert change.flatten().tolist() == pytest.approx([-0.2, 0.2, -0.2, 0.0])
    change = Universal(L2(0.3), steps=200).learn(network, images, labels)
    assert change.flatten().tolist() == pytest.approx(
        [-0.3 / 6**0.5, 0.3 / 6**0.5, -0.6 / 6**0.5, 0], abs=1e-3
    )


def test_what_the_box_cuts_does_not_drive_it() -> None:
    """One image is already black where the slope leads: only the other one counts."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False)).double()
    network[1].weight.data = torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    images = torch.tensor([[[0.0, 0.5]], [[0.0, 0.7]]], dtype=torch.float64)
    change = Universal(L2(0.3), steps=100).learn(network, images, torch.tensor([0, 0]))
    assert change.flatten()[1].item() == pytest.approx(-0.3, abs=0.01)


def test_all_images_are_drawn_to_one_target(digits) -> None:
    network, images, labels = digits
    rows = labels != 8
    goal = Targeted(8)
    found = Universal(Linf(0.35), steps=60, goal=goal)(network, images[rows], labels[rows])
    assert goal.is_met(network(found), labels[rows]).float().mean() > 0.6


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Universal(L0(1)), "the universal perturbation is defined for linf and l2 and l1"),
        (lambda: Universal(L2(math.inf)), "the universal perturbation needs a radius that is finite"),
        (lambda: Universal(Linf(0.1), steps=0), "0 steps on batches of 100"),
        (lambda: Universal(Linf(0.1), batch=0), "batches of 0 images"),
    ],
)
def test_fields_out_of_range_are_refused(make, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        make()
