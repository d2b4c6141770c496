"""DCGAN: its layers, and weights drawn as its authors do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.models import dcgan_discriminator, dcgan_generator, dcgan_trunk


def kinds(network: nn.Module) -> list[str]:
    return [type(part).__name__ for part in network]


def test_the_generator_doubles_by_transposed_convolutions_with_norms() -> None:
    generator = dcgan_generator(size=64, channels=3, width=64)
    doublings = [part for part in generator.body if isinstance(part, nn.ConvTranspose2d)]
    assert [(part.in_channels, part.out_channels) for part in doublings] == [(256, 128), (128, 64), (64, 32)]
    assert all((part.kernel_size, part.stride) == ((4, 4), (2, 2)) for part in doublings)
    assert kinds(generator.body) == [
        "FirstMap",
        "BatchNorm2d",
        "ReLU",
        *["ConvTranspose2d", "BatchNorm2d", "ReLU"] * 3,
        "Conv2d",
        "PixelShuffle",
    ]


def test_the_discriminator_has_no_norm_at_the_pixels_and_no_pooling() -> None:
    trunk = dcgan_discriminator(size=28, width=64).trunk
    strided = [part for part in trunk if isinstance(part, nn.Conv2d)]
    assert [(part.in_channels, part.out_channels) for part in strided] == [(4, 64), (64, 128), (128, 256)]
    assert kinds(trunk) == [
        "PixelsAsChannels",
        "Conv2d",
        "LeakyReLU",
        *["Conv2d", "BatchNorm2d", "LeakyReLU"] * 2,
        "FlatMap",
    ]
    assert trunk(torch.zeros(2, 1, 28, 28)).shape == (2, 3 * 3 * 256)


@pytest.mark.parametrize("make", [dcgan_generator, dcgan_discriminator, dcgan_trunk])
def test_weights_are_normal_of_deviation_a_fiftieth_and_norms_around_1(make) -> None:
    torch.manual_seed(0)
    network = make()
    drawn = 0
    for name, part in network.named_modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and name != "head":
            spread = 0.02 / part.weight.numel() ** 0.5
            assert part.weight.mean().item() == pytest.approx(0, abs=5 * spread), name
            assert part.weight.std().item() == pytest.approx(0.02, abs=5 * spread), name
            assert part.bias is None or not part.bias.any()
            drawn += 1
        elif isinstance(part, nn.BatchNorm2d):
            assert part.weight.mean().item() == pytest.approx(1, abs=0.02)
            assert 0.012 < part.weight.std().item() < 0.028
            assert not part.bias.any()
    assert drawn >= 3
