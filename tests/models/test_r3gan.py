"""The modern baseline: blocks that begin as the identity, learned maps, and deviations by Fixup's rule."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from striate.models import r3gan_discriminator, r3gan_generator
from striate.models.r3gan import FixupBlock, LearnedMap, WeightedSum


def test_a_block_begins_as_the_identity_and_is_its_formula() -> None:
    torch.manual_seed(0)
    block, features = FixupBlock(4, blocks=6), torch.randn(2, 4, 5, 6)
    assert block(features).equal(features)
    for part in (block.conv1.bias, block.conv2.bias, block.conv3.weight):
        nn.init.normal_(part)
    before = features.clone()
    main = F.leaky_relu(F.conv2d(features, block.conv1.weight, block.conv1.bias), 0.2)
    main = F.leaky_relu(F.conv2d(main, block.conv2.weight, block.conv2.bias, padding=1), 0.2)
    wanted = features + F.conv2d(main, block.conv3.weight)
    assert torch.allclose(block(features), wanted, atol=1e-5)
    assert features.equal(before)


@pytest.mark.parametrize(("size", "maps"), [(28, 2), (64, 4)])
@pytest.mark.parametrize("make", [r3gan_generator, r3gan_discriminator])
def test_deviations_fall_with_the_fourth_root_of_the_number_of_blocks(make, size, maps) -> None:
    torch.manual_seed(0)
    network = make(size=size, width=64)
    blocks = [part for part in network.modules() if isinstance(part, FixupBlock)]
    assert len(blocks) == 2 * maps
    gain = math.sqrt(2 / 1.04) * len(blocks) ** -0.25
    for block in blocks:
        for layer in (block.conv1, block.conv2):
            inputs = layer.weight[0].numel()
            assert layer.weight.std().item() == pytest.approx(gain / inputs**0.5, rel=0.1)
            assert not layer.bias.any()
        assert not block.conv3.weight.any()


def test_a_learned_map_is_scaled_channel_by_channel() -> None:
    learned, strengths = LearnedMap(3, 4), torch.randn(2, 3)
    found = learned(strengths)
    assert found.shape == (2, 3, 4, 4)
    assert found.is_contiguous(memory_format=torch.channels_last)
    wanted = torch.einsum("nc,hwc->nchw", strengths, learned.basis)
    assert torch.allclose(found, wanted, atol=1e-6)


def test_a_weighted_sum_is_a_depthwise_convolution_of_the_whole_map() -> None:
    weighted, features = WeightedSum(3, (4, 5)), torch.randn(2, 3, 4, 5)
    kernel = weighted.basis.permute(2, 0, 1)[:, None]
    wanted = F.conv2d(features, kernel, groups=3).flatten(1)
    assert torch.allclose(weighted(features), wanted, atol=1e-5)


def test_signals_keep_their_size_through_both_networks_when_training_begins() -> None:
    torch.manual_seed(0)
    generator, discriminator = r3gan_generator(width=64), r3gan_discriminator(width=64)
    latents, noise = torch.randn(64, 64), torch.randn(64, 1, 28, 28)
    with torch.no_grad():
        before = generator.body(generator.first(latents))
        scores = discriminator(noise)
    assert 0.2 < before.std().item() < 2
    assert 0.2 < discriminator.trunk(noise).std().item() < 3
    assert 0.2 < scores.std().item() < 4


def test_nothing_in_it_mixes_images_or_strides() -> None:
    for network in (r3gan_generator(size=64, width=16), r3gan_discriminator(size=64, width=16)):
        for part in network.modules():
            assert not isinstance(part, nn.modules.batchnorm._BatchNorm)
            if isinstance(part, nn.Conv2d):
                assert (part.stride, part.groups) == ((1, 1), 1)
