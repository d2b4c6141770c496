"""Score-CAM is its definition, channel by channel."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from striate.core.errors import LayerError
from striate.explain import score_cam


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 5, 3, stride=2), nn.ReLU(), nn.Conv2d(5, 4, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()


@pytest.mark.parametrize("layer", [None, "1"])
def test_it_is_the_sum_of_maps_weighted_by_the_softmax_of_scores(layer) -> None:
    net = network()
    images = torch.rand(2, 2, 9, 7, generator=torch.Generator().manual_seed(1))
    found = score_cam(net, images, 1, layer=layer)
    assert found.layer == (layer or "3")
    maps = net[: int(found.layer) + 1](images).detach()
    for image, channels, heat in zip(images, maps, found.map, strict=True):
        scores, kept = [], []
        for channel in channels:
            if channel.max() == channel.min():
                continue
            large = F.interpolate(channel[None, None], (9, 7), mode="bilinear")[0, 0]
            shown = (large - channel.min()) / (channel.max() - channel.min())
            scores.append(net((image * shown)[None])[0, 1].item())
            kept.append(channel)
        weights = torch.tensor(scores).softmax(dim=0)
        raw = sum(weight * channel for weight, channel in zip(weights, kept, strict=True)).relu()
        expected = F.interpolate(raw[None, None], (9, 7), mode="bilinear")[0, 0]
        assert torch.allclose(heat, expected, atol=1e-5)
    assert "nothing finer" in found.note


def test_maps_without_differences_have_no_weight() -> None:
    net = network()
    net[0].weight.data.zero_()
    found = score_cam(net, torch.rand(1, 2, 9, 7))
    assert not found.map.any()


def test_a_layer_without_places_and_an_unknown_one_are_refused() -> None:
    images = torch.rand(1, 2, 9, 7)
    with pytest.raises(LayerError, match="layer '6' gives 3 for an image, which has no places; '3' has"):
        score_cam(network(), images, layer="6")
    with pytest.raises(LayerError, match="no layer 'conv'"):
        score_cam(network(), images, layer="conv")
