"""Muon against torch's own (which takes matrices only), and which parameter goes where."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from striate.core.recipe import Recipe
from striate.engine.optimizers import Muon, make_optimizers, orthogonal, set_rates

DECIDED = {"learning_rate": 0.05, "other_rate": 0.02, "weight_decay": 0.01}


@pytest.mark.parametrize("shape", [(8, 20), (20, 8), (6, 6)])
def test_steps_equal_those_of_torch(shape) -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(shape, generator=generator)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}
    optimizer = Muon([ours], **options)
    # Torch averages gradients into its momentum where ours sums them, which the update does not see.
    oracle = torch.optim.Muon([theirs], **options, nesterov=True, adjust_lr_fn="match_rms_adamw")
    for _ in range(5):
        gradient = torch.randn(shape, generator=generator)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        optimizer.step()
        oracle.step()
    moved = (theirs - start).norm()
    assert moved > 0.05 * start.norm()
    assert (ours - theirs).norm() < 0.02 * moved  # both round to bfloat16 on the way


@given(rows=st.integers(1, 24), columns=st.integers(1, 24), seed=st.integers(0, 99))
def test_orthogonal_keeps_singular_vectors_and_levels_the_values(rows, columns, seed) -> None:
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    values = torch.linalg.svdvals(matrix)
    if values[-1] < 0.1 * values[0]:
        return  # five steps do not lift very small values all the way
    result = orthogonal(matrix).float()
    assert result.shape == matrix.shape
    levelled = torch.linalg.svdvals(result)
    assert levelled.amin() > 0.5
    assert levelled.amax() < 1.4
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    inner = left.T @ result @ right.T  # the same vectors: a diagonal with nothing beside it
    assert (inner - torch.diag(inner.diagonal())).abs().amax() < 0.1


def test_a_gradient_of_zeros_moves_nothing() -> None:
    parameter = nn.Parameter(torch.ones(4, 3, 3, 3))
    optimizer = Muon([parameter], lr=0.1)
    parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert parameter.detach().equal(torch.ones(4, 3, 3, 3))


def _network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(2))


@pytest.mark.parametrize("name", ["muon", "sgd", "adamw"])
def test_every_parameter_is_trained_once_and_norms_are_not_decayed(name) -> None:
    network = _network()
    network(torch.zeros(2, 1, 8, 8))
    optimizers = make_optimizers(network, Recipe(optimizer=name, **DECIDED))
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    trained = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(trained) == sorted(id(parameter) for parameter in network.parameters())
    for group in groups:
        decayed = {parameter.ndim > 1 for parameter in group["params"]}
        assert decayed == {group["weight_decay"] > 0}
    set_rates(optimizers, 0.5)
    assert all(group["lr"] == 0.5 * group["peak"] for group in groups)


def test_frozen_parameters_are_left_alone() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4, 2)).requires_grad_(False)
    network[2].requires_grad_(True)
    (optimizer,) = make_optimizers(network, Recipe(**DECIDED))
    assert isinstance(optimizer, torch.optim.SGD)


def test_a_recipe_that_leaves_rates_open_is_refused() -> None:
    with pytest.raises(ValueError, match="not resolved"):
        make_optimizers(nn.Linear(2, 2), Recipe())


@pytest.mark.parametrize("name", ["muon", "sgd", "adamw"])
def test_each_parameter_has_its_own_share_of_the_rate(name) -> None:
    network = _network()
    network(torch.zeros(2, 1, 8, 8))
    plain = make_optimizers(network, Recipe(optimizer=name, **DECIDED))
    scaled = make_optimizers(
        network,
        Recipe(optimizer=name, **DECIDED),
        rate_of=lambda parameter: 0.5 if len(parameter) == 4 else 2.0,
    )

    def peaks(optimizers) -> dict[int, float]:
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        return {id(each): group["peak"] for group in groups for each in group["params"]}

    before, after = peaks(plain), peaks(scaled)
    for parameter in network.parameters():
        scale = 0.5 if len(parameter) == 4 else 2.0
        assert after[id(parameter)] == pytest.approx(scale * before[id(parameter)])
