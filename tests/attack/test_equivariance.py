"""Equivariance errors of layers: 0 where a layer follows a shift, by hand where it does not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.attack import layer_shifts
from striate.core.errors import AttackError
from striate.models.cifar_resnet import resnet20


def images(count: int = 3, side: int = 8, channels: int = 1) -> torch.Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(0))


def test_circular_convolutions_follow_and_zeros_and_strides_do_not() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, padding_mode="circular"),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 2),
    )
    found = {layer.name: layer for layer in layer_shifts(network, images(), shifts=[1, 2])}
    assert list(found) == ["0", "1", "2", "3"]
    assert max(found["0"].errors) < 1e-6
    assert max(found["1"].errors) < 1e-6
    assert min(found["2"].errors) > 0.01
    assert found["3"].size == (4, 4)
    assert found["3"].errors[1] < found["3"].errors[0]


def test_an_error_by_hand() -> None:
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0, 0] = 1.0
    (layer,) = layer_shifts(nn.Sequential(nn.MaxPool2d(2)), image, shifts=[1, 2])
    # By one pixel the block of four stays where it is, and should move by one: 2 + 2 of 4 + 4 differ; the
    # same along the other axis.
    assert layer.errors == pytest.approx(((4 / 8) ** 0.5, 0.0))
    assert layer.kind == "MaxPool2d"


def test_containers_that_pass_on_are_not_listed_twice() -> None:
    network = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True)), nn.Flatten())
    assert [layer.name for layer in layer_shifts(network, images())] == ["0.0", "0.1"]


@pytest.mark.parametrize("downsample", ["polyphase", "stride", "blur"])
def test_networks_follow_shifts_that_their_strides_divide_and_no_others(downsample) -> None:
    torch.manual_seed(0)
    network = resnet20(channels=1, downsample=downsample, padding_mode="circular")
    layers = layer_shifts(network, images(2, 16), shifts=[1, 4])
    assert max(layer.errors[1] for layer in layers) < 1e-5
    assert layers[0].errors[0] < 1e-6
    assert max(layer.errors[0] for layer in layers) > 0.01


def test_the_network_is_left_as_it_was_also_after_a_crash() -> None:
    class Breaks(nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            raise RuntimeError(f"broken by {len(features)}")

    norm = nn.BatchNorm2d(1)
    network = nn.Sequential(norm, Breaks()).train()
    with pytest.raises(RuntimeError, match="broken by"):
        layer_shifts(network, images())
    assert network.training
    assert norm.running_mean.tolist() == [0.0]
    assert not any(module._forward_hooks for module in network.modules())


def test_a_half_precision_network_gets_its_own_type() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1)).bfloat16()
    assert len(layer_shifts(network, images())[0].errors) == 3


@pytest.mark.parametrize(("shifts", "said"), [([0], "shift of 0"), ([8], "1 to 7 can"), ([], "shift of no")])
def test_shifts_that_cannot_be_are_refused(shifts, said) -> None:
    with pytest.raises(AttackError, match=said):
        layer_shifts(nn.Sequential(nn.ReLU()), images(), shifts=shifts)


def test_other_images_are_refused() -> None:
    with pytest.raises(AttackError, match="N x C x H x W"):
        layer_shifts(nn.Sequential(nn.ReLU()), torch.zeros(1, 1, 8))
