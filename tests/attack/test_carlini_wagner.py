"""Carlini and Wagner's attack comes near the smallest change, which is known on planes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from striate.attack.balls import L2, Linf
from striate.attack.carlini_wagner import CarliniWagner
from striate.attack.deep_fool import DeepFool
from striate.attack.goals import Targeted
from striate.attack.losses import margin
from striate.core.errors import AttackError

WEIGHTS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
OFFSETS = torch.tensor([0.1, 0.0, 1.2])
IMAGE = torch.tensor([[[0.6, 0.5]]])
LABEL = torch.tensor([0])


def planes(images: Tensor) -> Tensor:
    return images.flatten(1) @ WEIGHTS.T + OFFSETS


def test_the_distance_of_a_plane_is_found() -> None:
    found = CarliniWagner(L2(math.inf), weights=7)(planes, IMAGE, LABEL)
    distance = 0.2 / math.sqrt(2)  # of the first from the second plane
    size = L2(1.0).norms(found - IMAGE).item()
    assert planes(found).argmax().item() != 0
    assert size <= distance * 1.03


def test_a_target_is_reached_with_the_confidence_wanted() -> None:
    for confidence in (0.0, 0.5):
        attack = CarliniWagner(L2(math.inf), goal=Targeted(2), confidence=confidence)
        found = attack(planes, IMAGE, LABEL)
        assert margin(planes(found), torch.tensor([2])).item() <= -confidence


def test_what_is_too_far_comes_back_clean() -> None:
    assert CarliniWagner(L2(0.1))(planes, IMAGE, LABEL).equal(IMAGE)
    assert not CarliniWagner(L2(0.16))(planes, IMAGE, LABEL).equal(IMAGE)


def test_changes_are_about_as_small_as_deep_fools(digits) -> None:
    network, images, labels = digits[0], digits[1][:30], digits[2][:30]
    right = network(images).argmax(dim=1) == labels
    ball = L2(math.inf)
    found = CarliniWagner(ball)(network, images, labels)
    other = DeepFool(ball)(network, images, labels)
    assert (network(found).argmax(dim=1) != labels).all()
    assert found[~right].equal(images[~right])
    sizes, others = (ball.norms(each - images)[right] for each in (found, other))
    assert sizes.median() <= others.median() * 1.04


def test_black_and_white_pixels_stay_finite() -> None:
    image = torch.tensor([[[1.0, 0.0]]])
    found = CarliniWagner(L2(math.inf), learning_rate=0.3)(planes, image, LABEL)
    assert found.isfinite().all()
    assert planes(found).argmax().item() != 0


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"weights": 0}, "0 weights are nothing to try"),
        ({"learning_rate": 0.0}, "a learning rate of 0.0"),
        ({"first_weight": -1.0}, "a first weight of -1.0"),
        ({"confidence": -1.0}, "a confidence of -1.0"),
        ({"steps": 0}, "an attack of 0 steps cannot be"),
    ],
)
def test_fields_out_of_range_are_refused(fields, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        CarliniWagner(L2(1.0), **fields)


def test_other_norms_are_refused() -> None:
    with pytest.raises(AttackError, match="defined for l2, and not for linf; pgd takes each norm"):
        CarliniWagner(Linf(0.1))
