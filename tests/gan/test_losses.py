"""Each loss is the formula of its paper, and moves both networks to where they should go."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from striate.core.errors import RecipeError
from striate.gan.losses import LOSSES, find_loss
from striate.gan.recipe import LOSS_NAMES

REAL = [0.3, -1.7, 2.5, 0.0]
FAKE = [-0.4, 1.2, -3.0, 0.9]


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


# Written from the papers, score by score, with no torch.
DISCRIMINATOR = {
    "non-saturating": lambda r, f: (
        mean(-math.log(logistic(x)) for x in r) + mean(-math.log(1 - logistic(x)) for x in f)
    ),
    "least-squares": lambda r, f: mean((x - 1) ** 2 for x in r) / 2 + mean(x**2 for x in f) / 2,
    "wasserstein": lambda r, f: mean(f) - mean(r),
    "hinge": lambda r, f: mean(max(0, 1 - x) for x in r) + mean(max(0, 1 + x) for x in f),
    "relativistic": lambda r, f: mean(-math.log(logistic(x - y)) for x, y in zip(r, f, strict=True)),
}
GENERATOR = {
    "non-saturating": lambda _, f: mean(-math.log(logistic(x)) for x in f),
    "least-squares": lambda _, f: mean((x - 1) ** 2 for x in f) / 2,
    "wasserstein": lambda _, f: -mean(f),
    "hinge": lambda _, f: -mean(f),
    "relativistic": lambda r, f: mean(-math.log(logistic(y - x)) for x, y in zip(r, f, strict=True)),
}


def test_the_names_are_those_of_the_recipe() -> None:
    assert tuple(LOSSES) == LOSS_NAMES
    with pytest.raises(RecipeError, match="did you mean 'hinge'"):
        find_loss("hing")


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_its_formula(name) -> None:
    real, fake = torch.tensor(REAL, dtype=torch.float64), torch.tensor(FAKE, dtype=torch.float64)
    loss = find_loss(name)
    assert loss.discriminator(real, fake).item() == pytest.approx(DISCRIMINATOR[name](REAL, FAKE))
    assert loss.generator(real, fake).item() == pytest.approx(GENERATOR[name](REAL, FAKE))


def test_cross_entropy_is_that_of_torch() -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    ones, zeros = torch.ones(4), torch.zeros(4)
    expected = F.binary_cross_entropy_with_logits(real, ones) + F.binary_cross_entropy_with_logits(
        fake, zeros
    )
    assert find_loss("non-saturating").discriminator(real, fake).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("name", LOSSES)
def test_the_discriminator_parts_scores_and_the_generator_raises_its_own(name) -> None:
    real, fake = (torch.full((3,), 0.2, requires_grad=True) for _ in range(2))
    loss = find_loss(name)
    of_real, of_fake = torch.autograd.grad(loss.discriminator(real, fake), (real, fake))
    assert (of_real < 0).all()
    assert (of_fake > 0).all()
    (raised,) = torch.autograd.grad(loss.generator(real, fake), fake)
    assert (raised < 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_only_a_loss_that_compares_depends_on_real_scores(name) -> None:
    loss = find_loss(name)
    fake = torch.tensor(FAKE)
    same = loss.generator(torch.tensor(REAL), fake).equal(loss.generator(torch.zeros(4), fake))
    assert same != loss.compares


@pytest.mark.parametrize("name", ["non-saturating", "relativistic"])
def test_scores_far_apart_stay_finite(name) -> None:
    loss = find_loss(name)
    far = torch.tensor([1e4])
    for real, fake in ((far, -far), (-far, far)):
        assert torch.isfinite(loss.discriminator(real, fake))
        assert torch.isfinite(loss.generator(real, fake))
