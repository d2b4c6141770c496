"""The spatial attack turns and shifts as far as it may, and misleads more than a grid or chance alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from striate.attack.goals import Targeted
from striate.attack.losses import margin
from striate.attack.spatial import Motion, Spatial
from striate.core.errors import AttackError


def marked(size: tuple[int, int], row: int, column: int) -> Tensor:
    image = torch.zeros(1, 1, *size, dtype=torch.float64)
    image[0, 0, row, column] = 1
    return image


def test_a_turn_is_counter_clockwise_and_a_shift_goes_down_and_right() -> None:
    attack = Spatial(motion=Motion(rotation=90, shift=0.4))
    turned = attack._moved(marked((5, 5), 2, 4), torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64))
    assert turned.allclose(marked((5, 5), 0, 2), atol=1e-6)
    moved = attack._moved(marked((5, 5), 2, 1), torch.tensor([[0.0, 1.0, 0.5]], dtype=torch.float64))
    assert moved.allclose(marked((5, 5), 4, 2), atol=1e-6)
    both = attack._moved(marked((5, 5), 2, 3), torch.tensor([[1.0, 0.5, -0.5]], dtype=torch.float64))
    assert both.allclose(marked((5, 5), 2, 1), atol=1e-6)


def test_it_finds_the_shift_that_a_model_cannot_stand() -> None:
    class Column(nn.Module):
        """Class 0 where the middle column is bright."""

        def forward(self, images: Tensor) -> Tensor:
            bright = images[:, 0, :, 4].mean(dim=1)
            return torch.stack([bright, torch.full_like(bright, 0.3)], dim=1)

    image = torch.zeros(1, 1, 9, 9)
    image[..., 4] = 1
    found = Spatial(motion=Motion(rotation=0, shift=0.25))(Column(), image, torch.tensor([0]))
    assert Column()(found).argmax(dim=1).item() == 1
    held = Spatial(motion=Motion(rotation=0, shift=0.05))(Column(), image, torch.tensor([0]))
    assert Column()(held).argmax(dim=1).item() == 0
    assert Column()(held)[0, 0] < 0.6  # the farthest shift of 0.45 pixels is the worst


def test_small_digits_are_misread_when_they_move(digits) -> None:
    network, images, labels = digits
    known = (network(images).argmax(dim=1) == labels).float().mean()
    attack = Spatial(motion=Motion(rotation=20, shift=0.125), refinements=2)
    found = attack(network, images, labels)
    left = (network(found).argmax(dim=1) == labels).float().mean()
    assert left < known - 0.3
    assert found.min() >= 0
    assert found.max() <= 1
    refined = Spatial(motion=Motion(rotation=20, shift=0.125), refinements=8)(network, images, labels)
    assert (network(refined).argmax(dim=1) == labels).float().mean() <= left
    still = network(refined).argmax(dim=1) == labels
    assert (margin(network(refined), labels) >= margin(network(images), labels))[still].all()


@pytest.mark.parametrize("shape", [(2, 1, 12), (2, 3, 6, 9), (2, 2, 3, 8, 8)])
def test_images_of_any_dimension_move(shape) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape[1:]), 3))
    images = torch.rand(shape)
    labels = network(images).argmax(dim=1)
    found = Spatial(refinements=1)(network, images, labels)
    assert found.shape == images.shape
    assert (found != images).any()


def test_signals_are_shifted_and_slices_move_alike() -> None:
    attack = Spatial(motion=Motion(rotation=30, shift=0.5))
    signal = torch.tensor([[[0.0, 1.0, 0.0, 0.0]]])
    assert attack._moved(signal, torch.tensor([[1.0, 1.0, 0.5]])).allclose(
        torch.tensor([[[0.0, 0.0, 1.0, 0.0]]]), atol=1e-6
    )
    volume = torch.rand(1, 1, 1, 7, 7).expand(1, 1, 3, 7, 7)
    moved = attack._moved(volume, torch.tensor([[0.7, 0.2, -0.1]]))
    assert (moved == moved[:, :, :1]).all()


def test_no_motion_changes_nothing(digits) -> None:
    network, images, labels = digits
    assert Spatial(motion=Motion(0, 0))(network, images, labels).equal(images)


def test_a_target_is_searched(digits) -> None:
    network, images, labels = digits
    goal = Targeted((labels + 1) % 10)
    attack = Spatial(motion=Motion(60, 0.3), refinements=2, goal=goal)
    found = attack(network, images, labels)
    reached = goal.is_met(network(found), labels).float().mean()
    assert reached > goal.is_met(network(images), labels).float().mean() + 0.05


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Motion(rotation=181), "a rotation by 181 degrees"),
        (lambda: Motion(shift=0.6), "a shift by 0.6 of the side"),
        (lambda: Motion(shift=-0.1), "shifts from 0 to 0.5"),
        (lambda: Motion(rotation=math.nan), "cannot be searched"),
        (lambda: Spatial(refinements=-1), "-1 rounds of refining"),
    ],
)
def test_what_is_out_of_range_is_refused(make, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        make()
