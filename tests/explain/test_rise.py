"""RISE estimates what a place is worth, with an error that falls, from masks that are what they should be."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, nn

from striate.core.errors import LayerError
from striate.explain import rise
from striate.explain.rise import _random_masks


class Product(nn.Module):
    """Gives the product of two places: neither counts where the other is hidden."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        flat = images.flatten(1)
        return torch.stack([flat[:, 0] * flat[:, -1], flat.sum(dim=1)], dim=1)


@pytest.mark.parametrize("sides", [(9,), (28, 21), (5, 4, 6)])
def test_masks_are_smooth_shares_that_show_as_much_as_is_kept(sides) -> None:
    masks = _random_masks(400, sides, 4, Generator().manual_seed(0))
    assert masks.shape == (400, *sides)
    assert masks.min() >= 0
    assert masks.max() <= 1 + 1e-6
    # Each place is shown as often, also at the borders: 400 cells of even odds have an error of 0.025.
    assert (masks.mean(dim=0) - 0.5).abs().max() < 0.1
    assert abs(masks.mean() - 0.5) < 0.03


def test_with_cells_of_one_place_it_estimates_the_effect_of_each() -> None:
    # E[f | p seen] - E[f], with every place seen or not with probability 1/2.
    images = torch.tensor([[[3.0, 1.0, 2.0, 5.0]]])
    found = rise(Product(), images, 1, masks=20_000, cells=4)
    expected = images[0] * 0.5  # of a sum: half of the place's own share
    assert (found.map - expected).abs().max() < 0.1
    found = rise(Product(), images, 0, masks=20_000, cells=4)
    expected = torch.tensor([[15 / 2 - 15 / 4, 0, 0, 15 / 2 - 15 / 4]])
    assert (found.map - expected).abs().max() < 0.2


def test_more_masks_come_closer() -> None:
    images = torch.rand(1, 1, 12, generator=Generator().manual_seed(1))
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    errors = [
        sum(
            (
                rise(net, images, masks=masks, cells=12, generator=Generator().manual_seed(seed)).map
                - images[0] * net[1].weight.detach() / 2
            )
            .square()
            .mean()
            .item()
            for seed in range(5)
        )
        for masks in (50, 2000)
    ]
    assert errors[1] < errors[0] / 10


def test_what_is_hidden_becomes_the_baseline() -> None:
    images = torch.rand(2, 1, 8, 8)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    assert not rise(net, images, masks=50, baseline=images).map.abs().max() > 1e-5
    assert rise(net, images, masks=50).map.abs().max() > 1e-3


def test_the_generator_decides_the_masks_and_progress_is_told() -> None:
    net, images, events = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), torch.rand(1, 1, 8, 8), []
    one = rise(net, images, masks=70, generator=Generator().manual_seed(5), on_event=events.append)
    other = rise(net, images, masks=70, generator=Generator().manual_seed(6))
    assert not one.map.equal(other.map)
    assert rise(net, images, masks=70).map.equal(rise(net, images, masks=70).map)
    assert events[-1].data["done"] == 70
    assert "2x2" in one.note


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"masks": 1}, "1 masks of 7 cells cannot be"),
        ({"cells": 0}, "1000 masks of 0 cells cannot be"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(options, sentence) -> None:
    with pytest.raises(LayerError, match=sentence):
        rise(nn.Flatten(), torch.rand(1, 1, 4, 4), **options)


def test_four_axes_are_refused() -> None:
    with pytest.raises(LayerError, match="4 spatial axes, where masks can have one to three"):
        rise(nn.Flatten(), torch.rand(1, 1, 2, 2, 2, 2))
