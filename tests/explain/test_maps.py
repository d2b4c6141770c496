"""Feature maps are what the layers give, the strongest first, with the range of all channels."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.core.errors import LayerError, ShapeError
from striate.explain import all_feature_maps, feature_maps


def network_of() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 12, 3),
        nn.BatchNorm2d(12),
        nn.Sequential(nn.ReLU(inplace=True), nn.Dropout2d(0.5)),
        nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 2),
    )


IMAGE = torch.randn(1, 1, 10, 10, generator=torch.Generator().manual_seed(1))


def test_all_maps_are_in_order_and_few_are_the_strongest() -> None:
    network = network_of()
    with torch.no_grad():
        maps = network.eval()[0](IMAGE)[0]
    whole = feature_maps(network, IMAGE, "0")
    assert whole.maps.equal(maps)
    assert whole.channels.tolist() == list(range(12))
    few = feature_maps(network, IMAGE, "0", count=3)
    strength = maps.abs().mean(dim=(1, 2))
    assert few.channels.tolist() == strength.argsort(descending=True)[:3].tolist()
    assert few.maps.equal(maps[few.channels])
    assert (few.total, few.kind) == (12, "Conv2d")
    assert (few.low, few.high) == (maps.min().item(), maps.max().item())


def test_the_sheet_has_every_layer_that_changes_something_and_has_places() -> None:
    found = all_feature_maps(network_of(), IMAGE, count=5)
    assert [layer.layer for layer in found] == ["0", "1", "2.0", "3"]
    assert [tuple(layer.maps.shape) for layer in found] == [(5, 8, 8), (5, 8, 8), (5, 8, 8), (5, 4, 4)]
    assert found[1].low < 0  # the rectifier after it writes in place
    named = all_feature_maps(network_of(), IMAGE, layers=["3", "2"], count=1)
    assert [layer.layer for layer in named] == ["3", "2"]


@pytest.mark.parametrize("dims", [1, 3])
def test_signals_and_volumes(dims) -> None:
    network = nn.Sequential((nn.Conv1d, None, nn.Conv3d)[dims - 1](1, 2, 3))
    assert feature_maps(network, torch.rand(1, 1, *[6] * dims), "0").maps.shape == (2, *[4] * dims)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"image": torch.zeros(3, 1, 10, 10)}, ShapeError, "these are 3"),
        ({"layer": "6"}, LayerError, "gives 2 values"),
        ({"layer": "x"}, LayerError, "no layer 'x'"),
        ({"count": 0}, LayerError, "0 channels"),
        ({"image": torch.zeros(1, 2, 10, 10)}, ShapeError, "takes 1 channels"),
    ],
)
def test_what_does_not_fit_is_refused(options, error, sentence) -> None:
    given = {"image": IMAGE, "layer": "0", **options}
    image, layer = given.pop("image"), given.pop("layer")
    with pytest.raises(error, match=sentence):
        feature_maps(network_of(), image, layer, **given)


def test_a_network_without_maps_has_no_sheet() -> None:
    with pytest.raises(LayerError, match="no layer gives maps for an image of 1x10x10"):
        all_feature_maps(nn.Sequential(nn.Flatten(), nn.Linear(100, 2)), IMAGE)
