"""Norms are folded into convolutions where nothing else sees that, and everything is put back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from striate.engine.folding import norms_folded
from striate.models import build

IMAGES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Network(nn.Module):
    """A convolution and its norm, with something between or beside them, and a second pair behind."""

    def __init__(self, see: Any = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.second = nn.Sequential(
            nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5, affine=False), nn.ReLU(inplace=True)
        )
        self.see = see

    def forward(self, images: Tensor) -> Tensor:
        maps = self.first(images)
        seen = self.see(self, maps) if self.see else 0
        scores: Tensor = self.second(self.norm(maps).relu()).mean(dim=(2, 3))
        return scores + seen


def prepared(network: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            if module.affine:
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
    return network.double().eval().requires_grad_(False)


def state_of(network: nn.Module) -> list[Any]:
    tensors = [(name, id(each), each.data_ptr(), each.stride()) for name, each in network.named_parameters()]
    return [
        tensors,
        [each.bias for each in network.modules() if isinstance(each, nn.Conv2d)],
        [*network.modules()],
    ]


def folded(network: nn.Module, images: Tensor = IMAGES) -> int:
    """Count the norms that do nothing within the block, where results must be the same."""
    before, expected = state_of(network), network(images)
    with norms_folded(network, images):
        count = sum("forward" in vars(module) for module in network.modules())
        assert network(images).allclose(expected, rtol=1e-9, atol=1e-12)
    assert state_of(network) == before
    assert torch.equal(network(images), expected)
    return count


@pytest.mark.parametrize(
    ("name", "norms"), [("resnet18", 20), ("compact-small", 3), ("efficientnet-lite0", 49), ("lenet", 0)]
)
def test_networks_give_the_same(name, norms) -> None:
    network = prepared(build(name, classes=3, channels=3, size=(32, 32)))
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    found = folded(network, images)
    assert found == norms


def test_series_fold_too() -> None:
    network = prepared(nn.Sequential(nn.Conv1d(2, 3, 3, groups=1), nn.BatchNorm1d(3), nn.Flatten()))
    assert folded(network, torch.rand(2, 2, 9, dtype=torch.float64)) == 1


@pytest.mark.parametrize(
    ("see", "count"),
    [
        (None, 2),
        (lambda _, maps: maps.shape[0], 2),  # no value is looked at
        (lambda _, maps: maps.mean(), 1),
        (lambda net, maps: net.norm(maps).mean(), 1),
        (lambda net, _: net.first(IMAGES[:1]).mean(), 1),
        (lambda net, _: net.norm(torch.ones(1, 4, 2, 2, dtype=torch.float64)).mean(), 1),
        (lambda net, _: net.first.weight.sum(), 1),
    ],
)
def test_a_pair_that_something_else_sees_stays(see, count) -> None:
    network = prepared(Network(see))
    assert folded(network) == count


@pytest.mark.parametrize("how", ["hook", "training", "gradients", "half", "tied", "no figures", "scripted"])
def test_what_others_may_see_stays(how) -> None:
    network = prepared(Network())
    if how == "hook":
        network.first.register_forward_hook(lambda *_: None)
    elif how == "training":
        network.norm.train()
    elif how == "gradients":
        network.first.weight.requires_grad_()
    elif how == "half":
        network.first.bfloat16()
    elif how == "tied":
        network.third = nn.Conv2d(3, 4, 3, bias=False)
        network.third.weight = network.first.weight
    elif how == "no figures":
        network.norm = nn.BatchNorm2d(4, track_running_stats=False).double().eval().requires_grad_(False)
    else:
        network.first = torch.jit.script(network.first)
    with norms_folded(network, IMAGES):
        assert "forward" not in vars(network.norm)


def test_all_is_put_back_after_an_error() -> None:
    network = prepared(Network())
    before = state_of(network)
    with pytest.raises(RuntimeError, match="channels"), norms_folded(network, IMAGES):
        network(IMAGES[:, :2])
    assert state_of(network) == before


def test_gradients_by_images_are_the_same() -> None:
    network = prepared(Network())

    def gradient() -> Tensor:
        leaf = IMAGES.clone().requires_grad_()
        (found,) = torch.autograd.grad(network(leaf).square().sum(), leaf)
        return found

    expected = gradient()
    with norms_folded(network, IMAGES):
        assert gradient().allclose(expected, rtol=1e-9, atol=1e-12)
