"""The two-convolution MNIST network: TensorFlow's SAME padding at any size, and its formula."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.core.errors import ShapeError
from striate.models import mnist_convnet


def same(images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Convolve with stride 2 by the definition of SAME: ceil(W/2) outputs, the odd zero at the end."""
    amounts: list[int] = []
    for side in reversed(images.shape[2:]):
        total = max((math.ceil(side / 2) - 1) * 2 + 5 - side, 0)
        amounts += [total // 2, total - total // 2]
    return F.conv2d(F.pad(images, amounts), weight, bias, stride=2)


@settings(max_examples=20)
@given(height=st.integers(1, 40), width=st.integers(1, 40), channels=st.integers(1, 3))
def test_the_network_is_its_formula_at_any_size(height, width, channels) -> None:
    torch.manual_seed(0)
    network = mnist_convnet(channels=channels, size=(height, width))
    images = torch.rand(2, channels, height, width)
    features = same(images, network.conv1.weight, network.conv1.bias).clamp(min=0)
    features = same(features, network.conv2.weight, network.conv2.bias).clamp(min=0)
    expected = features.flatten(1) @ network.fc.weight.T + network.fc.bias
    assert torch.allclose(network(images), expected, atol=1e-5)


def test_circular_padding_refuses_images_it_would_go_round_twice() -> None:
    assert mnist_convnet(size=(3, 3), padding_mode="circular")(torch.rand(1, 1, 3, 3)).shape == (1, 10)
    with pytest.raises(ShapeError, match=r"2x9 pixels are too small for circular padding .* 3x3 and larger"):
        mnist_convnet(size=(2, 9), padding_mode="circular")


def test_circular_padding_takes_the_other_end() -> None:
    network = mnist_convnet(padding_mode="circular")
    images = torch.rand(1, 1, 28, 28)
    rolled = network.conv1(network.pad1(torch.roll(images, (2, 4), (2, 3))))
    assert torch.allclose(rolled, torch.roll(network.conv1(network.pad1(images)), (1, 2), (2, 3)), atol=1e-6)
