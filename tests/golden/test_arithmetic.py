"""Every figure of FACTS.md's table "Arithmetic of one layer"."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.core.errors import ShapeError
from striate.geometry import (
    Window,
    compare_connectivity,
    output_size,
    receptive_field,
    same_padding,
    same_tf_padding,
    trace,
)
from striate.models import CATALOGUE, resnet50, resnet101
from striate.nn import Conv, GlobalMaxPool


@pytest.mark.parametrize("width", [5, 7, 28, 32])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_the_formulas(width, kernel) -> None:
    assert output_size(width, Window(kernel=kernel)) == width - kernel + 1  # VALID
    for stride in (1, 2, 3):
        for padding in (0, 1, 2):
            window = Window(kernel=kernel, stride=stride, before=padding, after=padding)
            assert output_size(width, window) == (width - kernel + 2 * padding) // stride + 1
            dilated = Window(kernel=kernel, stride=stride, before=padding, after=padding, dilation=2)
            if width + 2 * padding >= 2 * (kernel - 1) + 1:
                assert (
                    output_size(width, dilated) == (width + 2 * padding - 2 * (kernel - 1) - 1) // stride + 1
                )


def test_same_padding_of_odd_kernels() -> None:
    assert [same_padding(kernel) for kernel in (3, 5, 7)] == [1, 2, 3]


def test_7x7_with_3x3_at_strides_1_2_and_3() -> None:
    assert output_size(7, Window(kernel=3)) == 5
    assert output_size(7, Window(kernel=3, stride=2)) == 3
    with pytest.raises(ShapeError, match=r"\(7 - 3\)/3 \+ 1 = 2.33"):
        output_size(7, Window(kernel=3, stride=3), strict=True)
    assert output_size(7, Window(kernel=3, before=1, after=1)) == 7
    found = trace(nn.Conv2d(1, 1, 3, stride=3), (1, 7, 7))
    assert "= 2.33" in found.layers[0].note
    assert found.layers[0].output == (1, 2, 2)


def test_32x32x3_with_ten_and_with_six_5x5_filters() -> None:
    ten = trace(Conv(3, 10, kernel=5, padding=2), (3, 32, 32))
    assert ten.layers[0].output == (10, 32, 32)
    assert ten.parameters == (5 * 5 * 3 + 1) * 10 == 760
    six = trace(Conv(3, 6, kernel=5, padding="valid"), (3, 32, 32))
    assert six.layers[0].output == (6, 28, 28)
    assert six.multiply_adds == 75 * 6 * 28 * 28  # a 75-dimensional dot product each


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "wanted"),
    [(4, 3, 1, 0, 2), (4, 3, 1, 1, 4), (5, 3, 2, 0, 2), (5, 3, 2, 1, 3)],
)
def test_small_sizes(size, kernel, stride, padding, wanted) -> None:
    assert output_size(size, Window(kernel=kernel, stride=stride, before=padding, after=padding)) == wanted


@pytest.mark.parametrize(("channels", "size", "wanted"), [(1, 28, 14), (3, 32, 16)])
def test_5x5_with_stride_2_and_tensorflows_same(channels, size, wanted) -> None:
    layer = Conv(channels, 16, kernel=5, stride=2, padding="same-tf")
    assert trace(layer, (channels, size, size)).layers[0].output == (16, wanted, wanted)
    assert same_tf_padding(size, kernel=5, stride=2) == (1, 2)  # the odd pixel at the end


def test_a_1x1_convolution_is_a_dot_product_over_channels() -> None:
    found = trace(nn.Conv2d(64, 32, 1, bias=False), (64, 7, 7))
    assert found.multiply_adds == 64 * 32 * 7 * 7
    assert found.parameters == 64 * 32


def test_dense_against_shared() -> None:
    numbers, maps, local, shared = compare_connectivity((200, 200), kernel=3, outputs=100)
    assert (numbers.weights, shared.weights) == (4 * 10**6, 900)
    assert f"{maps.weights:.2e}" == "1.57e+11"
    assert f"{local.weights / 1e6:.1f}" == "35.3"


@pytest.mark.parametrize(("side", "flat"), [(4, 1600), (8, 6400)])
def test_flatten_and_global_pooling(side, flat) -> None:
    assert trace(nn.Flatten(), (100, side, side)).layers[0].output == (flat,)
    assert trace(GlobalMaxPool(), (100, side, side)).layers[0].output == (100,)


def test_receptive_fields_of_one_and_two_layers_and_of_a_pooling() -> None:
    assert [receptive_field([Window(kernel=3)] * count).size for count in (1, 2)] == [3, 5]
    for kernel in (3, 5):
        for pool in (2, 3):
            window = Window(kernel=pool, stride=pool)
            assert receptive_field([Window(kernel=kernel), window]).size == pool + kernel - 1


def final_field(network: nn.Module) -> int:
    fields = trace(network, (3, 224, 224)).final_field
    assert fields is not None
    sizes = {field.size for field in fields if field is not None}
    assert len(sizes) == 1
    return sizes.pop()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("vgg16", 212), ("alexnet", 195), ("resnet18", 435), ("resnet50", 427), ("resnet101", 971)],
)
def test_published_receptive_fields(name, wanted) -> None:
    with torch.device("meta"):
        assert final_field(CATALOGUE[name]()) == wanted


def test_published_receptive_fields_with_the_stride_in_the_1x1() -> None:
    with torch.device("meta"):
        assert final_field(resnet50(stride_in="1x1")) == 483
        assert final_field(resnet101(stride_in="1x1")) == 1027


def test_vgg16_sees_196_before_the_last_pooling() -> None:
    with torch.device("meta"):
        layers = trace(CATALOGUE["vgg16"](), (3, 224, 224)).layers
    last = max(number for number, layer in enumerate(layers) if layer.kind == "MaxPool2d")
    sizes = [
        layer.fields[0].size for layer in layers[last - 1 : last + 1] if layer.fields and layer.fields[0]
    ]
    assert sizes == [196, 212]


def test_alexnet_has_five_convolutions_three_dense_layers_and_about_60_million_parameters() -> None:
    with torch.device("meta"):
        found = trace(CATALOGUE["alexnet"](), (3, 224, 224))
    kinds = [layer.kind for layer in found.layers]
    assert (kinds.count("Conv2d"), kinds.count("Linear")) == (5, 3)
    assert found.parameters == pytest.approx(60e6, rel=0.03)
