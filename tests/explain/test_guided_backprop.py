"""Guided backpropagation: only what speaks for a score goes back through rectifiers of whatever form."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.explain.guided_backprop import FLAW, guided_backprop
from striate.explain.saliency import saliency


class Rectified(nn.Module):
    """Two layers with rectifiers that are called in some way."""

    def __init__(self, rectify) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.head = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(64, 3)
        self.rectify = rectify

    def forward(self, images: Tensor) -> Tensor:
        maps = self.rectify(self.first(images))
        return self.head(self.rectify(self.second(maps)).flatten(1))


IMAGES = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def by_hand(network: Rectified, images: Tensor, target: int) -> Tensor:
    one = network.first(images)
    other = network.second(one.relu())
    back = network.head.weight[target].view(1, 4, 4, 4).clamp(min=0) * (other > 0)
    back = F.conv_transpose2d(back, network.second.weight).clamp(min=0) * (one > 0)
    return F.conv_transpose2d(back, network.first.weight).detach()


@pytest.mark.parametrize(
    "rectify",
    [
        nn.ReLU(),
        nn.ReLU(inplace=True),
        F.relu,
        lambda values: F.relu(values, inplace=True),
        lambda values: F.relu(input=values),
        torch.relu,
        torch.relu_,
        F.relu_,
        Tensor.relu,
        Tensor.relu_,
        lambda values: values.relu(),
    ],
)
def test_it_is_that_by_hand_however_rectifiers_are_called(rectify) -> None:
    network = Rectified(rectify)
    found = guided_backprop(network, IMAGES, 1)
    assert torch.allclose(found.map, by_hand(network, IMAGES, 1), atol=1e-6)
    assert not torch.allclose(found.map.abs(), saliency(network, IMAGES, 1).map, atol=1e-3)
    assert found.per_channel


def test_a_rectifier_that_writes_where_its_output_is_not_used_counts_too() -> None:
    def write(values: Tensor) -> Tensor:
        values.relu_()
        return values

    network = Rectified(write)
    assert torch.allclose(guided_backprop(network, IMAGES, 1).map, by_hand(network, IMAGES, 1), atol=1e-6)


def test_other_activations_keep_their_gradient() -> None:
    network = nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(3, 1, bias=False), nn.Tanh())
    network[2].weight.data = torch.tensor([[0.2, 0.3, -0.1]])
    slope = 1 - torch.tanh(torch.tensor(0.2 * 0.5 - 0.1)) ** 2
    found = guided_backprop(network, torch.tensor([[[0.5, -7.0, 1.0]]]))
    assert torch.allclose(found.map, torch.tensor([[[0.2 * slope, 0.0, 0.0]]]))


def test_its_flaw_is_said() -> None:
    found = guided_backprop(Rectified(F.relu), IMAGES)
    assert found.note == FLAW
    assert "hardly depends" in found.note


def test_a_network_without_rectifiers_is_refused() -> None:
    with pytest.raises(LayerError, match="changes the gradient of ReLUs, and the network calls none"):
        guided_backprop(Rectified(torch.tanh), IMAGES)


def test_a_rectifier_that_cannot_be_seen_is_refused() -> None:
    scripted = torch.jit.trace(nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 1)), torch.zeros(3, 4, 6, 6))
    network = Rectified(F.relu)
    network.second = nn.Sequential(scripted, network.second)
    for _ in range(3):  # what is scripted is compiled after some passes
        with pytest.raises(LayerError, match="cannot see a rectifier of the network"):
            guided_backprop(network, IMAGES)
