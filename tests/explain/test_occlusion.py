"""Occlusion is what its definition says, place by place, and what captum computes."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain import occlusion


def network(dims: int, channels: int, size: tuple[int, ...]) -> nn.Module:
    torch.manual_seed(0)
    kinds = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
    inside = math.prod(side - 2 for side in size)
    return nn.Sequential(
        kinds[dims](channels, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * inside, 3)
    ).eval()


def by_definition(
    net: nn.Module,
    images: Tensor,
    target: int,
    window: tuple[int, ...],
    stride: tuple[int, ...],
    fill: Tensor,
) -> Tensor:
    """Cover each window, one image and one window at a time."""
    sides = images.shape[2:]
    starts = [
        [step * number for number in range(math.ceil((side - wide) / step) + 1)]
        for side, wide, step in zip(sides, window, stride, strict=True)
    ]
    total, count = torch.zeros(len(images), *sides), torch.zeros(sides)
    with torch.no_grad():
        for corner in product(*starts):
            region = tuple(slice(at, at + wide) for at, wide in zip(corner, window, strict=True))
            covered = images.clone()
            covered[(..., *region)] = fill.expand_as(images)[(..., *region)]
            lost = (net(images) - net(covered))[:, target]
            total[(slice(None), *region)] += lost.view(-1, *[1] * len(sides))
            count[region] += 1
    return total / count


@pytest.mark.parametrize(
    ("size", "window", "stride"),
    [
        ((11,), (4,), (3,)),
        ((7, 9), (3, 2), (2, 2)),
        ((6, 6), (6, 4), (5, 4)),
        ((4, 5, 3), (2, 3, 3), (1, 3, 2)),
    ],
)
@pytest.mark.parametrize("fill", [0.0, 0.7, "tensor"])
def test_it_is_the_mean_loss_over_the_windows_that_cover_a_place(size, window, stride, fill) -> None:
    images = torch.rand(3, 2, *size, generator=torch.Generator().manual_seed(1))
    baseline = images.mean(dim=0) if fill == "tensor" else torch.tensor(fill)
    net = network(len(size), 2, size)
    found = occlusion(net, images, 1, window=window, stride=stride, baseline=baseline)
    expected = by_definition(net, images, 1, window, stride, baseline)
    assert found.map.allclose(expected, atol=1e-5)
    assert found.targets.tolist() == [1, 1, 1]


@pytest.mark.parametrize("window", [1, 3])
def test_it_equals_captum(window) -> None:
    attr = pytest.importorskip("captum.attr", reason="captum is the oracle")
    images = torch.randn(2, 3, 8, 7, generator=torch.Generator().manual_seed(2))
    net = network(2, 3, (8, 7))
    expected = attr.Occlusion(net).attribute(
        images, target=2, sliding_window_shapes=(3, window, window), strides=(3, 1, window), baselines=0.25
    )
    found = occlusion(net, images, 2, window=window, stride=(1, window), baseline=0.25)
    assert (found.map - expected[:, 0]).abs().max() <= 1e-5 * expected.abs().max()


def test_windows_that_change_nothing_are_not_computed_and_count_as_0() -> None:
    seen = []
    net = network(2, 1, (8, 8))
    net.register_forward_hook(lambda *call: seen.append(len(call[1][0])))
    images = torch.zeros(1, 1, 8, 8)
    images[..., :2, :2] = 1
    found = occlusion(net, images, 0, window=2, stride=2)
    assert sum(seen) == 2  # the image itself, and the one window that is not black
    assert found.map[0, :2, :2].abs().min() > 0
    assert found.map[0].abs().sum() == found.map[0, :2, :2].abs().sum()
    blank = occlusion(net, torch.zeros(1, 1, 8, 8), 0)
    assert not blank.map.any()


def test_few_images_pass_at_once() -> None:
    seen = []
    net = nn.Sequential(nn.Flatten(), nn.Linear(512 * 1024, 2))
    net.register_forward_hook(lambda *call: seen.append(len(call[1][0])))
    occlusion(net, torch.rand(3, 2, 512, 512), 0, window=256, stride=256)
    assert max(seen) == 2
    assert sum(seen) == 3 * 5


@pytest.mark.parametrize("views", [False, True])
def test_many_passes_compute_with_channels_last_where_that_can_be(views) -> None:
    torch.manual_seed(0)
    orders = []

    class Flat(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            orders.append(maps.is_contiguous())
            return maps.view(len(maps), -1) if views else maps.flatten(1)

    net = nn.Sequential(nn.Conv2d(3, 4, 8, stride=256), Flat(), nn.Linear(16, 2))
    images = torch.rand(3, 3, 512, 512)
    kept = net[0].weight.data_ptr(), net[0].weight.stride()
    found = occlusion(net, images, 0, window=256, stride=256)
    assert orders.count(False) == (1 if views else 13)  # a trial, and all 12 passes where it succeeds
    expected = by_definition(net, images, 0, (256, 256), (256, 256), torch.tensor(0.0))
    assert found.map.allclose(expected, atol=1e-5)
    assert (net[0].weight.data_ptr(), net[0].weight.stride()) == kept


def test_the_defaults_fit_any_size_and_progress_is_told() -> None:
    events = []
    net = nn.Sequential(nn.Flatten(), nn.Linear(28 * 1, 2))
    found = occlusion(net, torch.rand(2, 1, 28, 1), on_event=events.append)
    assert found.map.shape == (2, 28, 1)
    assert "4x1 every 2x1" in found.note
    assert events[-1].data["done"] == events[-1].data["total"] == 2 * 13


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"window": 9}, ShapeError, "window of 9x9 does not fit into images of 8x8: 9 is over 8"),
        ({"window": 2, "stride": 3}, LayerError, "1 of 3 are never covered; a stride of 2 or less"),
        ({"window": 0}, LayerError, "window of 0x0 elements cannot be"),
        ({"window": (2, 2, 2)}, LayerError, "window has 3 sides, where the images have 2"),
        ({"stride": -1}, LayerError, "stride of -1x-1"),
        ({"baseline": torch.zeros(5)}, ShapeError, "baseline of 5 does not fit images of 2x1x8x8"),
        ({"targets": 3}, LayerError, "no class 3: the network gives 3 classes, which are 0 to 2"),
        ({"targets": torch.tensor([0, -1])}, LayerError, "no class -1"),
        ({"targets": torch.tensor([0, 1, 2])}, ShapeError, r"shape \(3,\); to 2 images fits \(2,\)"),
        ({"targets": torch.tensor([0.5, 1.0])}, LayerError, "float32, where whole numbers"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(options, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        occlusion(network(2, 1, (8, 8)), torch.rand(2, 1, 8, 8), **options)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(LayerError, match="cannot take images"):
        occlusion(network(2, 1, (8, 8)), torch.rand(2, 1, 9, 9))
