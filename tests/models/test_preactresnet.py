"""The pre-activation network: its count, and a skip that nothing happens on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from striate.models import preactresnet18
from striate.models.layers import Layers
from striate.models.preactresnet import FirstPreActivationBlock, PreActivationBlock


def counted() -> int:
    """Count by hand: the filters of ResNet-18, a norm before all but the stem's first block, the head."""
    total = 3 * 64 * 49 + 512 * 1000 + 1000 + 2 * (64 + 512)
    inputs = 64
    for outputs in (64, 128, 256, 512):
        total += 9 * outputs * (inputs + 3 * outputs) + 2 * (inputs + 3 * outputs)
        if inputs != outputs:
            total += inputs * outputs
        inputs = outputs
    return total - 2 * 64


def test_the_count_is_the_one_told() -> None:
    with torch.device("meta"):
        network = preactresnet18()
    assert sum(parameter.numel() for parameter in network.parameters()) == counted() == 11_687_720


def test_the_block_is_its_formula_with_and_without_a_change_of_shape() -> None:
    torch.manual_seed(0)
    scale = (1 + 1e-5) ** -0.5
    images = torch.randn(2, 4, 7, 8)
    for outputs, stride in ((4, 1), (6, 2)):
        block = PreActivationBlock(4, outputs, stride=stride, layers=Layers()).eval()
        activated = (images * scale).clamp(min=0)
        main = F.conv2d(activated, block.conv1.weight, stride=stride, padding=1)
        main = F.conv2d((main * scale).clamp(min=0), block.conv2.weight, padding=1)
        skip = images if stride == 1 else F.conv2d(activated, block.downsample.weight, stride=2)
        before = images.clone()
        assert torch.allclose(block(images), main + skip, atol=1e-5)
        assert images.equal(before)


def test_the_first_block_takes_what_the_stem_activated() -> None:
    torch.manual_seed(0)
    block = FirstPreActivationBlock(4, layers=Layers()).eval()
    images = torch.rand(1, 4, 6, 6)
    main = F.conv2d(images, block.conv1.weight, padding=1) * (1 + 1e-5) ** -0.5
    main = F.conv2d(main.clamp(min=0), block.conv2.weight, padding=1)
    assert torch.allclose(block(images), main + images, atol=1e-5)


def test_from_the_first_block_of_a_stage_to_its_last_the_skip_is_clean() -> None:
    with torch.device("meta"):
        network = preactresnet18()
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        assert isinstance(stage[1].downsample, nn.Identity)
