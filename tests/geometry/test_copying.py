"""A network that is traced stays as it was, whatever its forward does and however it fails."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import TraceError
from striate.geometry import trace
from striate.geometry.copying import stand_in


class Restless(nn.Module):
    """Changes everything that a forward can change, and fails if told to."""

    def __init__(self, *, fails: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2, track_running_stats=True)
        self.dropout = nn.Dropout(0.5)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.history: list[int] = []
        self.cache = {"mean": torch.zeros(2)}
        self.fails = fails
        self.count = 0

    def forward(self, images: Tensor) -> Tensor:
        self.count += 1
        self.calls += 1
        self.history.append(len(self.history))
        features = self.dropout(self.norm(self.convolution(images)))
        self.cache["mean"] = features.mean(dim=(0, 2, 3))
        self.convolution.train()
        torch.rand(3)
        random.random()
        np.random.rand(2)  # noqa: NPY002 (what users do)
        with torch.no_grad():
            self.convolution.weight.mul_(2)
        if self.fails:
            self.convolution.register_forward_hook(lambda *_: None)
            raise RuntimeError("halfway")
        return features


def everything(network: Restless) -> tuple[object, ...]:
    """Take down the state of a network and of the random generators."""
    return (
        {name: tensor.clone() for name, tensor in network.state_dict().items()},
        [module.training for module in network.modules()],
        [(len(module._forward_hooks), len(module._forward_pre_hooks)) for module in network.modules()],
        (network.count, list(network.history), network.cache["mean"].clone()),
        torch.get_rng_state(),
        random.getstate(),
        str(np.random.get_state()),  # noqa: NPY002
        torch.is_grad_enabled(),
    )


def same(one: object, other: object) -> bool:
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and one.equal(other)
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(one[k], other[k]) for k in one)
        )
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_the_network_or_of_the_random_generators_changes(fails) -> None:
    network = Restless(fails=fails)
    network.norm.eval()
    identities = {name: (id(tensor), tensor.device.type) for name, tensor in network.named_parameters()}
    before = everything(network)
    if fails:
        with pytest.raises(TraceError, match=r"the network \(Restless\) cannot be followed .*: halfway"):
            trace(network, (1, 8, 8))
    else:
        trace(network, (1, 8, 8))
    assert same(everything(network), before)
    assert {
        name: (id(tensor), tensor.device.type) for name, tensor in network.named_parameters()
    } == identities
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None
    assert torch.overrides._get_current_function_mode() is None
    assert F.relu(torch.tensor([-1.0])).item() == 0


def test_a_network_in_training_is_followed_in_evaluation() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5))
    network.train()
    found = trace(network, (1, 8, 8))
    assert found.layers[1].fields == found.layers[0].fields
    assert network.training
    assert network[1].num_batches_tracked.item() == 0


def test_weights_are_not_copied_and_large_arrays_are_shared() -> None:
    network = nn.Linear(10, 10)
    network.table = np.zeros(1000)
    network.spare = [torch.ones(5)]
    copied = stand_in(network)
    assert copied.weight.is_meta
    assert copied.weight.requires_grad
    assert isinstance(copied.weight, nn.Parameter)
    assert copied.spare[0].is_meta
    assert copied.table is network.table
    assert copied._parameters is not network._parameters


def test_tied_weights_stay_tied_in_the_copy() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    network[1].weight = network[0].weight
    copied = stand_in(network)
    assert copied[0].weight is copied[1].weight
    assert trace(network, (3,)).parameters == 9 + 3 + 3


def test_what_cannot_be_copied_is_shared() -> None:
    network = nn.Linear(3, 2)
    network.lock = threading.Lock()
    found = trace(nn.Sequential(network, nn.ReLU()), (3,))
    assert found.parameters == 8
    assert stand_in(network).lock is network.lock


def test_no_part_of_a_network_is_shared_because_something_in_it_cannot_be_copied() -> None:
    inner = nn.Sequential(nn.Linear(3, 2), nn.Dropout())
    inner[0].tools = {"lock": threading.Lock(), "names": ["a"]}
    network = nn.Sequential(inner, nn.ReLU())
    copied = stand_in(network)
    originals = {id(module) for module in network.modules()}
    assert all(id(module) not in originals for module in copied.modules())
    assert copied[0][0].tools["lock"] is inner[0].tools["lock"]
    assert copied[0][0].tools["names"] is not inner[0].tools["names"]
    assert inner[1].training
    assert not copied[0][1].training


def test_methods_bound_to_the_network_are_bound_to_the_copy() -> None:
    network = nn.Linear(3, 2)
    seen: list[nn.Module] = []

    def forward(self: nn.Module, features: Tensor) -> Tensor:
        seen.append(self)
        return F.linear(features, self.weight)

    network.forward = forward.__get__(network)
    trace(network, (3,))
    assert len(seen) == 1
    assert seen[0] is not network


def test_old_weight_norm_whose_weight_is_computed_by_a_hook_is_followed() -> None:
    with pytest.warns(FutureWarning):
        network = nn.utils.weight_norm(nn.Conv2d(1, 2, 3))
    network(torch.zeros(1, 1, 4, 4))  # the weight is now no leaf, which alone could not be copied
    found = trace(network, (1, 8, 8))
    assert found.layers[0].output == (2, 6, 6)
    assert not network.weight.is_meta


def test_wrapped_networks_are_unwrapped() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3))
    assert [layer.name for layer in trace(nn.DataParallel(network), (1, 8, 8)).layers] == ["0"]
    compiled = torch.compile(network, backend="eager")
    assert [layer.name for layer in trace(compiled, (1, 8, 8)).layers] == ["0"]
