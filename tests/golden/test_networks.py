"""Figures of the classic networks that the field's teaching material and papers state."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.models import (
    alexnet,
    alexnet_2012,
    mnist_convnet,
    resnet18,
    resnet20,
    resnet50,
    resnet101,
    resnet110,
    vgg16,
)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def side(of_each_axis: int | tuple[int, ...]) -> int:
    return of_each_axis if isinstance(of_each_axis, int) else of_each_axis[0]


def receptive_field(network: nn.Module, *, poolings: int | None = None) -> int:
    """Add up r <- r + (k - 1) j, j <- j s over the layers of the main path, to the last pooling wanted."""
    size = jump = 1
    for name, part in network.named_modules():
        if isinstance(part, nn.Conv2d | nn.MaxPool2d) and "downsample" not in name:
            if isinstance(part, nn.MaxPool2d) and poolings is not None:
                if poolings == 0:
                    return size
                poolings -= 1
            size += (side(part.kernel_size) - 1) * jump
            jump *= side(part.stride)
    return size


@pytest.mark.parametrize("make", [alexnet, alexnet_2012])
def test_alexnet_has_5_convolutions_3_dense_layers_and_about_60_million_parameters(make) -> None:
    with torch.device("meta"):
        network = make()
    assert sum(isinstance(part, nn.Conv2d) for part in network.modules()) == 5
    assert sum(isinstance(part, nn.Linear) for part in network.modules()) == 3
    assert round(count(network) / 1e6) in (60, 61)


@pytest.mark.parametrize(("size", "channels", "expected"), [((28, 28), 1, 14), ((32, 32), 3, 16)])
def test_16_filters_of_5x5_with_stride_2_and_same_padding(size, channels, expected) -> None:
    network = mnist_convnet(size=size, channels=channels)
    features = network.conv1(network.pad1(torch.zeros(1, channels, *size)))
    assert features.shape == (1, 16, expected, expected)
    assert network.conv1.kernel_size == (5, 5)
    assert sum(isinstance(part, nn.Conv2d) for part in network.modules()) == 2


def test_small_residual_networks_have_270_thousand_to_1_7_million_parameters() -> None:
    with torch.device("meta"):
        assert f"{count(resnet20()) / 1e6:.2f}M" == "0.27M"
        assert f"{count(resnet110()) / 1e6:.1f}M" == "1.7M"


def test_receptive_fields_are_the_published_ones() -> None:
    with torch.device("meta"):
        assert receptive_field(alexnet()) == 195
        assert receptive_field(vgg16()) == 212
        assert receptive_field(vgg16(), poolings=4) == 196
        assert receptive_field(resnet18()) == 435
        assert receptive_field(resnet50()) == 427
        assert receptive_field(resnet101()) == 971
        assert receptive_field(resnet50(stride_in="1x1")) == 483
        assert receptive_field(resnet101(stride_in="1x1")) == 1027
