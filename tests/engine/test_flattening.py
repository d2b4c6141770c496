"""Maps with channels last are flattened without a copy where nothing else sees that, and all is put back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from striate.engine.flattening import flattened_as_they_lie
from striate.engine.ordering import filters_channels_last

IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Network(nn.Module):
    """A convolution, a flattening and a dense layer, and maybe something that looks at what is between."""

    def __init__(self, flatten: Any = None, see: Any = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU())
        self.flatten = flatten or nn.Flatten()
        self.head, self.see = nn.Linear(36, 5), see

    def forward(self, images: Tensor) -> Tensor:
        vectors = self.flatten(self.body(images))
        scores: Tensor = self.head(vectors)
        return scores + self.see(self, vectors) if self.see else scores


def prepared(**given: Any) -> Network:
    return Network(**given).double().eval().requires_grad_(False)


def gradient(network: nn.Module) -> Tensor:
    leaf = IMAGES.clone().requires_grad_()
    (found,) = torch.autograd.grad(network(leaf).square().sum(), leaf)
    return found


def flattens_otherwise(network: Network) -> bool:
    """Say whether anything is done, where results must be the same."""
    before = [(id(each), each.data_ptr(), each.stride()) for each in network.parameters()]
    expected, slopes = network(IMAGES), gradient(network)
    with filters_channels_last(network, IMAGES), flattened_as_they_lie(network, IMAGES):
        done = "forward" in vars(network.flatten)
        assert network(IMAGES).allclose(expected, rtol=1e-9)
        assert gradient(network).allclose(slopes, rtol=1e-9)
    assert [(id(each), each.data_ptr(), each.stride()) for each in network.parameters()] == before
    assert torch.equal(network(IMAGES), expected)
    return done


def test_it_is_done_without_a_copy() -> None:
    network = prepared()
    assert flattens_otherwise(network)
    with filters_channels_last(network, IMAGES), flattened_as_they_lie(network, IMAGES):
        maps = network.body(IMAGES)
        assert network.flatten(maps).data_ptr() == maps.data_ptr()


def test_maps_in_the_usual_order_stay() -> None:
    network = prepared()
    with flattened_as_they_lie(network, IMAGES):
        assert "forward" not in vars(network.flatten)


@pytest.mark.parametrize(
    "given",
    [
        {"flatten": nn.Flatten(2)},
        {"flatten": nn.Identity()},
        {"see": lambda _, vectors: vectors.mean()},
        {"see": lambda net, vectors: net.head(vectors)},
        {"see": lambda net, _: net.head.weight.mean()},
        {"see": lambda net, vectors: net.flatten(vectors[:, :, None]).mean()},
    ],
)
def test_what_something_else_sees_stays(given) -> None:
    network = prepared(**given)
    if isinstance(given.get("flatten"), nn.Flatten | nn.Identity):
        network.head = nn.Linear(9 if isinstance(given["flatten"], nn.Flatten) else 3, 5).double()
        network.head.requires_grad_(False)
    assert not flattens_otherwise(network)


@pytest.mark.parametrize("which", ["flatten", "head"])
def test_hooked_layers_stay(which) -> None:
    network = prepared()
    getattr(network, which).register_forward_hook(lambda *_: None)
    assert not flattens_otherwise(network)
