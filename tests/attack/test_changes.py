"""What images are changed into: each change does what it is called, and 0 is where it begins."""

from __future__ import annotations

import math

import pytest
import torch

from striate.attack.changes import Change, changes_for
from striate.core.errors import AttackError
from striate.nn import CORRUPTIONS, jpeg, turn

CHANGES = {change.name: change for change in changes_for((32, 32))}


def images(count: int = 2, channels: int = 1, side: int = 32) -> torch.Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(0))


def made(name: str, strength: float, given: torch.Tensor) -> list[torch.Tensor]:
    return CHANGES[name].variants(given, strength, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_stays_in_the_range_and_begins_with_one_variant(name) -> None:
    given = images(2, 3)
    assert len(made(name, 0, given)) == 1
    for strength in (CHANGES[name].strengths[1], CHANGES[name].strengths[-1]):
        for variant in made(name, strength, given):
            assert variant.shape == given.shape
            assert 0 <= variant.min() <= variant.max() <= 1
            assert not variant.equal(made(name, 0, given)[0])


def test_there_are_all_of_the_issue_and_the_corruptions() -> None:
    assert len(CHANGES) == 13 + 15
    assert len(changes_for((32, 32), corruptions=False)) == 13
    assert all(f"corruption: {name}" in CHANGES for name in CORRUPTIONS)


@pytest.mark.parametrize(
    ("size", "wanted"), [((28, 28), (0, 1, 2, 3, 4)), ((224, 300), (0, 1, 7, 14, 21, 28))]
)
def test_shifts_reach_an_eighth_of_the_side(size, wanted) -> None:
    assert changes_for(size)[0].strengths == wanted


def test_a_circular_shift_rolls_in_four_directions() -> None:
    given = images()
    down, up, right, left = made("circular-shift", 3, given)
    assert down.equal(given.roll(3, 2))
    assert up.roll(3, 2).equal(given)
    assert right.equal(given.roll(3, 3))
    assert left.roll(3, 3).equal(given)


def test_a_shift_moves_what_stays_inside() -> None:
    given = images()
    down, _, right, _ = made("shift", 2, given)
    assert down[:, :, 2:].equal(given[:, :, :-2])
    assert right[:, :, :, 2:].equal(given[:, :, :, :-2])


def test_a_crop_shift_invents_nothing() -> None:
    given = images()
    (begin,) = made("crop-shift", 0, given)
    down, up, _, left = made("crop-shift", 4, given)
    assert down[:, :, :-4].allclose(begin[:, :, 4:], atol=1e-5)
    assert up[:, :, 4:].allclose(begin[:, :, :-4], atol=1e-5)
    assert left[:, :, :, 4:].allclose(begin[:, :, :, :-4], atol=1e-5)
    # At the largest shift the window ends with the image's own last row.
    ramp = torch.linspace(0, 1, 32).view(1, 1, 32, 1).expand(1, 1, 32, 32).contiguous()
    assert made("crop-shift", 4, ramp)[0][0, 0, -1].max() == pytest.approx(1, abs=0.02)
    assert made("crop-shift", 4, ramp)[1][0, 0, 0].min() == pytest.approx(0, abs=0.02)


def test_light_is_changed_by_hand() -> None:
    given = 0.25 + 0.5 * images()
    brighter, darker = made("brightness", 0.1, given)
    assert brighter.allclose(given + 0.1)
    assert darker.allclose(given - 0.1)
    squared, rooted = made("gamma", 1, given)
    assert squared.allclose(given**2)
    assert rooted.allclose(given.sqrt())
    less, more = made("contrast", 0.2, given)
    assert less.mean((1, 2, 3)).allclose(given.mean((1, 2, 3)))
    assert less.std((1, 2, 3)).allclose(0.8 * given.std((1, 2, 3)))
    assert more.std((1, 2, 3)).mean() > given.std((1, 2, 3)).mean()
    assert made("jpeg", 50, given)[0].equal(jpeg(given, 50))
    assert made("rotation", 20, given)[1].equal(turn(given, -20).clamp(0, 1))


def test_noise_is_drawn_from_the_generator() -> None:
    grey = torch.full((4, 1, 32, 32), 0.5)
    (noisy,) = made("noise", 0.1, grey)
    assert (noisy - grey).std().item() == pytest.approx(0.1, rel=0.05)
    assert noisy.equal(made("noise", 0.1, grey)[0])


@pytest.mark.parametrize("strengths", [(0,), (1, 2), (0, 2, 1), (0, math.nan)])
def test_strengths_rise_from_0(strengths) -> None:
    with pytest.raises(AttackError, match="rise from 0"):
        Change("mine", "pixels", strengths, lambda images, _, __: [images])


@pytest.mark.parametrize("size", [(8, 8), (32,), (32, 32, 32)])
def test_other_images_than_pictures_are_refused(size) -> None:
    with pytest.raises(AttackError, match="16x16"):
        changes_for(size)
