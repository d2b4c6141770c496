"""The residual networks for small images: their published counts, and skips without parameters."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from striate.models import resnet20, resnet32, resnet44, resnet56, resnet110
from striate.models.cifar_resnet import AppendedChannels, CifarBlock
from striate.models.layers import Layers

MAKERS = [(resnet20, 20), (resnet32, 32), (resnet44, 44), (resnet56, 56), (resnet110, 110)]
PUBLISHED_MILLIONS = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7}


def counted(depth: int) -> int:
    """Count by hand: weights of 3x3 filters, two numbers a channel for each norm, and the head."""
    total = 3 * 16 * 9 + 2 * 16 + 64 * 10 + 10
    for inputs, outputs in ((16, 16), (16, 32), (32, 64)):
        convolutions = 2 * (depth - 2) // 6
        total += 9 * outputs * (inputs + (convolutions - 1) * outputs) + convolutions * 2 * outputs
    return total


@pytest.mark.parametrize(("make", "depth"), MAKERS)
def test_counts_are_those_of_the_paper(make, depth) -> None:
    with torch.device("meta"):
        network = make()
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == counted(depth)
    assert f"{count / 1e6:.{1 if depth == 110 else 2}f}" == f"{PUBLISHED_MILLIONS[depth]}"
    weighted = [part for part in network.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    assert len(weighted) == depth


def test_the_figures_in_the_docstrings_hold() -> None:
    assert [counted(depth) for _, depth in MAKERS] == [269_722, 464_154, 658_586, 853_018, 1_727_962]
    for make, depth in MAKERS:
        assert f"{counted(depth):,} parameters" in make.__doc__


def test_the_block_is_its_formula() -> None:
    torch.manual_seed(0)
    block = CifarBlock(4, 6, stride=2, layers=Layers(), norm=False, activation=nn.Tanh)
    images = torch.randn(2, 4, 7, 8)
    main = F.conv2d(images, block.conv1.weight, block.conv1.bias, stride=2, padding=1).tanh()
    main = F.conv2d(main, block.conv2.weight, block.conv2.bias, padding=1)
    skip = torch.cat([images[:, :, ::2, ::2], torch.zeros(2, 2, 4, 4)], dim=1)
    assert torch.allclose(block(images), (main + skip).tanh(), atol=1e-5)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_appended_channels_are_zero_and_come_last(dims) -> None:
    features = torch.rand(2, 3, *(4,) * dims)
    more = AppendedChannels(2, dims=dims)(features)
    assert more.shape == (2, 5, *(4,) * dims)
    assert more[:, :3].equal(features)
    assert not more[:, 3:].any()


def test_without_norm_convolutions_have_biases_that_begin_at_zero() -> None:
    network = resnet20(norm=False)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    biases = [part.bias for part in network.modules() if isinstance(part, nn.Conv2d)]
    assert all(bias is not None and not bias.any() for bias in biases)
    assert network(torch.rand(2, 3, 32, 32)).isfinite().all()


def test_the_activation_is_the_one_asked_for_everywhere() -> None:
    network = resnet20(activation=nn.Sigmoid)
    assert sum(isinstance(part, nn.Sigmoid) for part in network.modules()) == 19
    assert not any(isinstance(part, nn.ReLU) for part in network.modules())
