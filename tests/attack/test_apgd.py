"""Auto-PGD: checkpoints as published, lengths that halve where nothing is gained, targets in turn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from striate.attack.adaptive_steps import AdaptiveAscent
from striate.attack.apgd import APGDCE, APGDT
from striate.attack.balls import L1, L2, Linf
from striate.attack.goals import Targeted, Untargeted
from striate.attack.losses import cross_entropy, margin
from striate.attack.pgd import PGD
from striate.attack.victim import Victim
from striate.core.errors import AttackError


def test_checkpoints_are_those_of_the_paper() -> None:
    # w = 0.22, then + max(last - 0.03, 0.06) of 100 steps.
    assert sorted(AdaptiveAscent(Linf(0.1), 100)._checkpoints()) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert sorted(AdaptiveAscent(Linf(0.1), 1)._checkpoints()) == [1]


def valley(images: Tensor) -> Tensor:
    """The score is largest at 0.537, and the class never changes."""
    x = images.flatten(1)[:, 0]
    return torch.stack([1 + 30 * (x - 0.537).square(), torch.zeros_like(x)], dim=1)


def test_lengths_halve_until_the_best_point_is_found_exactly() -> None:
    image, label = torch.tensor([[[0.5]]], dtype=torch.float64), torch.tensor([0])
    found = APGDCE(Linf(0.3), steps=100)(valley, image, label)
    fixed = PGD(Linf(0.3), steps=100, relative_step=0.1)(valley, image, label)
    assert abs(found.item() - 0.537) < 0.002
    assert abs(found.item() - 0.537) < abs(fixed.item() - 0.537)


def test_momentum_and_first_step_by_hand() -> None:
    """On a slope the first step is twice the radius, and projected; then the point stays at the border."""
    seen: list[float] = []

    def slope(images: Tensor) -> Tensor:
        x = images.flatten(1)[:, 0]
        if images.requires_grad:
            seen.append(images.detach().item())
        return torch.stack([9 + 5 * x, torch.zeros_like(x)], dim=1)

    image, labels = torch.tensor([[[0.6]]]), torch.tensor([0])
    ball = Linf(0.25)
    with Victim(slope, batch=1) as victim:
        ascent = AdaptiveAscent(ball, 3)
        reached = ascent.climb(
            victim,
            image,
            labels,
            Untargeted(),
            ball.region(image),
            lambda rows: lambda logits: cross_entropy(logits, labels[rows]),
        )
    assert seen == pytest.approx([0.6, 0.35, 0.35], abs=1e-6)
    assert reached.points.item() == pytest.approx(0.35)
    assert not reached.met.any()


@pytest.mark.parametrize("ball", [Linf(0.08), L2(0.5), L1(2.5)], ids=str)
def test_it_finds_at_least_what_fixed_steps_find(ball, digits) -> None:
    network, images, labels = digits
    survivors = {}
    for name, attack in (
        ("pgd", PGD(ball, steps=30)),
        ("ce", APGDCE(ball, steps=30)),
        ("t", APGDT(ball, steps=30)),
    ):
        found = attack(network, images, labels)
        survivors[name] = int((network(found).argmax(dim=1) == labels).sum())
        assert (ball.norms(found.double() - images.double()) <= ball.eps * (1 + 1e-6)).all()
    assert 10 < survivors["pgd"] < 190
    assert survivors["ce"] <= survivors["pgd"] + 2
    assert survivors["t"] <= survivors["ce"] + 1


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_few_classes_have_few_targets(classes) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(30, classes))
    images = torch.rand(20, 1, 30)
    labels = network(images).argmax(dim=1)
    found = APGDT(Linf(0.3), steps=10)(network, images, labels)
    assert (network(found).argmax(dim=1) != labels).all()


def test_targets_are_gone_towards_in_the_order_of_their_logits() -> None:
    """Only the third likely class can be reached, and three targets are enough for it."""

    def model(images: Tensor) -> Tensor:
        x = images.flatten(1)[:, 0]
        flat = [torch.full_like(x, value) for value in (5.0, 4.0, 3.5)]
        return torch.stack([*flat, 3 + 10 * (x - 0.5), torch.full_like(x, -1.0)], dim=1)

    image, label = torch.full((1, 1, 1), 0.5), torch.tensor([0])
    for targets, expected in ((3, 3), (9, 3)):
        found = APGDT(Linf(0.4), steps=5, targets=targets)(model, image, label)
        assert model(found).argmax(dim=1).item() == expected


def test_a_target_of_ones_own_is_reached(digits) -> None:
    network, images, labels = digits
    targets = (labels + 3) % 10
    for attack in (APGDCE, APGDT):
        found = attack(Linf(0.35), steps=40, goal=Targeted(targets))(network, images, labels)
        assert (network(found).argmax(dim=1) == targets).float().mean() > 0.9


def test_restarts_go_on_with_what_is_left(digits) -> None:
    network, images, labels = digits
    seeds = torch.arange(len(images))
    once = APGDCE(Linf(0.07), steps=10)(network, images, labels, seeds=seeds)
    more = APGDCE(Linf(0.07), steps=10, restarts=3)(network, images, labels, seeds=seeds)
    fallen = network(once).argmax(dim=1) != labels
    assert more[fallen].equal(once[fallen])
    assert (cross_entropy(network(more), labels) >= cross_entropy(network(once), labels) - 1e-5)[
        ~fallen
    ].all()


def test_the_best_attempt_is_at_least_as_bad_as_the_clean_image(digits) -> None:
    network, images, labels = digits
    found = APGDCE(Linf(0.02), steps=10)(network, images, labels)
    assert (margin(network(found), labels) >= margin(network(images), labels) - 1e-4).all()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: APGDCE(Linf(0.1), steps=0), "an attack of 0 steps cannot be"),
        (lambda: APGDCE(Linf(0.1), restarts=0), "0 restarts make no attack"),
        (lambda: APGDT(Linf(0.1), targets=0), "0 targets are nothing to go towards"),
    ],
)
def test_fields_out_of_range_are_refused(make, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        make()
