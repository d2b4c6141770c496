"""Penalties on weights: their slope is the derivative, and optimisers move by it as is said."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from striate.core.recipe import Recipe
from striate.engine.optimizers import make_optimizers, set_rates
from striate.engine.penalties import penalise, penalty_slope

RATES = {"learning_rate": 0.05, "other_rate": 0.02, "weight_decay": 0.0, "precision": "float32"}


def test_the_slope_of_l1_is_its_strength_by_the_sign() -> None:
    weights = torch.tensor([[-2.0, 0.5], [0.0, 1e-9]])
    assert penalty_slope(weights, [(1.0, 0.25)]).tolist() == [[-0.25, 0.25], [0.0, 0.25]]


@given(
    weights=st.lists(st.floats(-10, 10).filter(lambda value: abs(value) > 1e-3), min_size=1, max_size=6),
    penalties=st.lists(st.tuples(st.floats(1, 4), st.floats(0, 2)), max_size=3),
)
def test_the_slope_is_the_derivative_of_the_penalty(weights, penalties) -> None:
    leaf = torch.tensor(weights, dtype=torch.double, requires_grad=True)
    penalty = sum((strength * leaf.abs().pow(power).sum() for power, strength in penalties), 0 * leaf.sum())
    (expected,) = torch.autograd.grad(penalty, leaf)
    assert torch.allclose(penalty_slope(leaf.detach(), penalties), expected, rtol=1e-9, atol=1e-12)


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 2))


def _loss(network: nn.Module) -> torch.Tensor:
    images = torch.randn(8, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    return network(images).square().mean()


def _penalised(network: nn.Module) -> torch.Tensor:
    weights = [each for each in network.parameters() if each.ndim > 1]
    return sum(0.1 * each.abs().sum() + 0.01 * each.abs().pow(1.5).sum() for each in weights)


def test_under_sgd_steps_are_those_on_the_loss_and_the_penalty() -> None:
    ours, theirs = _network(), _network()
    recipe = Recipe(optimizer="sgd", l1=0.1, lp="1.5:0.01", **RATES)
    optimizers = make_optimizers(ours, recipe)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    for _ in range(4):
        _loss(ours).backward()
        penalise(optimizers)
        (_loss(theirs) + _penalised(theirs)).backward()
        for each in (*optimizers, reference):
            each.step()
            each.zero_grad()
    for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(own, other, atol=1e-6)


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_elsewhere_weights_move_by_rate_times_slope(name) -> None:
    network, free = _network(), _network()
    optimizers = make_optimizers(network, Recipe(optimizer=name, l1=0.1, **RATES))
    others = make_optimizers(free, Recipe(optimizer=name, **RATES))
    set_rates(optimizers, 0.5)
    set_rates(others, 0.5)
    before = [each.detach().clone() for each in network.parameters()]
    for each, made in ((network, optimizers), (free, others)):
        _loss(each).backward()
        penalise(made)
        for optimizer in made:
            optimizer.step()
    rate = 0.5 * 0.05
    for old, own, other in zip(before, network.parameters(), free.parameters(), strict=True):
        slower = 0.5 * 0.02 if name == "muon" and old.ndim == 2 else rate
        expected = slower * 0.1 * old.sign() if old.ndim > 1 else torch.zeros_like(old)
        if name == "muon" and old.ndim == 2:
            # The head is SGD's there: the slope goes into the gradient, and is moved along as that is.
            expected = expected * 1.9
        assert torch.allclose(other - own, expected, atol=1e-6)


def test_what_has_no_gradient_stays() -> None:
    network = _network()
    optimizers = make_optimizers(network, Recipe(optimizer="sgd", l1=0.1, **RATES))
    before = [each.detach().clone() for each in network.parameters()]
    penalise(optimizers)
    assert all(own.equal(old) for own, old in zip(network.parameters(), before, strict=True))


def test_l1_brings_weights_of_no_use_near_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(400, 10, generator=generator)
    answers = features[:, :2] @ torch.tensor([[1.0], [-2.0]])
    layer = nn.Linear(10, 1)
    optimizers = make_optimizers(layer, Recipe(optimizer="sgd", l1=0.05, **RATES))
    for step in range(300):
        set_rates(optimizers, 1 - step / 300)
        (layer(features) - answers).square().mean().backward()
        penalise(optimizers)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    weights = layer.weight.detach()[0]
    # Of a quadratic of curvature 2 the penalty takes 0.05/2 from what is left.
    assert weights[:2].tolist() == pytest.approx([0.975, -1.975], abs=0.02)
    assert weights[2:].abs().max() < 0.01
