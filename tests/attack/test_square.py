"""Square finds what its published form finds, whatever batch an image is in, and needs no gradient."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Generator, Tensor, nn

from striate.attack import square
from striate.attack.balls import L0, L1, L2, Linf
from striate.attack.goals import Targeted
from striate.attack.losses import margin
from striate.attack.square import Square
from striate.core.errors import AttackError


def test_squares_become_smaller_as_published() -> None:
    shares = Square(Linf(0.1), queries=10_000)._shares()
    expected = {0: 0, 10: 0, 11: 1, 50: 1, 51: 2, 201: 3, 501: 4, 1001: 5, 2001: 6, 4001: 7, 6001: 8, 8001: 9}
    for query, halvings in expected.items():
        assert shares[query].item() == pytest.approx(0.8 / 2**halvings)
    fewer = Square(Linf(0.1), queries=100)._shares()
    assert fewer[0] == pytest.approx(0.8)
    assert fewer[-1] == pytest.approx(0.8 / 2**9)


def test_a_linear_model_is_brought_to_the_corner() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False)).double()
    network[1].weight.data = torch.stack([torch.linspace(1, 2, 16), torch.zeros(16)]).double()
    image = torch.full((1, 1, 4, 4), 0.5, dtype=torch.float64)
    found = Square(Linf(0.1), queries=500)(network, image, torch.tensor([0]))
    assert found.allclose(torch.full_like(image, 0.4))


def test_a_model_without_gradients_is_attacked(digits) -> None:
    network, images, labels = digits

    def blocked(batch: Tensor) -> Tensor:
        with torch.no_grad():
            return network(batch).round(decimals=3)

    found = Square(Linf(0.2), queries=200)(blocked, images[:50], labels[:50])
    before = (network(images[:50]).argmax(dim=1) == labels[:50]).sum()
    assert (network(found).argmax(dim=1) == labels[:50]).sum() < before / 2


@pytest.mark.parametrize("ball", [Linf(0.07), L2(0.6), L1(2.5)], ids=str)
def test_queries_ahead_change_the_time_and_not_the_result(ball, digits, monkeypatch) -> None:
    network, images, labels = digits
    double = copy.deepcopy(network).double()
    images, labels, seeds = images[:6].double(), labels[:6], torch.arange(6)
    attack = Square(ball, queries=50)
    found = {}
    for ahead in (1, 7, 64):
        monkeypatch.setitem(square.ROWS_AT_ONCE, "cpu", ahead)
        found[ahead] = attack(double, images, labels, seeds=seeds)
    assert found[7].allclose(found[1], atol=1e-12)
    assert found[64].allclose(found[1], atol=1e-12)
    alone = [attack(double, images[i : i + 1], labels[i : i + 1], seeds=seeds[i : i + 1]) for i in range(6)]
    assert found[1].allclose(torch.cat(alone), atol=1e-12)


def test_the_model_is_asked_as_often_as_said() -> None:
    asked = 0

    def stubborn(images: Tensor) -> Tensor:
        nonlocal asked
        asked += len(images)
        return torch.tensor([[2.0, 0.0]]).repeat(len(images), 1)

    Square(Linf(0.1), queries=200)(stubborn, torch.rand(64, 1, 6, 6), torch.zeros(64, dtype=torch.long))
    # Of every image: once to see that it is answered right; a few when the batch is measured.
    assert 64 * 200 <= asked - 64 < 64 * 200 + 16


@pytest.mark.parametrize(("ball", "norm"), [(Linf(0.05), "Linf"), (L2(0.5), "L2"), (L1(2.0), "L1")], ids=str)
def test_as_many_fall_as_by_its_published_form(ball, norm, digits) -> None:
    peer = pytest.importorskip("pyautoattack.square", reason="pyautoattack is the oracle")
    network, images, labels = digits
    known = network(images).argmax(dim=1) == labels
    images, labels = images[known][:100], labels[known][:100]
    theirs = peer.SquareAttack(
        network, norm=norm, n_queries=200, eps=ball.eps, p_init=0.8, n_restarts=1, seed=0, device="cpu",
        resc_schedule=True,
    ).perturb(images, labels)  # fmt: skip
    mine = Square(ball, queries=200)(network, images, labels, generator=Generator().manual_seed(0))
    assert (ball.norms(mine.double() - images.double()) <= ball.eps * (1 + 1e-6)).all()
    standing = [int((network(each).argmax(dim=1) == labels).sum()) for each in (mine, theirs)]
    assert 5 < standing[1] < 97
    # One standard error of a share of 100.
    assert standing[0] <= standing[1] + math.sqrt(standing[1] * (100 - standing[1]) / 100)


def test_the_margin_only_rises(digits) -> None:
    network, images, labels = digits
    few, many = (
        margin(network(Square(Linf(0.03), queries=count)(network, images, labels)), labels)
        for count in (1, 60)
    )
    fallen = few > 0
    assert (many >= few - 1e-5)[~fallen].all()
    assert (many > few + 0.1).any()


def test_a_target_is_searched(digits) -> None:
    network, images, labels = digits
    targets = (labels[:30] + 1) % 10
    attack = Square(Linf(0.4), queries=300, goal=Targeted(targets))
    found = attack(network, images[:30], labels[:30])
    assert (network(found).argmax(dim=1) == targets).float().mean() > 0.5


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Square(L0(1)), "Square is defined for linf and l2 and l1, and not for l0"),
        (lambda: Square(L2(math.inf)), "Square needs a radius that is finite"),
        (lambda: Square(Linf(0.1), queries=0), "Square with 0 queries and a share of 0.8"),
        (lambda: Square(Linf(0.1), share=0.0), "a share of 0.0"),
    ],
)
def test_fields_out_of_range_are_refused(make, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        make()
