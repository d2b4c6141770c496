"""Random points are inside the ball, and the best of them is given."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from striate.attack.balls import L0, L1, L2, Linf
from striate.attack.draws import Draws
from striate.attack.random_points import RandomPoints
from striate.core.errors import AttackError


def bright(images: Tensor) -> Tensor:
    mean = images.flatten(1).mean(dim=1)
    return torch.stack([mean, torch.full_like(mean, 0.5)], dim=1)


@pytest.mark.parametrize("ball", [Linf(0.2), L2(0.7), L1(1.5), L0(3)])
def test_the_nearest_of_all_tries_is_given(ball) -> None:
    images = torch.rand(5, 1, 4, 4, generator=Generator().manual_seed(0)) * 0.3 + 0.6
    labels, seeds = torch.zeros(5, dtype=torch.long), torch.arange(5)
    changed = RandomPoints(ball, tries=7)(bright, images, labels, seeds=seeds)
    assert (ball.norms(changed - images) <= ball.eps * (1 + 1e-6)).all()
    points = [ball.start(images, Draws(seeds).derived(number)) for number in range(7)]
    best = torch.stack([bright(each)[:, 1] - bright(each)[:, 0] for each in points]).amax(dim=0)
    found = bright(changed)[:, 1] - bright(changed)[:, 0]
    fell = bright(changed).argmax(dim=1) != labels
    assert torch.where(fell, best, found).allclose(best)
    assert fell.equal(best > 0)


def test_what_has_fallen_is_asked_no_more() -> None:
    asked = []

    def counting(images: Tensor) -> Tensor:
        asked.append(len(images))
        return bright(images)

    images = torch.stack([torch.full((1, 2, 2), 0.501), torch.full((1, 2, 2), 0.99)])
    RandomPoints(Linf(0.2), tries=30)(counting, images, torch.tensor([0, 0]))
    assert sum(asked) < 2 * 31
    assert asked[-1] == 1


def test_no_tries_and_no_radius_are_refused() -> None:
    with pytest.raises(AttackError, match="0 tries make no attack"):
        RandomPoints(Linf(0.1), tries=0)
    with pytest.raises(AttackError, match="a random point needs a radius that is finite"):
        RandomPoints(L2(float("inf")))(bright, torch.full((1, 1, 2, 2), 0.9), torch.tensor([0]))
