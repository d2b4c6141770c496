"""What training made of networks and optimisers is taken by name and put back where it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.core.errors import RunError
from striate.engine.checkpoints import computed_by, learned, restore
from striate.engine.world import World


def trained(seed: int, fused: bool) -> tuple[dict[str, nn.Module], list[torch.optim.Optimizer]]:
    torch.manual_seed(seed)
    networks = {"one": nn.Linear(3, 2), "other": nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4))}
    networks["other"].to(memory_format=torch.channels_last)
    optimizers = [torch.optim.Adam(network.parameters(), fused=fused) for network in networks.values()]
    networks["one"](torch.randn(4, 3)).square().sum().backward()
    networks["other"](torch.randn(4, 2, 5, 5)).square().sum().backward()
    for optimizer in optimizers:
        optimizer.step()
    return networks, optimizers


@pytest.mark.parametrize("fused", [True, False])
def test_everything_is_put_back_bit_for_bit(fused) -> None:
    networks, optimizers = trained(0, fused)
    tensors = {name: tensor.clone() for name, tensor in learned(networks, optimizers).items()}
    assert {"one.weight", "other.1.running_mean", "optimizer.1.0.exp_avg_sq"} <= tensors.keys()
    others, their_optimizers = trained(1, fused)
    restore(tensors, networks=others, optimizers=their_optimizers)
    found = learned(others, their_optimizers)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].equal(tensor), name
        assert found[name].stride() == tensor.stride(), name
    # Both go on alike.
    for parts, steppers in ((networks, optimizers), (others, their_optimizers)):
        steppers[0].zero_grad()
        parts["one"](torch.ones(4, 3)).square().sum().backward()
        steppers[0].step()
    assert networks["one"].weight.equal(others["one"].weight)


def test_tensors_of_another_network_are_refused() -> None:
    networks, _ = trained(0, fused=False)
    with pytest.raises(RunError, match="of another network"):
        restore(learned(networks, []), networks={"one": nn.Linear(4, 2)}, optimizers=[])


def test_what_bits_depend_on_is_named() -> None:
    assert computed_by(World())["threads"] == torch.get_num_threads()
