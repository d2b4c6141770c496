"""FAB-T finds the nearest image of another class, and in a ball as many as its published form."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from striate.attack.balls import L0, L1, L2, Linf
from striate.attack.deep_fool import DeepFool
from striate.attack.fab import FABT
from striate.attack.goals import Targeted
from striate.core.errors import AttackError


def linear(weight: list[list[float]], bias: list[float]) -> nn.Module:
    layer = nn.Linear(len(weight[0]), len(weight)).double()
    layer.weight.data, layer.bias.data = (torch.tensor(each, dtype=torch.float64) for each in (weight, bias))
    return nn.Sequential(nn.Flatten(), layer)


@pytest.mark.parametrize(
    ("ball", "distance"),
    # From (0.5, 0.5) to 3 x + 4 y = 3.5 - 0.5, which is |c| / |w| in the dual norm.
    [(Linf(math.inf), 0.5 / 7), (L2(math.inf), 0.5 / 5), (L1(math.inf), 0.5 / 4)],
    ids=str,
)
def test_by_hand_on_a_plane(ball, distance) -> None:
    network = linear([[3.0, 4.0], [0.0, 0.0]], [0.0, 3.0])
    image = torch.full((1, 1, 2), 0.5, dtype=torch.float64)
    found = FABT(ball, steps=30)(network, image, torch.tensor([0]))
    assert network(found).argmax(dim=1).item() == 1
    norm = ball.norms(found - image).item()
    assert distance <= norm < distance * 1.01


def test_the_box_bends_the_way() -> None:
    """The steep value has no room: the other one must do it."""
    network = linear([[10.0, 1.0], [0.0, 0.0]], [0.0, 0.6])
    image = torch.tensor([[[0.0, 0.9]]], dtype=torch.float64)
    found = FABT(L2(math.inf), steps=30)(network, image, torch.tensor([0]))
    assert found.flatten().tolist() == pytest.approx([0.0, 0.6], abs=0.004)


def test_the_nearest_of_several_classes_is_found_though_another_is_likelier() -> None:
    # Class 1 is likelier and its boundary far away; that of class 2 is near.
    network = linear([[0.0], [0.5], [-8.0]], [2.0, 1.65, 5.5])
    image = torch.tensor([[[0.5]]], dtype=torch.float64)
    found = FABT(Linf(math.inf), steps=30)(network, image, torch.tensor([0]))
    assert network(image).flatten().tolist() == pytest.approx([2.0, 1.9, 1.5])
    assert network(found).argmax(dim=1).item() == 2
    assert found.item() == pytest.approx(0.4375, abs=1e-3)
    alone = FABT(Linf(math.inf), steps=30, targets=1)(network, image, torch.tensor([0]))
    assert abs(alone.item() - 0.5) > abs(found.item() - 0.5)


@pytest.mark.parametrize("ball", [L2(math.inf), Linf(math.inf), L1(math.inf)], ids=str)
def test_it_comes_nearer_than_deep_fool(ball, digits) -> None:
    network, images, labels = digits
    images, labels = images[:40], labels[:40]
    found = FABT(ball, steps=20, targets=5)(network, images, labels)
    assert (network(found).argmax(dim=1) != labels).all()
    assert found.min() >= 0
    assert found.max() <= 1
    if not isinstance(ball, L1):
        other = DeepFool(ball)(network, images, labels)
        reached = network(other).argmax(dim=1) != labels
        mine, theirs = (ball.norms(each - images)[reached].median() for each in (found, other))
        assert mine <= theirs * 1.001


@pytest.mark.parametrize(("ball", "norm"), [(Linf(0.1), "Linf"), (L2(0.6), "L2"), (L1(2.0), "L1")], ids=str)
def test_as_many_fall_as_by_its_published_form(ball, norm, digits) -> None:
    peer = pytest.importorskip("pyautoattack.fab_pt", reason="pyautoattack is the oracle")
    network, images, labels = digits
    known = network(images).argmax(dim=1) == labels
    images, labels = images[known][:100], labels[known][:100]
    theirs = peer.FABAttack_PT(
        network, norm=norm, n_restarts=1, n_iter=15, eps=ball.eps, seed=0, n_target_classes=4, device="cpu",
        targeted=True,
    ).perturb(images, labels)  # fmt: skip
    mine = FABT(ball, steps=15, targets=4)(network, images, labels)
    assert (ball.norms(mine.double() - images.double()) <= ball.eps * (1 + 1e-6)).all()
    standing = [
        int(((network(each).argmax(dim=1) == labels) | (ball.norms(each - images) > ball.eps * 1.0001)).sum())
        for each in (mine, theirs)
    ]
    assert 5 < standing[1] < 95
    assert standing[0] <= standing[1] + 1


def test_images_that_fell_are_asked_about_no_more(digits) -> None:
    network, images, labels = digits
    passed: list[int] = []
    handle = network.register_forward_hook(lambda *told: passed.append(len(told[2])))
    try:
        FABT(Linf(0.5), steps=50, targets=3)(network, images[:20], labels[:20])
    finally:
        handle.remove()
    assert sum(passed) < 20 * 3 * 10


def test_other_images_change_nothing(digits) -> None:
    network, images, labels = digits
    double = copy.deepcopy(network).double()
    images, seeds = images[:8].double(), torch.arange(8)
    attack = FABT(L2(0.7), steps=8, targets=3, restarts=2)
    together = attack(double, images, labels[:8], seeds=seeds)
    alone = [attack(double, images[i : i + 1], labels[i : i + 1], seeds=seeds[i : i + 1]) for i in range(8)]
    assert together.allclose(torch.cat(alone), atol=1e-9)


def test_more_restarts_never_come_less_near(digits) -> None:
    network, images, labels = digits
    ball, seeds = L2(math.inf), torch.arange(20)
    once, thrice = (
        ball.norms(
            FABT(ball, steps=15, targets=3, restarts=count)(network, images[:20], labels[:20], seeds=seeds)
            - images[:20]
        )
        for count in (1, 3)
    )
    assert (thrice <= once + 0.01).all()  # the way straight back may differ
    assert (thrice < once - 1e-6).any()


def test_a_target_is_reached_and_no_other_class(digits) -> None:
    network, images, labels = digits
    targets = (labels[:40] + 1) % 10
    found = FABT(L2(math.inf), steps=40, goal=Targeted(targets))(network, images[:40], labels[:40])
    assert (network(found).argmax(dim=1) == targets).float().mean() > 0.9


def test_two_classes_have_one_boundary() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(30, 2))
    images = torch.rand(10, 1, 30)
    labels = network(images).argmax(dim=1)
    found = FABT(Linf(0.4), steps=10)(network, images, labels)
    assert (network(found).argmax(dim=1) != labels).all()


def test_without_slope_the_image_comes_back() -> None:
    def flat(images: Tensor) -> Tensor:
        return torch.stack([images.flatten(1).sum(dim=1) * 0 + 2, images.flatten(1).sum(dim=1) * 0], dim=1)

    images = torch.rand(3, 1, 5)
    assert FABT(Linf(0.2), steps=4)(flat, images, torch.zeros(3, dtype=torch.long)).equal(images)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: FABT(L0(1)), "FAB-T is defined for linf and l2 and l1, and not for l0"),
        (lambda: FABT(Linf(0.1), steps=0), "FAB-T with 0 steps, 9 targets and 1 restarts"),
        (lambda: FABT(Linf(0.1), targets=0), "0 targets"),
        (lambda: FABT(Linf(0.1), restarts=0), "0 restarts"),
    ],
)
def test_fields_out_of_range_are_refused(make, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        make()
