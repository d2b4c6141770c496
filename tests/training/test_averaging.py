"""Averaged weights are the averages by hand, take the network's place for a while, and go on as they were."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from striate.models import sprint
from striate.training.averaging import AveragedWeights


def _trained(network: nn.Module, averages: AveragedWeights, steps: range) -> list[dict[str, torch.Tensor]]:
    """Set weights and buffers at random, as steps would, and keep what they were."""
    seen = []
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
            else:
                tensor.fill_(step)
        averages.update(step)
        seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
    return seen


def _averaged(network: nn.Module, averages: AveragedWeights) -> dict[str, torch.Tensor]:
    with averages.in_place():
        return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_with_a_share_of_one_they_are_the_plain_mean_over_all_steps() -> None:
    network = nn.BatchNorm1d(3)
    averages = AveragedWeights(network, share=1.0)
    seen = _trained(network, averages, range(1, 12))
    found = _averaged(network, averages)
    for name in ("weight", "bias", "running_mean", "running_var"):
        assert torch.allclose(found[name], torch.stack([each[name] for each in seen]).mean(dim=0), atol=1e-6)
    assert found["num_batches_tracked"] == 11


@given(share=st.floats(0.02, 1.0), steps=st.integers(1, 30))
def test_they_are_the_sum_of_the_steps_by_their_weights(share, steps) -> None:
    network = nn.Linear(2, 2)
    averages = AveragedWeights(network, share=share)
    seen = _trained(network, averages, range(1, steps + 1))
    weights, left = [0.0] * steps, 1.0
    for step in range(steps, 0, -1):
        kept = (1 - 1 / step) ** (2 / share - 1)
        weights[step - 1], left = left * (1 - kept), left * kept
    assert sum(weights) == pytest.approx(1)
    expected = sum(weight * each["weight"] for weight, each in zip(weights, seen, strict=True))
    assert torch.allclose(_averaged(network, averages)["weight"], expected, atol=1e-5)


@pytest.mark.parametrize("share", [0.05, 0.25, 1.0])
def test_the_steps_in_them_are_as_old_as_in_a_mean_over_that_share(share) -> None:
    network = nn.Linear(1, 1, bias=False).double()
    averages = AveragedWeights(network, share=share)
    for step in range(1, 4001):
        network.weight.data.fill_(step)
        averages.update(step)
    age = 4000 - _averaged(network, averages)["weight"].item()
    assert age == pytest.approx(share * 4000 / 2, rel=0.03)


def test_they_take_the_place_of_the_weights_and_give_it_back_bit_for_bit() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    averages = AveragedWeights(network, share=0.5)
    _trained(network, averages, range(1, 5))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with averages.in_place():
        assert not network[0].weight.equal(before["0.weight"])
    assert all(network.state_dict()[name].equal(tensor) for name, tensor in before.items())
    expected = _averaged(network, averages)
    averages.settle()
    assert all(network.state_dict()[name].equal(tensor) for name, tensor in expected.items())


def test_they_go_on_from_a_checkpoint_and_anew_from_other_weights() -> None:
    network, other = nn.Linear(2, 2), nn.Linear(2, 2)
    averages, resumed = AveragedWeights(network, share=0.3), AveragedWeights(other, share=0.3)
    _trained(network, averages, range(1, 4))
    resumed.restore({name: tensor.clone() for name, tensor in averages.tensors().items()})
    _trained(network, averages, range(4, 6))
    _trained(other, resumed, range(4, 6))
    assert _averaged(network, averages)["weight"].equal(_averaged(other, resumed)["weight"])
    averages.follow()
    assert _averaged(network, averages)["weight"].equal(network.weight)


def test_without_a_share_nothing_is_kept() -> None:
    network = nn.Linear(2, 2)
    averages = AveragedWeights(network, share=None)
    seen = _trained(network, averages, range(1, 3))
    assert averages.tensors() == {}
    assert _averaged(network, averages)["weight"].equal(seen[-1]["weight"])
    averages.settle()
    assert network.weight.equal(seen[-1]["weight"])


def test_filters_that_keep_their_norms_keep_them_in_the_average() -> None:
    network = sprint(channels=1, size=(12, 12), classes=2)
    averages = AveragedWeights(network, share=1.0)
    for step in range(1, 4):
        torch.manual_seed(step)
        for parameter in network.parameters():
            parameter.data.normal_()
        network.keep_norms()
        averages.update(step)
    found = _averaged(network, averages)
    filters = [tensor for name, tensor in found.items() if name.startswith("stages") and tensor.ndim == 4]
    assert filters
    assert all(each.norm().item() == pytest.approx(len(each) ** 0.5, rel=1e-4) for each in filters)
