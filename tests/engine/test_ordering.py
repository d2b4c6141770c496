"""Filters lie with channels last for a while, and are to the last byte where they were afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from striate.engine.ordering import filters_channels_last
from striate.explain.integrated_gradients import integrated_gradients


class Network(nn.Module):
    def __init__(self, *, views: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 4, 3))
        self.head = nn.Linear(4 * 16, 2)
        self.views = views
        self.orders: list[bool] = []

    def forward(self, images: Tensor) -> Tensor:
        maps = self.body(images)
        self.orders.append(maps.is_contiguous())
        return self.head(maps.view(len(maps), -1) if self.views else maps.flatten(1))


def layout(network: nn.Module) -> list[tuple[int, int, tuple[int, ...]]]:
    return [(id(weight), weight.data_ptr(), weight.stride()) for weight in network.parameters()]


@pytest.mark.parametrize("views", [False, True])
def test_maps_follow_where_the_network_can_compute_so(views) -> None:
    network, images = Network(views=views), torch.rand(2, 3, 8, 8)
    before, expected = layout(network), network(images)
    with filters_channels_last(network, images):
        assert (layout(network) == before) == views
        assert torch.allclose(network(images), expected, atol=1e-6)
        assert network.orders[-1] == views
    assert layout(network) == before
    assert network(images).equal(expected)


def test_maps_of_one_channel_are_followed_by_maps_with_channels_last() -> None:
    layer, images = nn.Conv2d(1, 5, 3), torch.rand(2, 1, 8, 8)
    before, expected = layout(layer), layer(images)
    assert expected.is_contiguous()
    with filters_channels_last(layer, images):
        maps = layer(images)
        assert maps.is_contiguous(memory_format=torch.channels_last)
        assert torch.allclose(maps, expected, atol=1e-6)
    assert layout(layer) == before


def test_filters_are_put_back_after_a_crash() -> None:
    network, images = Network(views=False), torch.rand(2, 3, 8, 8)
    before = layout(network)
    with pytest.raises(KeyError), filters_channels_last(network, images):
        raise KeyError
    network.forward = lambda images: {}[len(images)]
    with pytest.raises(KeyError), filters_channels_last(network, images):
        pass
    assert layout(network) == before


def test_other_images_and_networks_are_left_alone() -> None:
    network = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten())
    before = layout(network)
    with filters_channels_last(network, torch.rand(1, 1, 9)):
        assert layout(network) == before
    with filters_channels_last(nn.Flatten(), torch.rand(1, 1, 9, 9)):
        pass


def test_a_filter_that_is_used_twice_is_back_in_its_memory() -> None:
    shared = nn.Conv2d(3, 3, 3, padding=1)
    network = nn.Sequential(shared, nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last), shared)
    network = nn.Sequential(network[0], network[2], network[1], nn.Flatten())
    before = layout(network)
    with filters_channels_last(network, torch.rand(1, 3, 5, 5)):
        assert shared.weight.is_contiguous(memory_format=torch.channels_last)
    assert layout(network) == before


def test_explaining_leaves_filters_where_they_lay() -> None:
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 2))
    before = layout(network)
    integrated_gradients(network, torch.rand(2, 2, 5, 5), steps=3)
    assert layout(network) == before


def test_a_network_that_views_its_maps_is_explained_as_it_is() -> None:
    found = integrated_gradients(Network(views=True), torch.rand(2, 3, 8, 8), steps=3)
    assert found.map.shape == (2, 3, 8, 8)
