"""Filters as data: the weights themselves, and as images around a middle grey."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.core.errors import LayerError
from striate.explain import first_filters
from striate.nn import Conv


def test_the_first_convolution_is_taken() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 6, 5), nn.Conv2d(6, 2, 1))
    found = first_filters(network)
    assert found.layer == "1"
    assert found.weights.equal(network[1].weight.detach())
    assert found.are_colours
    other = first_filters(network, layer="2")
    assert other.weights.shape == (2, 6, 1, 1)
    assert not other.are_colours


@pytest.mark.parametrize("layer", [nn.Conv1d(2, 3, 4), nn.Conv3d(1, 2, 2), Conv(1, 4, kernel=3)])
def test_any_number_of_axes_and_own_layers(layer) -> None:
    found = first_filters(nn.Sequential(layer.bfloat16()))
    assert found.weights.dtype == torch.float32
    assert found.weights.equal(layer.weight.detach().float())


def test_as_images_a_weight_of_0_is_grey_and_the_largest_ends_the_range() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3))
    with torch.no_grad():
        network[0].weight[1] = 0
        network[0].weight[2, 1, 1, 1] = -9.0
    found = first_filters(network)
    images = found.as_images()
    assert images.shape == found.weights.shape
    assert (images[1] == 0.5).all()
    assert images[2, 1, 1, 1] == 0
    for weights, image in zip(found.weights, images, strict=True):
        assert ((image - 0.5).sign() == weights.sign()).all()
    assert 0 <= images.min() <= images.max() <= 1
    assert found.strongest(2)[0] == 2
    assert found.norms.tolist() == pytest.approx(found.weights.flatten(1).norm(dim=1).tolist())


@pytest.mark.parametrize(
    ("network", "layer", "sentence"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), None, "has no convolution"),
        (
            nn.Sequential(nn.ReLU(), nn.Conv2d(1, 1, 1)),
            "0",
            r"'0' \(ReLU\) is no convolution; '1' is the first",
        ),
        (nn.Sequential(nn.ConvTranspose2d(1, 1, 1)), None, "has no convolution"),
        (nn.Sequential(nn.Conv2d(1, 1, 1)), "first", "there is no layer 'first'"),
        (nn.Sequential(nn.LazyConv2d(1, 1)), None, "run the network on images once"),
    ],
)
def test_where_there_are_none_it_is_said(network, layer, sentence) -> None:
    with pytest.raises(LayerError, match=sentence):
        first_filters(network, layer=layer)
