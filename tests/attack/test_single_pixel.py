"""The single-pixel attack changes no more pixels than it may, and finds the one that matters."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from striate.attack import single_pixel
from striate.attack.balls import L0, Linf
from striate.attack.draws import Draws
from striate.attack.goals import Targeted
from striate.attack.single_pixel import SinglePixel, _painted
from striate.core.errors import AttackError


def test_members_are_painted_where_they_say() -> None:
    images = torch.zeros(2, 2, 4, 5)
    # Row 0.6 of 4 is 2, column 0.99 of 5 is 4; 1.0 is still inside.
    members = torch.tensor(
        [[0.6, 0.99, 0.25, 0.75, 0.0, 0.0, 0.5, 0.125], [1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 0.5]]
    )
    found = _painted(images, members)
    assert found[0, :, 2, 4].tolist() == [0.25, 0.75]
    assert found[0, :, 0, 0].tolist() == [0.5, 0.125]
    assert (found[0] != 0).any(dim=0).sum() == 2
    assert found[1, :, 3, 4].tolist() == [1.0, 0.5]
    assert (found[1] != 0).any(dim=0).sum() == 1


def test_children_are_of_three_different_members() -> None:
    members = (0.4 + torch.eye(5) / 10).expand(200, 5, 5)
    children = SinglePixel(L0(1))._children(members, Draws(torch.arange(200)))
    parts = (children - 0.4) * 10
    # One whole member, half of another, less half of a third.
    assert parts.sort(dim=2).values.allclose(torch.tensor([-0.5, 0.0, 0.0, 0.5, 1.0]), atol=1e-5)
    chosen = parts.flatten(0, 1).argmax(dim=1).bincount(minlength=5)
    assert chosen.min() > 130
    assert chosen.max() < 270


def test_the_pixel_that_matters_is_found() -> None:
    class Corner(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            key = images[:, 0, 3, 7] - images[:, 1, 3, 7]
            return torch.stack([torch.full_like(key, 0.5), key], dim=1)

    images = torch.full((4, 2, 9, 9), 0.5)
    found = SinglePixel(L0(1), population=100, generations=40)(
        Corner(), images, torch.zeros(4, dtype=torch.long)
    )
    assert (Corner()(found).argmax(dim=1) == 1).all()
    changed = (found != images).any(dim=1)
    assert changed.flatten(1).sum(dim=1).tolist() == [1] * 4
    assert changed[:, 3, 7].all()


@pytest.mark.parametrize("pixels", [1, 3])
def test_no_more_pixels_than_allowed_change(pixels, digits) -> None:
    network, images, labels = digits
    images, labels, ball = images[:100], labels[:100], L0(pixels)
    found = SinglePixel(ball, population=60, generations=10)(network, images, labels)
    assert ball.norms(found - images).max() <= pixels
    assert found.min() >= 0
    assert found.max() <= 1
    known, left = ((network(each).argmax(dim=1) == labels).sum() for each in (images, found))
    assert left < known - {1: 10, 3: 30}[pixels]


def test_other_images_change_nothing(digits, monkeypatch) -> None:
    network, images, labels = digits
    double, images = copy.deepcopy(network).double(), images[:6].double()
    attack, seeds = SinglePixel(L0(2), population=20, generations=5), torch.arange(6)
    together = attack(double, images, labels[:6], seeds=seeds)
    monkeypatch.setattr(single_pixel, "ELEMENTS_AT_ONCE", 64 * 7)
    alone = [attack(double, images[i : i + 1], labels[i : i + 1], seeds=seeds[i : i + 1]) for i in range(6)]
    assert together.allclose(torch.cat(alone), atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 1, 9), (2, 3, 4, 5), (2, 1, 3, 4, 5)])
def test_images_of_any_dimension(shape) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape[1:]), 3))
    images = torch.rand(shape)
    labels = network(images).argmax(dim=1)
    found = SinglePixel(L0(1000), population=8, generations=2)(network, images, labels)
    assert found.shape == images.shape


def test_a_target_is_searched_and_nothing_may_change(digits) -> None:
    network, images, labels = digits
    goal = Targeted((labels[:30] + 1) % 10)
    attack = SinglePixel(L0(6), population=60, generations=20, goal=goal)
    found = attack(network, images[:30], labels[:30])
    assert goal.is_met(network(found), labels[:30]).float().mean() > 0.2
    assert SinglePixel(L0(0))(network, images, labels).equal(images)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: SinglePixel(Linf(0.1)), "the single-pixel attack is defined for l0, and not for linf"),
        (lambda: SinglePixel(L0(math.inf)), "needs a radius that is finite"),
        (lambda: SinglePixel(L0(1), population=3), "100 generations of 3 members"),
        (lambda: SinglePixel(L0(1), generations=0), "0 generations of 400 members"),
    ],
)
def test_fields_out_of_range_are_refused(make, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        make()
