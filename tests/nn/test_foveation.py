"""Eyes see sharply where they look, coarsely elsewhere, and no picture darker or moved."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import ShapeError
from striate.nn import foveate, glimpse

CENTRE = torch.tensor([[0.5, 0.5]])


def test_resolution_falls_off_with_the_distance() -> None:
    noise = torch.rand(8, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    seen = foveate(noise, CENTRE.expand(8, 2), falloff=8.0)
    down, right = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
    distance = torch.hypot(down, right)
    # What varies is averaged away: the more, the farther.
    spread = [float(seen[:, 0, (distance >= near) & (distance < near + 6)].var()) for near in range(0, 30, 6)]
    assert spread == sorted(spread, reverse=True)
    assert spread[0] > 5 * spread[-1]


def test_levels_are_means_of_blocks_enlarged() -> None:
    """Where log2(1 + s d) is a whole number, one level alone is seen."""
    picture = torch.rand(1, 2, 32, 32)
    falloff, level = 16.0, 2
    distance = (2**level - 1) / falloff * 32
    seen = foveate(picture, torch.tensor([[(20.5 - distance) / 32, 10.5 / 32]]), falloff=falloff)
    means = F.avg_pool2d(picture, 2**level)
    wanted = F.interpolate(means, scale_factor=2**level, mode="bilinear", align_corners=False)
    torch.testing.assert_close(seen[0, :, 10, 20], wanted[0, :, 10, 20], atol=1e-5, rtol=0)


def test_the_fixation_itself_is_sharp() -> None:
    picture = torch.rand(1, 3, 33, 47)
    seen = foveate(picture, torch.tensor([[12.5 / 47, 20.5 / 33]]), falloff=30.0)
    torch.testing.assert_close(seen[0, :, 20, 12], picture[0, :, 20, 12])
    assert not torch.allclose(seen[0, :, 20, 40], picture[0, :, 20, 40], atol=1e-3)


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    falloff=st.floats(0, 64),
    place=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_flat_pictures_stay_flat(height, width, falloff, place) -> None:
    flat = torch.full((1, 1, height, width), 0.7)
    torch.testing.assert_close(foveate(flat, torch.tensor([place]), falloff=falloff), flat)


def test_mirrored_pictures_are_seen_mirrored() -> None:
    picture = torch.rand(1, 1, 32, 64)
    one = foveate(picture, torch.tensor([[0.3, 0.6]]), falloff=6.0)
    other = foveate(picture.flip(3), torch.tensor([[0.7, 0.6]]), falloff=6.0)
    torch.testing.assert_close(one.flip(3), other)


def test_ramps_keep_their_place_whatever_the_sides() -> None:
    """Blurred symmetrically, a ramp is the same ramp, but near its ends; a shift of it would show."""
    ramp = torch.arange(50.0).view(1, 1, 1, 50).expand(1, 1, 37, 50) / 50
    seen = foveate(ramp, CENTRE, falloff=6.0)
    torch.testing.assert_close(seen[..., 12:38], ramp[..., 12:38], atol=1e-5, rtol=0)


def _shares_by_hand(size: int, side: int, centre: float, falloff: float) -> np.ndarray:
    """Sample each pixel of a view at a thousand places, and mirror what lies outside."""
    reach = math.log1p(falloff / 2)
    ends = np.linspace(-1, 1, side + 1)
    ends = (centre + np.sign(ends) * np.expm1(reach * np.abs(ends)) / falloff) * size
    shares = np.zeros((side, size))
    for pixel, (low, high) in enumerate(itertools.pairwise(ends)):
        if high - low < 1:
            low, high = (low + high) / 2 - 0.5, (low + high) / 2 + 0.5
        places = np.floor(low + (high - low) * (np.arange(1000) + 0.5) / 1000).astype(int)
        places = np.where(places < 0, -1 - places, places)
        places = np.where(places >= size, 2 * size - 1 - places, places)
        np.add.at(shares[pixel], places, 1e-3)
    return shares


@given(
    size=st.integers(4, 40),
    side=st.integers(1, 12),
    place=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    falloff=st.floats(0.5, 30),
)
def test_a_glimpse_averages_over_what_each_pixel_looks_at(size, side, place, falloff) -> None:
    picture = torch.rand(1, 2, size, size + 3, dtype=torch.float64)
    seen = glimpse(picture, torch.tensor([place]), side=side, falloff=falloff)[0].numpy()
    down = _shares_by_hand(size, side, place[1], falloff)
    right = _shares_by_hand(size + 3, side, place[0], falloff)
    np.testing.assert_allclose(seen, down @ picture[0].numpy() @ right.T, atol=0.02)


def test_a_glimpse_reaches_half_a_side_and_is_densest_at_the_fixation() -> None:
    ramp = torch.arange(64.0).view(1, 1, 1, 64).expand(1, 1, 64, 64) + 0.5
    seen = glimpse(ramp, CENTRE, side=16, falloff=10.0)[0, 0, 8]
    steps = seen.diff()
    assert seen[7:9].mean() == pytest.approx(32, abs=1e-3)
    assert (steps > 0).all()
    assert steps[7] < steps.min() + 0.05
    assert steps[0] > 3 * steps[7]
    assert seen[0] < 6
    assert seen[-1] > 58


@pytest.mark.parametrize(("side", "falloff"), [(0, 1.0), (8, 0.0), (8, -1.0)])
def test_views_that_cannot_be_had_are_refused(side, falloff) -> None:
    with pytest.raises(ShapeError, match="cannot be had; both must be over 0"):
        glimpse(torch.rand(1, 1, 8, 8), CENTRE, side=side, falloff=falloff)
