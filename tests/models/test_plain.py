"""The plain twins have the weights of the residual networks, and only the skips are missing."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from striate.models import (
    plain20,
    plain32,
    plain44,
    plain56,
    plain110,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
)
from striate.models.layers import Layers
from striate.models.plain import PlainBlock

TWINS = [
    (plain20, resnet20),
    (plain32, resnet32),
    (plain44, resnet44),
    (plain56, resnet56),
    (plain110, resnet110),
]


@pytest.mark.parametrize(("plain", "residual"), TWINS)
@pytest.mark.parametrize("norm", [True, False])
def test_twins_have_the_same_tensors(plain, residual, norm) -> None:
    with torch.device("meta"):
        one, other = plain(norm=norm), residual(norm=norm)
    shapes = {name: tensor.shape for name, tensor in one.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in other.state_dict().items()}
    assert f"{sum(parameter.numel() for parameter in plain().parameters()):,} parameters" in plain.__doc__


def test_the_block_is_its_formula() -> None:
    torch.manual_seed(0)
    block = PlainBlock(4, 6, stride=2, layers=Layers(), norm=False, activation=nn.ReLU)
    images = torch.randn(2, 4, 7, 8)
    main = F.conv2d(images, block.conv1.weight, block.conv1.bias, stride=2, padding=1).clamp(min=0)
    main = F.conv2d(main, block.conv2.weight, block.conv2.bias, padding=1).clamp(min=0)
    assert torch.allclose(block(images), main, atol=1e-5)


def test_without_the_skips_the_gradient_of_a_deep_network_of_sigmoids_vanishes() -> None:
    norms = []
    for make in (plain20, resnet20):
        torch.manual_seed(0)
        network = make(norm=False, activation=nn.Sigmoid)
        network(torch.rand(4, 3, 16, 16)).square().sum().backward()
        norms.append(float(network.layer1[0].conv1.weight.grad.norm()))
    assert norms[0] < norms[1] / 100
