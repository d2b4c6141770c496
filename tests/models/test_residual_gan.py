"""Residual networks: blocks by their formulas, spectral norms by singular values, Glorot's bounds."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from striate.models import residual_discriminator, residual_generator
from striate.models.residual_gan import DiscriminatorBlock, GeneratorBlock


def normed(features: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    return F.batch_norm(features, norm.running_mean, norm.running_var, norm.weight, norm.bias)


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("outputs", [6, 4])
def test_the_generators_block_is_its_formula(outputs, doubled) -> None:
    torch.manual_seed(0)
    block = GeneratorBlock(4, outputs, doubled=doubled).eval()
    for norm in (block.bn1, block.bn2):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    features = torch.randn(2, 4, 3, 5)
    main = normed(features, block.bn1).clamp(min=0)
    skip = features
    if doubled:
        main, skip = (each.repeat_interleave(2, 2).repeat_interleave(2, 3) for each in (main, skip))
    main = F.conv2d(main, block.conv1.weight, padding=1)
    main = normed(main, block.bn2).clamp(min=0)
    main = F.conv2d(main, block.conv2.weight, block.conv2.bias, padding=1)
    if outputs != 4:
        skip = F.conv2d(skip, block.skip.weight, block.skip.bias)
    assert torch.allclose(block(features), main + skip, atol=1e-5)


@pytest.mark.parametrize("halved", [False, True])
@pytest.mark.parametrize("outputs", [6, 4])
def test_the_discriminators_block_is_its_formula_and_keeps_its_input(outputs, halved) -> None:
    torch.manual_seed(0)
    block = DiscriminatorBlock(4, outputs, halved=halved)
    features = torch.randn(2, 4, 7, 6)
    before = features.clone()
    main = F.conv2d(features.clamp(min=0), block.conv1.weight, block.conv1.bias, padding=1).clamp(min=0)
    main = F.conv2d(main, block.conv2.weight, block.conv2.bias, padding=1)
    skip = features
    if outputs != 4:
        skip = F.conv2d(skip, block.skip.weight, block.skip.bias)
    wanted = main + skip
    if halved:
        wanted = F.avg_pool2d(wanted, 2)
    assert torch.allclose(block(features), wanted, atol=1e-5)
    assert features.equal(before)


def layers_of(discriminator: nn.Module) -> list[nn.Module]:
    return [part for part in discriminator.modules() if parametrize.is_parametrized(part)]


@pytest.mark.parametrize("classes", [None, 5])
def test_every_weight_of_the_discriminator_comes_to_a_largest_singular_value_of_1(classes) -> None:
    torch.manual_seed(0)
    discriminator = residual_discriminator(width=16, classes=classes)
    weighted = [
        each for each in discriminator.modules() if isinstance(each, nn.Conv2d | nn.Linear | nn.Embedding)
    ]
    assert layers_of(discriminator) == weighted
    images = torch.randn(2, 1, 28, 28)
    labels = None if classes is None else torch.tensor([0, 4])
    with torch.no_grad():
        for _ in range(150):
            discriminator(images, labels)
    discriminator.eval()
    for layer in weighted:
        original = layer.parametrizations.weight.original
        largest = torch.linalg.matrix_norm(original.flatten(1), ord=2)
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2).item() == pytest.approx(1, abs=0.01)
        assert torch.allclose(layer.weight, original / largest, rtol=0.01)


def test_power_iteration_goes_on_in_training_and_stands_still_in_evaluation() -> None:
    torch.manual_seed(0)
    discriminator = residual_discriminator(width=8)
    layer, images = discriminator.trunk[1], torch.randn(1, 1, 28, 28)
    vector = layer.parametrizations.weight[0]._u
    discriminator.eval()
    kept = vector.clone()
    scores = discriminator(images)
    assert vector.equal(kept)
    assert scores.equal(discriminator(images))
    with torch.no_grad():  # so that there is something to follow
        layer.parametrizations.weight.original.normal_()
    discriminator.train()(images)
    assert not vector.equal(kept)


def test_features_are_the_sum_over_the_rectified_last_map() -> None:
    trunk = residual_discriminator(width=8).trunk.eval()
    images = torch.randn(2, 1, 28, 28)
    last = trunk[:-1](images)
    assert last.shape[2:] == (7, 7)
    assert torch.allclose(trunk(images), last.clamp(min=0).sum(dim=(2, 3)), atol=1e-5)


def test_weights_are_drawn_as_glorot_and_bengio_do() -> None:
    torch.manual_seed(0)
    drawn: dict[str, Tensor] = {}
    for name, part in residual_generator(width=32).named_modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            drawn[name] = part.weight
    for name, part in residual_discriminator(width=32).named_modules():
        if parametrize.is_parametrized(part) and name != "embedding":
            drawn[name] = part.parametrizations.weight.original
    assert len(drawn) > 10
    for name, weight in drawn.items():
        window = weight[0, 0].numel() if weight.ndim == 4 else 1
        gain = math.sqrt(2) if window == 9 else 1
        bound = gain * math.sqrt(6 / (window * (weight.shape[0] + weight.shape[1])))
        assert weight.abs().max() <= bound, name
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.15), name


def test_the_generator_keeps_its_first_size_once_and_then_doubles() -> None:
    body = residual_generator(size=64, width=16).body
    blocks = [part for part in body if isinstance(part, GeneratorBlock)]
    assert [block.conv1.in_channels for block in blocks] == [64, 64, 32, 16]
    assert [isinstance(block.doubling, nn.Identity) for block in blocks] == [True, False, False, False]
