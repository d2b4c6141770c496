"""The ensemble leaves no more images standing than its published form, and asks only about those left."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator

from striate.attack.balls import L0, L1, L2, Linf
from striate.attack.draws import Draws
from striate.attack.ensemble import Ensemble
from striate.attack.fab import FABT
from striate.attack.goals import Targeted
from striate.attack.losses import margin
from striate.attack.square import Square
from striate.attack.victim import Victim
from striate.core.errors import AttackError


@pytest.mark.parametrize(("ball", "norm"), [(Linf(0.09), "Linf"), (L2(0.6), "L2")], ids=str)
def test_no_more_survive_than_after_its_published_form(ball, norm, digits) -> None:
    peer = pytest.importorskip("pyautoattack", reason="pyautoattack is the oracle")
    network, images, labels = digits
    theirs = peer.AutoAttack(network, norm=norm, eps=ball.eps, version="standard", seed=0, device="cpu")
    theirs.verbose = False
    for member in (theirs.apgd, theirs.apgd_targeted, theirs.fab):
        member.n_iter = 20
    theirs.apgd_targeted.n_target_classes = theirs.fab.n_target_classes = 3
    theirs.square.n_queries = 200
    changed, _ = theirs.run_standard_evaluation(images, labels)
    mine = Ensemble(ball, steps=20, targets=3, queries=200, thorough=True)(
        network, images, labels, generator=Generator().manual_seed(0)
    )
    assert (ball.norms(mine.double() - images.double()) <= ball.eps * (1 + 1e-6)).all()
    standing = [int((network(each).argmax(dim=1) == labels).sum()) for each in (mine, changed)]
    assert 5 < standing[1] < 180
    assert standing[0] <= standing[1] + 1


def test_spending_less_leaves_hardly_more_standing(digits) -> None:
    network, images, labels = digits
    standing, asked = {}, {}
    for thorough in (False, True):
        attack = Ensemble(Linf(0.09), steps=20, targets=9, queries=200, thorough=thorough)
        with Victim(network) as victim:
            draws = Draws(torch.arange(len(images)))
            found = attack.run(victim, images, labels, draws)
            asked[thorough] = victim.forwards + 2 * victim.backwards
        standing[thorough] = int((network(found).argmax(dim=1) == labels).sum())
    assert standing[False] <= standing[True] + 1
    assert asked[False] < asked[True] / 2


def test_only_what_is_left_is_attacked_further(digits, monkeypatch) -> None:
    network, images, labels = digits
    seen: dict[str, int] = {}
    for kind in (FABT, Square):
        search = kind._search

        def counted(self, victim, part, *rest, search=search, kind=kind):
            seen[kind.__name__] = len(part)
            return search(self, victim, part, *rest)

        monkeypatch.setattr(kind, "_search", counted)
    attack = Ensemble(Linf(0.06), steps=10, targets=3, queries=30)
    found = attack(network, images, labels)
    standing = int((network(found).argmax(dim=1) == labels).sum())
    assert standing <= seen["Square"] <= seen["FABT"] < 150


def test_where_all_fail_the_best_attempt_is_given(digits) -> None:
    network, images, labels = digits
    attack = Ensemble(Linf(0.01), steps=5, targets=2, queries=10)
    found = attack(network, images, labels)
    still = network(found).argmax(dim=1) == labels
    assert still.sum() > 100
    assert (margin(network(found), labels) > margin(network(images), labels))[still].all()


@pytest.mark.parametrize("ball", [Linf(0.05), L2(0.4), L1(1.0)], ids=str)
def test_two_classes_are_enough_and_a_target_is_sought(ball, digits) -> None:
    torch.manual_seed(0)
    pair = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
    _, images, _ = digits
    images, seeds = images[:20], torch.arange(20)
    answers = pair(images).argmax(dim=1)
    found = Ensemble(ball, steps=10, queries=20)(pair, images, answers, seeds=seeds)
    goal = Targeted(1 - answers)
    aimed = Ensemble(ball, steps=10, queries=20, goal=goal)(pair, images, answers, seeds=seeds)
    fallen = [(pair(each).argmax(dim=1) != answers).sum() for each in (found, aimed)]
    assert fallen[0] == fallen[1] >= 3


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Ensemble(L0(3)), "FAB-T is defined for linf and l2 and l1"),
        (lambda: Ensemble(L2(math.inf)), "the ensemble needs a radius that is finite"),
        (lambda: Ensemble(Linf(0.1), steps=0), "0 steps"),
        (lambda: Ensemble(Linf(0.1), queries=0), "Square with 0 queries"),
    ],
)
def test_fields_out_of_range_are_refused(make, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        make()
