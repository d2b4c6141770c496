"""A patch lies only where it may, in the poses that were asked for, and is drawn as geometry says."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from striate.attack.draws import Draws
from striate.attack.placement import Placement, Places, Poses, _room, paste
from striate.core.errors import AttackError

CPU = torch.device("cpu")


def pose(side: float, down: float, right: float, *, angle: float = 0.0, light=(1.0, 0.0)) -> Poses:
    each = (side, math.radians(angle), down, right, *light)
    return Poses(*(torch.tensor([value], dtype=torch.float64) for value in each))


def covered(images: Tensor, picture: Tensor, poses: Poses, *, disc: bool) -> Tensor:
    """Say which pixels a white patch changes in black images."""
    return paste(images, picture, poses, disc=disc)[:, 0] > 0


def test_room_is_the_way_to_the_next_forbidden_pixel() -> None:
    where = torch.ones(5, 7, dtype=torch.bool)
    where[2, 1] = False
    rows, columns = torch.meshgrid(torch.arange(-1, 6), torch.arange(-1, 8), indexing="ij")
    outside = (rows < 0) | (rows > 4) | (columns < 0) | (columns > 6) | ((rows == 2) & (columns == 1))
    for row in range(5):
        for column in range(7):
            ways = torch.maximum((rows - row).abs(), (columns - column).abs())[outside]
            assert _room(where)[row, column] == ways.min() - 0.5


@pytest.mark.parametrize("disc", [True, False])
@pytest.mark.parametrize("rotation", [0, 30, 180])
@given(seed=st.integers(0, 2**31))
def test_it_never_covers_what_it_may_not(disc, rotation, seed) -> None:
    where = torch.zeros(24, 20, dtype=torch.bool)
    where[2:16, 5:19] = True
    where[15, 18] = False
    placement = Placement(share=(0.2, 0.4), rotation=rotation, round=disc, where=where, brightness=0)
    poses = Places(placement, (24, 20), CPU).draw(Draws(torch.arange(8) + seed))
    hit = covered(torch.zeros(8, 1, 24, 20), torch.ones(1, 9, 9), poses, disc=disc)
    assert hit.flatten(1).any(dim=1).all()
    assert not (hit & ~where).any()
    assert (poses.sides >= 4).all()
    assert (poses.sides <= 8).all()
    assert poses.angles.abs().max() <= math.radians(rotation)


def test_poses_are_spread_over_all_that_is_allowed() -> None:
    placement = Placement(share=(0.25, 0.25), rotation=90, brightness=0.2, contrast=1.0)
    poses = Places(placement, (12, 12), CPU).draw(Draws(torch.arange(5000)))
    # A disc of 3 pixels has its middle from row 1 to row 10, each as often.
    for places in (poses.down, poses.right):
        often = places.long().bincount(minlength=12)
        assert often[0] == often[11] == 0
        assert (often[1:11] - 500).abs().max() < 100
    assert poses.angles.mean().abs() < 0.05
    assert poses.angles.abs().max() > 1.5
    assert 0.195 < poses.brightness.max() <= 0.2
    assert poses.contrast.log2().abs().max() <= 1
    assert poses.contrast.log2().mean().abs() < 0.05


def test_an_upright_square_is_copied_pixel_by_pixel() -> None:
    picture = torch.rand(2, 3, 3, dtype=torch.float64)
    images = torch.rand(1, 2, 7, 9, dtype=torch.float64)
    found = paste(images, picture, pose(3, 2, 5), disc=False)
    assert found[0, :, 1:4, 4:7].allclose(picture)
    found[0, :, 1:4, 4:7] = images[0, :, 1:4, 4:7]
    assert found.allclose(images)


def test_it_turns_counter_clockwise() -> None:
    picture = torch.zeros(1, 3, 3, dtype=torch.float64)
    picture[0, 1, 2] = 1  # bright on the right
    images = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    found = paste(images, picture, pose(3, 2, 2, angle=90), disc=False)
    expected = torch.zeros(5, 5, dtype=torch.float64)
    expected[1, 2] = 1
    assert found[0, 0].allclose(expected, atol=1e-9)


def test_light_is_contrast_about_grey_and_then_brightness() -> None:
    picture = torch.tensor([[[0.2]]], dtype=torch.float64)
    images = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    found = paste(images, picture, pose(1, 1, 1, light=(2.0, 0.15)), disc=False)
    assert found[0, 0, 1, 1].item() == pytest.approx(0.05)
    dark = paste(images, picture, pose(1, 1, 1, light=(1.0, -0.9)), disc=False)
    assert dark[0, 0, 1, 1].item() == 0


def test_a_disc_has_the_area_of_a_disc() -> None:
    images, picture = torch.zeros(1, 1, 40, 40), torch.ones(1, 30, 30)
    assert paste(images, picture, pose(30, 20, 20), disc=True).sum().item() == pytest.approx(
        math.pi * 15**2, rel=0.01
    )
    assert paste(images, picture, pose(31, 20, 20), disc=False).sum().item() == pytest.approx(31**2, rel=0.01)


def test_slopes_by_the_picture_are_those_of_differences() -> None:
    picture = (torch.rand(1, 4, 4, dtype=torch.float64) * 0.4 + 0.3).requires_grad_()
    images = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    poses = pose(5.3, 4, 3, angle=17, light=(1.1, 0.05))
    assert torch.autograd.gradcheck(lambda each: paste(images, each, poses, disc=True), picture)


def test_signals_have_places_along_their_axis() -> None:
    where = torch.zeros(30, dtype=torch.bool)
    where[10:22] = True
    placement = Placement(share=(0.2, 0.3), rotation=90, where=where)
    poses = Places(placement, (1, 30), CPU).draw(Draws(torch.arange(200)))
    hit = covered(torch.zeros(200, 1, 1, 30), torch.ones(1, 9, 9), poses, disc=True)
    assert not poses.angles.any()
    assert hit[:, 0].any(dim=0).equal(where)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Placement(share=(0.5, 0.4)), "a patch of 0.5 to 0.4"),
        (lambda: Placement(share=(0.0, 0.4)), "shares rise, are over 0"),
        (lambda: Placement(rotation=200), "a rotation by 200 degrees"),
        (lambda: Placement(brightness=-1), "none is below 0"),
        (lambda: Placement(where=torch.ones(3, 3)), "booleans, and not by torch.float32 of 3x3"),
        (
            lambda: Places(Placement(where=torch.ones(3, 3).bool()), (4, 4), CPU),
            "the mask of a patch is 3x3, and the images are 4x4",
        ),
        (
            lambda: Places(Placement(share=(0.5, 0.5), where=torch.eye(8).bool()), (8, 8), CPU),
            "a patch of up to 4.0 pixels, 4.0 where it is turned, does not fit where it may lie: the widest "
            "place there has 1",
        ),
        (lambda: Places(Placement(where=torch.zeros(8, 8).bool()), (8, 8), CPU), "does not fit"),
    ],
)
def test_what_cannot_be_is_refused(make, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        make()
