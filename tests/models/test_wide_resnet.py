"""Wide residual networks: the published counts and widths."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.models import wide_resnet16_4, wide_resnet28_10, wide_resnet50_2


def counted(depth: int, widening: int) -> int:
    """Count by hand: norms before convolutions, 1x1 filters where a stage begins, a last norm, the head."""
    inputs, blocks = 16, (depth - 4) // 6
    total = 3 * 16 * 9
    for outputs in (16 * widening, 32 * widening, 64 * widening):
        convolutions = 2 * blocks
        total += 9 * inputs * outputs + 9 * (convolutions - 1) * outputs * outputs + inputs * outputs
        total += 2 * (inputs + (convolutions - 1) * outputs)
        inputs = outputs
    return total + 2 * inputs + inputs * 10 + 10


@pytest.mark.parametrize(
    ("make", "depth", "widening", "count", "millions"),
    [(wide_resnet16_4, 16, 4, 2_748_890, "2.7"), (wide_resnet28_10, 28, 10, 36_479_194, "36.5")],
)
def test_counts_are_those_of_the_paper(make, depth, widening, count, millions) -> None:
    with torch.device("meta"):
        network = make()
    assert sum(parameter.numel() for parameter in network.parameters()) == count == counted(depth, widening)
    assert f"{count / 1e6:.1f}" == millions
    assert sum(isinstance(part, nn.Conv2d) for part in network.modules()) == depth


def test_the_large_one_is_wide_in_the_3x3_only() -> None:
    with torch.device("meta"):
        network = wide_resnet50_2()
    block = network.layer3[1]
    assert (block.conv1.in_channels, block.conv2.in_channels, block.conv3.out_channels) == (1024, 512, 1024)
