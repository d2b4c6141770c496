"""The search of settings finds the worst one, drops what fell, and does not depend on the batch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from striate.attack import settings as module
from striate.attack.draws import Draws
from striate.attack.goals import Untargeted
from striate.attack.judging import Judge
from striate.attack.settings import worst_settings
from striate.attack.victim import Victim

TOP = torch.tensor([0.3, -0.62])


def hill(images: Tensor) -> Tensor:
    """The margin of class 1 is largest where the first two values are at the top; the third lifts it."""
    flat = images.flatten(1)
    away = (flat[:, :2] - (TOP + 1) / 2).norm(dim=1)
    return torch.stack([torch.ones(len(flat)), 0.9 - away + flat[:, 2]], dim=1)


def apply(images: Tensor, settings: Tensor) -> Tensor:
    changed = images.clone()
    changed.view(len(images), -1)[:, :2] = (settings + 1) / 2
    return changed


def searched(images: Tensor, grid: Tensor, *, refinements: int, seeds: Tensor | None = None) -> Tensor:
    labels = torch.zeros(len(images), dtype=torch.long)
    draws = Draws(torch.arange(len(images)) if seeds is None else seeds)
    with Victim(hill) as victim:
        judge = Judge(victim, labels, Untargeted())
        return worst_settings(judge, images, grid, apply=apply, draws=draws, refinements=refinements)


GRID = torch.cartesian_prod(torch.linspace(-1, 1, 5), torch.linspace(-1, 1, 5))


def test_the_best_of_the_grid_and_then_better() -> None:
    images = torch.zeros(3, 1, 3)
    coarse = searched(images, GRID, refinements=0)[:, 0, :2] * 2 - 1
    assert coarse.tolist() == [[0.5, -0.5]] * 3
    fine = searched(images, GRID, refinements=20)[:, 0, :2] * 2 - 1
    assert ((fine - TOP).norm(dim=1) < 0.08).all()
    assert not fine[0].equal(fine[1])  # each image has its own tries


def test_the_first_that_reaches_the_goal_is_given() -> None:
    images = torch.zeros(1, 1, 3)
    images[0, 0, 2] = 0.6  # a ring of settings reaches it
    found = searched(images, GRID, refinements=5)
    expected = next(each for each in GRID if (hill(apply(images, each[None])).argmax(dim=1) == 1).item())
    assert (found[0, 0, :2] * 2 - 1).tolist() == expected.tolist()


def test_nothing_better_leaves_the_image() -> None:
    images = torch.cat([(TOP + 1) / 2, torch.zeros(1)]).view(1, 1, 3)
    assert searched(images, GRID, refinements=5).equal(images)


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_other_images_and_their_number_change_nothing(at_once, monkeypatch) -> None:
    images = torch.zeros(6, 1, 3)
    images[:, 0, 2] = torch.linspace(0, 0.5, 6)
    expected = searched(images, GRID, refinements=4)
    monkeypatch.setattr(module, "CANDIDATES_AT_ONCE", at_once)
    assert searched(images, GRID, refinements=4).equal(expected)
    some = torch.tensor([1, 4])
    assert searched(images[some], GRID, refinements=4, seeds=some).equal(expected[some])


def test_what_gives_no_number_is_never_chosen() -> None:
    def broken(images: Tensor) -> Tensor:
        logits = hill(images)
        return torch.where(images.flatten(1)[:, :1] > 0.6, torch.nan, logits)

    images, labels = torch.zeros(1, 1, 3), torch.tensor([0])
    with Victim(broken) as victim:
        judge = Judge(victim, labels, Untargeted())
        found = worst_settings(judge, images, GRID, apply=apply, draws=Draws(torch.arange(1)), refinements=3)
    assert found[0, 0, 0] <= 0.6
