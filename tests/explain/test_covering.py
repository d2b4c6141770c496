"""What a covered part does not reach is not computed again, and nothing but time changes by that."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from striate.explain import covering, occlusion
from striate.explain.changed_parts import Changed, Ledger
from striate.models import build
from striate.models.resnet import resnet18

SIDE = 40
IMAGES = torch.rand(3, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Products(TorchDispatchMode):
    """Counts the values that convolutions give."""

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if func in (torch.ops.aten.convolution.default, torch.ops.aten.mkldnn_convolution.default):
            self.values += found.numel()
        return found


class Forward(nn.Module):
    """Two convolutions with something between them, and a head."""

    def __init__(self, between: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1, stride=2)
        self.gate, self.head = nn.Linear(6, 6), nn.Linear(6, 3)
        self.scale = nn.Parameter(torch.rand(6, 1, 1))
        self.places = nn.Parameter(torch.rand(1, 6, SIDE, SIDE))
        self.between = between

    def forward(self, values: Tensor) -> Tensor:
        maps = self.second(self.between(self, self.first(values)))
        scores: Tensor = self.head(maps.amax(dim=(2, 3)))
        return scores


def squeezed(net: Forward, maps: Tensor) -> Tensor:
    return maps * net.gate(maps.mean(dim=(2, 3)))[:, :, None, None].sigmoid()


def in_place(_: Forward, maps: Tensor) -> Tensor:
    maps = F.relu(maps, inplace=True)
    kept = maps.clone()
    maps += 0.5
    maps.mul_(2).sub_(kept)
    return 1 - maps.tanh_()


def written_by_index(_: Forward, maps: Tensor) -> Tensor:
    maps[:, 0] = 0
    return maps


NETWORKS = {
    "plain": Forward(lambda _, maps: maps.relu()),
    "squeezed": Forward(squeezed),
    "in place": Forward(in_place),
    "by index": Forward(written_by_index),
    "constants": Forward(lambda net, maps: 2 - maps * net.scale[None] + net.places),
    "one axis": Forward(lambda net, maps: maps + net.places[0, 0, 0]),
    "pooled": Forward(lambda _, maps: F.avg_pool2d(F.max_pool2d(maps, 3, 2, 1), 2, padding=1)),
    "ceiling": Forward(lambda _, maps: F.max_pool2d(maps, 3, 2, ceil_mode=True)),
    "between": Forward(lambda _, maps: maps + F.interpolate(F.max_pool2d(maps, 2), scale_factor=2)),
    "joined": Forward(lambda _, maps: torch.cat([maps[:, :3], maps[:, 3:].relu()], dim=1)),
    "rolled": Forward(lambda _, maps: maps.roll(5, dims=3)),
    "far": Forward(
        lambda net, maps: F.conv2d(maps, net.first.weight.repeat(1, 3, 1, 1), dilation=3, stride=4)
    ),
    "grouped": Forward(lambda net, maps: F.conv2d(maps, net.first.weight[:, :1], padding="same", groups=6)),
    "resnet18": resnet18(classes=3, channels=2),
    "efficientnet-lite0": build("efficientnet-lite0", classes=3, channels=2, size=(SIDE, SIDE)),
    "compact-small": build("compact-small", classes=3, channels=2, size=(SIDE, SIDE)),
    "vgg11": build("vgg11", classes=3, channels=2, size=(SIDE, SIDE)),
}


def covered(net: nn.Module, window: Any, *, wholly: bool) -> tuple[Tensor, int, bool]:
    """Give the map, how many values were convolved, and whether only parts were computed."""
    answers = []

    def watched(*args: Any) -> Tensor | None:
        answers.append(None if wholly else covering.covered_scores(*args))
        return answers[-1]

    with pytest.MonkeyPatch.context() as patch, Products() as products:
        patch.setattr(sys.modules["striate.explain.occlusion"], "covered_scores", watched)
        found = occlusion(net, IMAGES, torch.arange(3) % 3, window=window, stride=window, baseline=0.3)
    return found.map, products.values, answers[0] is not None


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_are_those_of_whole_passes(name) -> None:
    torch.manual_seed(0)
    net = NETWORKS[name].double().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
    expected, whole, _ = covered(net, (9, 7), wholly=True)
    found, part, partly = covered(net, (9, 7), wholly=False)
    assert partly
    assert (found - expected).abs().max() <= 1e-6 * expected.abs().max()
    if name in ("plain", "in place", "constants", "pooled"):
        assert part < 0.5 * whole


@settings(max_examples=60, deadline=None)
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 5),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    kind=st.sampled_from(["convolution", "max", "mean"]),
    begin=st.tuples(st.integers(0, 11), st.integers(0, 11)),
    sides=st.tuples(st.integers(1, 6), st.integers(1, 6)),
)
def test_windows_see_what_changed(kernel, stride, padding, dilation, kind, begin, sides) -> None:
    values = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64) - 0.5
    weight = torch.rand(4, 3, *kernel, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    padding = min(padding, min(kernel) // 2)

    def compute(values: Tensor) -> Tensor:
        if kind == "convolution":
            return F.conv2d(values, weight, None, stride, padding, dilation)
        if kind == "max":
            return F.max_pool2d(values, kernel, stride, padding, dilation)
        return F.avg_pool2d(values, kernel, stride, padding)

    box = tuple((at, min(12, at + side)) for at, side in zip(begin, sides, strict=True))
    (top, bottom), (left, right) = box
    inside = torch.full((2, 3, bottom - top, right - left), 2.0, dtype=torch.float64)
    whole = values.clone()
    whole[:, :, top:bottom, left:right] = inside
    found = compute(Changed.of(values, inside, box, Ledger()))
    assert found.values_everywhere().allclose(compute(whole), atol=1e-12)


def test_a_network_that_decides_by_values_is_computed_wholly() -> None:
    def choose(_: Forward, maps: Tensor) -> Tensor:
        return maps.relu() if float(maps.sum()) > 0 else maps.tanh().exp()

    net = Forward(choose).double()
    with torch.no_grad():
        net.first.bias += 0.3 - net.first(IMAGES).mean()
    told = []
    expected, _, _ = covered(net, 5, wholly=True)
    found = occlusion(
        net, IMAGES, torch.arange(3) % 3, window=5, stride=5, baseline=0.3, on_event=told.append
    )
    assert found.map.allclose(expected, atol=1e-12)
    assert max(event.data["done"] for event in told) <= told[-1].data["total"] == told[-1].data["done"]


@pytest.mark.parametrize("how", ["scripted", "numpy", "half"])
def test_what_cannot_take_parts_is_computed_wholly(how) -> None:
    class Outside(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return torch.from_numpy(values.numpy()).mean(dim=(2, 3)) * 2

    net: nn.Module = Outside() if how == "numpy" else Forward(lambda _, maps: maps.relu())
    images = IMAGES
    if how == "scripted":
        net = torch.jit.trace(nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten()).double(), IMAGES[:1])
    elif how == "half":
        net, images = net.bfloat16(), IMAGES.float()
    found = occlusion(net, images, 1, window=8, stride=8)
    for row in range(0, SIDE, 8):
        whole = images.clone()
        whole[:, :, row : row + 8, 8:16] = 0
        with torch.no_grad():
            lost = net(images.to(whole.dtype if how != "half" else torch.bfloat16))[:, 1]
            lost = lost.float() - net(whole if how != "half" else whole.bfloat16())[:, 1].float()
        assert found.map[:, row, 8].allclose(lost, atol=1e-5 if how != "half" else 0.05)
