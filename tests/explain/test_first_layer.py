"""The first layer is passed by where it can be, and nothing but time changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from striate.engine import passes as passing
from striate.explain import first_layer
from striate.explain.integrated_gradients import integrated_gradients

ONES = torch.ones(1, 1, 3, 3, dtype=torch.float64)
IMAGES = torch.rand(5, 2, 9, 9, generator=torch.Generator().manual_seed(1))


class Network(nn.Module):
    """A convolution with something before, after and beside it, and a head."""

    def __init__(self, before=None, after=F.gelu, beside=None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.head = nn.Conv2d(2, 6, 3), nn.Linear(6, 3)
        self.before, self.after, self.beside = before, after, beside

    def forward(self, values: Tensor) -> Tensor:
        maps = self.after(self.first(self.before(values) if self.before else values))
        scores = self.head(maps.mean(dim=(2, 3)))
        return scores + self.beside(self, values) if self.beside else scores


class Products(TorchDispatchMode):
    """Counts the images whose two channels are convolved."""

    def __init__(self) -> None:
        super().__init__()
        self.images = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.ops.aten.convolution.default, torch.ops.aten.mkldnn_convolution.default):
            self.images += len(args[0]) * (args[0].shape[1] == 2)
        return func(*args, **(kwargs or {}))


def explained(network: nn.Module, *, plainly: bool = False) -> tuple[Tensor, int]:
    with pytest.MonkeyPatch.context() as patch, Products() as products:
        if plainly:
            patch.setattr(first_layer, "_first_layer", lambda *_: (None, 0))
        found = integrated_gradients(network.double(), IMAGES, torch.arange(5) % 3, baseline=0.2, steps=20)
    return found.map, products.images


@pytest.mark.parametrize(
    "network",
    [
        Network(),
        Network(after=nn.ReLU(inplace=True)),
        Network(before=lambda values: (values - 0.3) / 0.2),
        Network(before=lambda values: values.clamp(0, 1)),
        Network(after=nn.Sequential(nn.Tanh(), nn.Conv2d(6, 6, 3), nn.Sigmoid())),
        # Looks at the image in a way that has no gradient.
        Network(beside=lambda _, values: (values.detach().mean(dim=(1, 2, 3)) ** 2)[:, None].expand(-1, 3)),
        Network(beside=lambda *_: F.conv2d(ONES, ONES)[0, 0]),
    ],
)
def test_it_is_computed_once_where_images_enter_by_it_alone(network) -> None:
    found, passes = explained(network)
    plainly, all_passes = explained(network, plainly=True)
    assert torch.allclose(found, plainly, rtol=1e-5, atol=1e-9)
    assert passes < 30 < 100 < all_passes


@pytest.mark.parametrize(
    "network",
    [
        Network(before=lambda values: values**2),
        Network(before=lambda values: values.clamp(max=0.5)),
        Network(before=lambda values: values * (values > 0.4)),
        Network(beside=lambda _, values: values.mean(dim=(2, 3)).repeat(1, 2)[:, :3].tanh()),
        Network(
            beside=lambda network, values: network.head(network.first(values.flip(3)).sigmoid().mean((2, 3)))
        ),
    ],
)
def test_it_is_computed_at_each_place_where_images_enter_otherwise(network) -> None:
    found, passes = explained(network)
    plainly, _ = explained(network, plainly=True)
    assert torch.allclose(found, plainly, rtol=1e-5, atol=1e-9)
    assert passes >= 100


@pytest.mark.parametrize("bytes_", [1, 20_000])
def test_images_pass_in_parts(bytes_, monkeypatch) -> None:
    whole, _ = explained(Network())
    for module in (passing, first_layer):
        monkeypatch.setattr(module, "GRAPH_BYTES", bytes_)
    parts, passes = explained(Network())
    assert torch.allclose(parts, whole, rtol=1e-6)
    assert passes < 30


def test_a_dense_first_layer_is_passed_by_too() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(162, 8), nn.GELU(), nn.Linear(8, 3))
    assert torch.allclose(explained(network)[0], explained(network, plainly=True)[0], rtol=1e-5, atol=1e-9)


def test_a_network_of_low_precision_is_computed_at_each_place() -> None:
    network = Network().bfloat16()
    found = integrated_gradients(network, IMAGES, 1, steps=20)
    plain = integrated_gradients(network.float(), IMAGES, 1, steps=20)
    assert (found.map - plain.map).abs().max() < 0.1 * plain.map.abs().max()
