"""The compact networks: widths, the whitening stem, and the smallest images."""

from __future__ import annotations

import pytest
import torch

from striate.core.errors import ShapeError
from striate.models import Compact, LearnsFirstLayer, build

SIZES = [(8, 8), (28, 28), (32, 24), (65, 64)]


@pytest.mark.parametrize("name", ["compact-small", "compact-medium", "compact-large"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_compact_networks_take_every_kind_of_small_image_and_train(name, size, channels) -> None:
    network = build(name, classes=7, channels=channels, size=size)
    images = torch.rand(4, channels, *size)
    assert isinstance(network, LearnsFirstLayer)
    network.learn_first_layer(images)
    logits = network(images)
    assert logits.shape == (4, 7)
    logits.square().mean().backward()
    for parameter_name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, parameter_name
            assert torch.isfinite(parameter.grad).all(), parameter_name


def test_widths_grow_with_the_name() -> None:
    counts = [
        sum(p.numel() for p in build(f"compact-{width}", classes=10, channels=1, size=(28, 28)).parameters())
        for width in ("small", "medium", "large")
    ]
    assert counts == sorted(counts)
    assert counts[0] * 4 < counts[2]


def test_the_whitening_stem_is_frozen_and_whitens() -> None:
    network = build("compact-small", classes=3, channels=1, size=(28, 28))
    assert isinstance(network, Compact)
    images = torch.nn.functional.avg_pool2d(torch.randn(200, 1, 30, 30), 3, stride=1)
    network.learn_first_layer(images)
    assert not network.stem.weight.requires_grad
    half = network.stem.out_channels // 2
    assert network.stem.weight[:half].equal(-network.stem.weight[half:])
    responses = network.stem(images)[:, :half].transpose(0, 1).flatten(1)
    # The padded border is in the responses but not in what was whitened.
    assert (responses.std(dim=1) - 1).abs().amax() < 0.2


def test_images_too_small_for_a_compact_network_are_refused_with_a_way_out() -> None:
    with pytest.raises(ShapeError, match="3x9 pixels are too small"):
        build("compact-small", classes=2, channels=1, size=(3, 9))
