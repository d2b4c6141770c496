"""The dense networks: their published shape."""

from __future__ import annotations

import torch
from torch import nn

from striate.models import dense_discriminator, dense_generator, dense_trunk


def test_layers_are_784_256_256_and_back() -> None:
    generator, discriminator = dense_generator(), dense_discriminator()
    made = [
        (part.in_features, part.out_features) for part in generator.modules() if isinstance(part, nn.Linear)
    ]
    seen = [
        (part.in_features, part.out_features)
        for part in discriminator.modules()
        if isinstance(part, nn.Linear)
    ]
    assert made == [(64, 256), (256, 256), (256, 784)]
    assert seen == [(784, 256), (256, 256), (256, 1)]
    assert sum(parameter.numel() for parameter in generator.parameters()) == 283_920
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 267_009


def test_the_trunk_takes_images_of_any_shape_that_it_was_built_for() -> None:
    network = dense_trunk(classes=4, channels=3, size=(5, 9), layers="width7")
    assert network(torch.zeros(2, 3, 5, 9)).shape == (2, 4)
    assert network.head.in_features == 7
