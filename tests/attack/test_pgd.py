"""Projected gradient descent: random starts, restarts of what is left, and losses of choice."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator, Tensor

from striate.attack.balls import L2, Linf
from striate.attack.goals import Targeted
from striate.attack.iterative import BIM
from striate.attack.losses import margin
from striate.attack.pgd import PGD
from striate.core.errors import AttackError


def cliff(images: Tensor) -> Tensor:
    """Fall only far to the left, where the slope at the image does not lead."""
    x = images.flatten(1)[:, 0]
    height = torch.where(x < 0.3, 4 * (x - 0.2), 0.4 + 0.3 * (0.9 - x))
    return torch.stack([height, torch.zeros_like(x)], dim=1)


def test_without_a_random_start_it_is_the_basic_method(digits) -> None:
    network, images, labels = digits
    for ball in (Linf(0.1), L2(0.8)):
        plain = BIM(ball, steps=7, relative_step=0.2)(network, images[:50], labels[:50])
        found = PGD(ball, steps=7, relative_step=0.2, random_start=False)(network, images[:50], labels[:50])
        assert found.equal(plain)


def test_restarts_reach_what_one_start_does_not() -> None:
    images, labels = torch.full((40, 1, 1), 0.5), torch.zeros(40, dtype=torch.long)
    fallen = []
    for restarts in (1, 20):
        attack = PGD(Linf(0.4), steps=5, relative_step=0.02, restarts=restarts)
        found = attack(cliff, images, labels, generator=Generator().manual_seed(0))
        fallen.append(int((cliff(found).argmax(dim=1) != 0).sum()))
    # A start is below 0.3 with probability a quarter.
    assert 3 <= fallen[0] <= 17
    assert fallen[1] >= 38


def test_more_restarts_never_do_worse(digits) -> None:
    network, images, labels = digits
    once, thrice = (
        PGD(Linf(0.06), steps=3, restarts=count)(network, images, labels, seeds=torch.arange(len(images)))
        for count in (1, 3)
    )
    fallen = network(once).argmax(dim=1) != labels
    assert thrice[fallen].equal(once[fallen])
    assert (margin(network(thrice), labels) >= margin(network(once), labels) - 1).all()
    assert (network(thrice).argmax(dim=1) != labels).sum() >= fallen.sum()


def test_images_that_fall_are_asked_about_no_more(digits) -> None:
    network, images, labels = digits
    passed: list[int] = []
    handle = network.register_forward_hook(lambda *told: passed.append(len(told[2])))
    try:
        PGD(Linf(0.2), steps=20)(network, images, labels)
    finally:
        handle.remove()
    # One forward pass of all beforehand; then the working set never grows.
    counts = [count for count in passed if count > 4]
    assert counts[1:] == sorted(counts[1:], reverse=True)
    assert sum(passed) < 12 * len(images)


def test_the_step_is_its_share_of_the_radius() -> None:
    def steep(images: Tensor) -> Tensor:
        return torch.stack([10 * images.flatten(1)[:, 0], torch.zeros(len(images))], dim=1)

    images, label = torch.tensor([[[0.9]]]), torch.tensor([0])
    found = PGD(Linf(0.4), steps=2, relative_step=0.25, random_start=False)(steep, images, label)
    assert found.item() == pytest.approx(0.7)
    usual = PGD(Linf(0.4), steps=10, random_start=False)(steep, images, label)
    assert usual.item() == pytest.approx(0.5)


def test_a_loss_of_choice_is_ascended() -> None:
    def model(images: Tensor) -> Tensor:
        x, y = images.flatten(1).unbind(dim=1)
        return torch.stack([torch.full_like(x, 4.0), 3 + x, -4 + 2 * y], dim=1)

    images = torch.full((1, 1, 2), 0.5)
    found = PGD(Linf(0.1), steps=5, loss=margin, random_start=False)(model, images, torch.tensor([0]))
    assert found.flatten().tolist() == pytest.approx([0.6, 0.5])  # the third class is not the next one


def test_targets_are_reached_and_no_other_class(digits) -> None:
    network, images, labels = digits
    targets = (labels + 1) % 10
    found = PGD(Linf(0.35), steps=40, goal=Targeted(targets))(network, images, labels)
    answers = network(found).argmax(dim=1)
    assert (answers == targets).float().mean() > 0.9


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"steps": 0}, "an attack of 0 steps cannot be"),
        ({"restarts": 0}, "0 restarts make no attack"),
        ({"restarts": 2, "random_start": False}, "2 restarts from the image itself are all the same"),
        ({"relative_step": -0.1}, "leads nowhere"),
    ],
)
def test_fields_out_of_range_are_refused(fields, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        PGD(Linf(0.1), **fields)


def test_an_infinite_radius_is_refused() -> None:
    with pytest.raises(AttackError, match="needs a radius that is finite"):
        PGD(L2(math.inf))(cliff, torch.full((1, 1, 1), 0.5), torch.tensor([0]))
