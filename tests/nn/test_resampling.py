"""Sampling between pixels equals SciPy's, and turns, zooms, shifts and tilts go where geometry says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from striate.nn import project, sample, shift_between, tilt, turn, zoom
from striate.nn.resampling import CAMERA


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@given(height=st.integers(2, 9), width=st.integers(2, 9), seed=st.integers(0, 1000))
def test_bilinear_sampling_is_scipys(height, width, seed) -> None:
    image = drawn(1, 1, height, width, seed=seed)
    places = drawn(2, 5, 7, seed=seed + 1).double() * torch.tensor([height, width])[:, None, None] * 1.5 - 2
    wanted = ndimage.map_coordinates(image[0, 0].double().numpy(), places.numpy(), order=1, mode="reflect")
    found = sample(image.double(), places[:1], places[1:], cubic=False)
    assert np.allclose(found[0, 0].numpy(), wanted, atol=1e-9)


@pytest.mark.parametrize("cubic", [False, True])
def test_sampling_at_the_pixels_gives_them(cubic) -> None:
    images = drawn(2, 3, 5, 8).double()
    rows, columns = torch.meshgrid(torch.arange(5.0).double(), torch.arange(8.0).double(), indexing="ij")
    found = sample(images, rows.expand(2, 5, 8), columns.expand(2, 5, 8), cubic=cubic)
    assert torch.allclose(found, images, atol=1e-9)


@pytest.mark.parametrize("quarters", [-1, 0, 1, 2, 3])
def test_quarter_turns_are_rot90(quarters) -> None:
    images = drawn(2, 3, 6, 6).double()
    assert torch.allclose(turn(images, 90 * quarters), torch.rot90(images, quarters, (2, 3)), atol=1e-9)


def test_each_image_is_turned_by_its_own_angle() -> None:
    images = drawn(2, 1, 6, 6).double()
    found = turn(images, torch.tensor([30.0, -50.0]))
    for image, degrees, turned in zip(images, (30.0, -50.0), found, strict=True):
        assert torch.allclose(turned, turn(image[None], degrees)[0])


@given(down=st.integers(-3, 3), right=st.integers(-3, 3))
def test_shifts_by_whole_pixels_move_them_and_mirror_the_border(down, right) -> None:
    images = drawn(2, 1, 6, 7).double()
    mirrored = np.pad(images.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)), mode="symmetric")
    wanted = mirrored[:, :, 3 - down : 9 - down, 3 - right : 10 - right]
    assert np.allclose(shift_between(images, down, right).numpy(), wanted, atol=1e-9)


def test_zooming_out_and_in_again_gives_a_smooth_image_back() -> None:
    rows, columns = torch.meshgrid(torch.linspace(0, 3, 32), torch.linspace(0, 3, 32), indexing="ij")
    image = (rows.sin() * columns.cos())[None, None]
    again = zoom(zoom(image, 1.25), 0.8)
    assert torch.allclose(again[:, :, 8:24, 8:24], image[:, :, 8:24, 8:24], atol=2e-3)
    assert zoom(image, 1.0).allclose(image, atol=1e-5)


@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("degrees", [-35.0, 0.0, 20.0])
def test_a_tilted_board_is_seen_as_a_camera_sees_it(degrees, vertical) -> None:
    side, middle = 32, 15.5
    # The image says at each pixel how far to the right (or down) it is.
    across = torch.arange(float(side)).double().expand(side, side)
    image = across.T if vertical else across
    seen = tilt(image[None, None].contiguous(), degrees, vertical=vertical)[0, 0]
    seen = seen.T if vertical else seen
    angle, distance = math.radians(degrees), CAMERA * side
    for place in (-9.0, -2.0, 5.0, 11.0):
        shown = distance * place * math.cos(angle) / (distance + place * math.sin(angle))
        column = shown + middle
        left = math.floor(column)
        between = seen[16, left] * (left + 1 - column) + seen[16, left + 1] * (column - left)
        assert between == pytest.approx(place + middle, abs=0.06)


def test_half_precision_is_sampled_in_single() -> None:
    stripes = (torch.arange(600) % 2).view(1, 1, 1, 600).bfloat16()
    moved = shift_between(stripes, 0, 1)
    assert moved.dtype == torch.bfloat16
    assert moved[..., 1:].allclose(stripes[..., :-1], atol=0.01)


def test_one_map_serves_all_images() -> None:
    images = drawn(3, 2, 5, 5)
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
    assert torch.allclose(project(images, flip), images.flip(3), atol=1e-6)
