"""The multilayer perceptron is its formula, with any hidden layers and axes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.core.errors import LayerError, ShapeError
from striate.models import mlp


@pytest.mark.parametrize("hidden", [(), (7,), (9, 5, 6)])
@pytest.mark.parametrize("size", [(6,), (4, 5), (2, 3, 4)])
def test_the_network_is_its_formula(hidden, size) -> None:
    torch.manual_seed(0)
    network = mlp(classes=3, channels=2, size=size, hidden=hidden, activation=nn.Tanh)
    images = torch.randn(5, 2, *size)
    values = images.reshape(5, -1)
    for layer in network.layers[::2]:
        values = (values @ layer.weight.T + layer.bias).tanh()
    assert [layer.out_features for layer in network.layers[::2]] == list(hidden)
    assert torch.allclose(network(images), values @ network.head.weight.T + network.head.bias, atol=1e-5)


def test_layers_without_units_are_refused() -> None:
    with pytest.raises(LayerError, match="hidden is 0"):
        mlp(hidden=(5, 0))


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"layers\.0 got images of 8x8, and the network was built for 28x28"):
        mlp()(torch.rand(1, 1, 8, 8))
