"""Folded norms compute what they did, wherever they stand; what cannot be folded stays."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from striate.models import build
from striate.nn.folding import fold_norms

FOLDED = {
    "compact-small": 3,  # a pooling lies before the others
    "efficientnet-lite0": 49,
    "lenet": 0,
    "mnist-convnet": None,
    "plain20": 19,
    "preactresnet18": None,
    "resnet18": 20,
    "resnet20": 19,
    "sprint": None,
    "stacked": None,
    "wide-resnet16-4": None,
}
"""A network of each family, and how many norms follow a convolution in it, where that is plain."""


def shaken(network: nn.Module) -> nn.Module:
    """Give the norms figures that a network that was trained could have."""
    for norm in network.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            for tensor in (norm.weight, norm.bias):
                if tensor is not None:
                    nn.init.uniform_(tensor, 0.5, 1.5)
    return network.eval()


@torch.no_grad()
def check(network: nn.Module, images: Tensor) -> int:
    network = shaken(network.double())
    folded = copy.deepcopy(network)
    count = fold_norms(folded, images[:1])
    expected, found = network(images), folded(images)
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in folded.modules())
    return count


@pytest.mark.parametrize("name", FOLDED)
def test_no_network_of_the_catalogue_computes_anything_else(name) -> None:
    torch.manual_seed(0)
    network = build(name, classes=2, channels=3, size=(32, 32))
    count = check(network, torch.randn(2, 3, 32, 32, dtype=torch.double))
    assert FOLDED[name] in (None, count)


def test_biases_and_one_and_three_dimensions_fold() -> None:
    torch.manual_seed(0)
    signals = nn.Sequential(nn.Conv1d(2, 3, 3, bias=True), nn.BatchNorm1d(3))
    assert check(signals, torch.randn(4, 2, 9, dtype=torch.double)) == 1
    volumes = nn.Sequential(nn.Conv3d(1, 2, 2), nn.BatchNorm3d(2, affine=False)).double().eval()
    volumes[1].running_mean.normal_()
    images = torch.randn(2, 1, 4, 4, 4, dtype=torch.double)
    with torch.no_grad():
        expected = volumes(images)
        assert fold_norms(volumes, images) == 1
        assert torch.allclose(volumes(images), expected)


class Between(nn.Module):
    """A convolution whose output is changed in place before the norm."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)

    def forward(self, images: Tensor) -> Tensor:
        """Give the norm of the rectified features."""
        features: Tensor = self.norm(torch.relu_(self.convolution(images)))
        return features


class Twice(nn.Module):
    """A convolution and norm that images go through twice."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1)

    def forward(self, images: Tensor) -> Tensor:
        """Give what comes out of the second time."""
        features: Tensor = self.norm(self.convolution(self.norm(self.convolution(images))))
        return features


@pytest.mark.parametrize(
    "make", [Between, Twice, lambda: nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 1, 3))]
)
def test_what_does_not_follow_untouched_and_once_stays(make) -> None:
    torch.manual_seed(0)
    assert check(make(), torch.randn(2, 1, 5, 5, dtype=torch.double)) == 0


def test_hooks_go_even_after_a_crash() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval()
    with pytest.raises(RuntimeError):
        fold_norms(network, torch.zeros(1, 3, 5, 5))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())
