"""Networks for series, images and volumes: built for each, the same laws, a refusal where there is none."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.core.errors import RecipeError, ShapeError
from striate.models import CATALOGUE, Compact, build
from striate.models.catalogue import ONLY_IMAGES

SIZES = {1: (96,), 3: (32, 40, 36)}
IN_ALL = sorted(CATALOGUE.keys() - ONLY_IMAGES)


@pytest.mark.parametrize("dims", SIZES)
@pytest.mark.parametrize("name", IN_ALL)
def test_every_family_but_those_of_images_is_built_for_series_and_volumes(name, dims) -> None:
    with torch.device("meta"):
        network = build(name, classes=5, channels=4, size=SIZES[dims])
        assert network(torch.empty(2, 4, *SIZES[dims])).shape == (2, 5)
    kinds = {1: nn.Conv1d, 3: nn.Conv3d}[dims]
    convolutions = [
        module for module in network.modules() if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    ]
    assert all(isinstance(module, kinds) for module in convolutions)
    assert convolutions or name == "mlp"


@pytest.mark.parametrize("name", sorted(ONLY_IMAGES))
def test_networks_of_images_say_what_else_takes_series(name) -> None:
    with pytest.raises(
        ShapeError, match=f"'{name}' takes images, and these are series of 96; compact-medium"
    ):
        build(name, classes=5, channels=4, size=(96,))


@pytest.mark.parametrize(
    "size", [(4,), (7,), (24,), (101,), (1000,), (4, 4, 4), (4, 9, 30), (16, 56, 64), (30, 30, 30)]
)
@pytest.mark.parametrize("name", ["compact-light", "compact-small", "compact-medium", "compact-large"])
def test_compact_networks_take_any_size_from_four_on(name, size) -> None:
    with torch.device("meta"):
        network = build(name, classes=3, channels=2, size=size)
        features = network.stages(network.stem(torch.empty(1, 2, *size)))
    assert all(1 <= side <= 8 for side in features.shape[2:])


def test_frames_of_clips_are_not_pooled_away() -> None:
    with torch.device("meta"):
        network = build("compact-medium", classes=3, channels=1, size=(8, 64, 64))
        features = network.stages(network.stem(torch.empty(1, 1, 8, 64, 64)))
    assert features.shape[2:] == (4, 4, 4)


@pytest.mark.parametrize("size", [(3,), (2, 30, 30)])
def test_what_is_too_small_is_refused(size) -> None:
    with pytest.raises(ShapeError, match="are too small for a compact network"):
        build("compact-small", classes=3, channels=1, size=size)


@pytest.mark.parametrize("dims", SIZES)
def test_every_weight_of_a_compact_network_learns(dims) -> None:
    torch.manual_seed(0)
    network = build("compact-small", classes=5, channels=4, size=SIZES[dims])
    assert isinstance(network, Compact)
    before = [parameter.clone() for parameter in network.parameters()]
    network.learn_first_layer(
        torch.randn(4, 4, *SIZES[dims])
    )  # of images alone there is something to compute
    assert all(one.equal(other) for one, other in zip(before, network.parameters(), strict=True))
    network(torch.randn(4, 4, *SIZES[dims])).logsumexp(1).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def test_layers_that_are_spelled_out_have_the_axes_of_their_input() -> None:
    text = "conv8k5,max2,conv8s2,mean2,conv16,max,dense12,drop0.1"
    for dims, size in SIZES.items():
        network = build("stacked", classes=3, channels=2, size=size, layers=text)
        assert network(torch.randn(2, 2, *size)).shape == (2, 3)
        kernels = {
            tuple(module.kernel_size)
            for module in network.modules()
            if isinstance(module, nn.Conv1d | nn.Conv3d)
        }
        assert kernels == {(5,) * dims, (3,) * dims}
    with pytest.raises(ShapeError, match="white whitens the patches of images, and these are series of 96"):
        build("stacked", classes=3, channels=2, size=(96,), layers="white,mean")
    with pytest.raises(RecipeError, match="has no choice of layers"):
        build("lenet", classes=3, channels=2, size=(96,), layers=text)
