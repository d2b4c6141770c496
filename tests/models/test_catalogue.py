"""Laws of every network of the catalogue, and the published figures of ResNet-18."""

from __future__ import annotations

import pytest
import torch

from striate.core.errors import RecipeError, ShapeError
from striate.models import CATALOGUE, Compact, LearnsFirstLayer, build

SIZES = [(8, 8), (28, 28), (32, 24), (65, 64)]


@pytest.mark.parametrize("name", sorted(CATALOGUE))
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_network_takes_every_kind_of_small_image_and_trains(name, size, channels) -> None:
    network = build(name, classes=7, channels=channels, size=size)
    images = torch.rand(4, channels, *size)
    if isinstance(network, LearnsFirstLayer):
        network.learn_first_layer(images)
    logits = network(images)
    assert logits.shape == (4, 7)
    logits.square().mean().backward()
    for parameter_name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, parameter_name
            assert torch.isfinite(parameter.grad).all(), parameter_name


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_an_image_alone_gets_the_logits_it_gets_in_a_batch(name) -> None:
    network = build(name, classes=3, channels=1, size=(28, 28)).double().eval()
    images = torch.rand(3, 1, 28, 28, dtype=torch.double)
    together = network(images)
    alone = torch.cat([network(image[None]) for image in images])
    assert torch.allclose(together, alone, atol=1e-10)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_seed_decides_the_weights(name) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        network = build(name, classes=3, channels=1, size=(28, 28))
        return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])

    assert weights(1).equal(weights(1))
    assert not weights(1).equal(weights(2))


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


def test_resnet18_has_the_published_parameters_and_names() -> None:
    network = build("resnet18", classes=1000, channels=3, size=(224, 224))
    state = network.state_dict()
    assert sum(parameter.numel() for parameter in network.parameters()) == 11_689_512
    assert len(state) == 122
    for name, shape in {
        "conv1.weight": (64, 3, 7, 7),
        "bn1.running_var": (64,),
        "layer1.1.conv2.weight": (64, 64, 3, 3),
        "layer2.0.downsample.0.weight": (128, 64, 1, 1),
        "layer4.1.bn2.bias": (512,),
        "fc.weight": (1000, 512),
    }.items():
        assert tuple(state[name].shape) == shape


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean 'resnet18'"):
        build("resnet-18", classes=2, channels=1, size=(28, 28))


def test_images_too_small_for_a_network_are_refused_with_a_way_out() -> None:
    with pytest.raises(ShapeError, match="3x9 pixels are too small"):
        build("compact-small", classes=2, channels=1, size=(3, 9))
