"""Each change does what its strength says: on matrices, on factors, on pixels."""

from __future__ import annotations

import math

import pytest
import torch

from striate.data.boxes import box_of
from striate.data.value_changes import (
    Blur,
    Brightness,
    Contrast,
    Erase,
    Foveate,
    Gamma,
    Hue,
    Noise,
    Saturation,
)
from striate.data.warp_changes import Crop, Perspective, ResizedCrop, Scale, Shear, Shift, Turn
from striate.nn import foveate, soften

SIZE = (40, 60)


def _drawn(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def _corners(matrix: torch.Tensor) -> torch.Tensor:
    """Where the four corners of the result look, in pixels from the centre."""
    places = torch.tensor([[-30.0, -20, 1], [30, -20, 1], [30, 20, 1], [-30, 20, 1]], dtype=torch.float64)
    seen = places @ matrix.T
    return seen[:, :2] / seen[:, 2:]


def test_turns_shifts_scales_and_shears_go_as_far_as_they_say() -> None:
    turned = Turn(90.0).matrices(_drawn(1 / 3), SIZE)[0]
    assert math.degrees(math.acos(turned[0, 0])) == pytest.approx(30)
    shifted = Shift(0.2).matrices(_drawn(1, -0.5), SIZE)[0]
    assert shifted[:2, 2].tolist() == pytest.approx([-12, 4])
    for drawn, factor in ((1, 1.5), (-1, 1 / 1.5), (0, 1)):
        assert 1 / Scale(0.5).matrices(_drawn(drawn), SIZE)[0, 0, 0] == pytest.approx(factor)
    sheared = Shear(0.4).matrices(_drawn(0.5, -1), SIZE)[0]
    assert (sheared[0, 1].item(), sheared[1, 0].item()) == pytest.approx((0.2, -0.4))


def test_corners_of_another_viewpoint_move_by_the_strength_times_half_a_side() -> None:
    drawn = _drawn(1, 1, -1, 0, 0, -1, 0, 0)
    seen = _corners(Perspective(0.2).matrices(drawn, SIZE)[0])
    wanted = torch.tensor([[-24.0, -16], [24, -20], [30, 16], [-30, 20]], dtype=torch.float64)
    torch.testing.assert_close(seen, wanted)


@pytest.mark.parametrize(("kind", "columns"), [(Crop, 3), (ResizedCrop, 4)])
def test_windows_lie_in_the_picture_and_keep_enough_of_it(kind, columns) -> None:
    change = kind(0.6)
    drawn = 2 * torch.rand(500, columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1
    areas, shapes = [], []
    for matrix in change.matrices(drawn, SIZE):
        seen = _corners(matrix)
        assert seen.abs().max(dim=0).values[0] <= 30 + 1e-9
        assert seen.abs().max(dim=0).values[1] <= 20 + 1e-9
        width, height = seen[2, 0] - seen[0, 0], seen[2, 1] - seen[0, 1]
        areas.append(float(width * height) / 2400)
        shapes.append(float(width / height) / 1.5)
    assert 0.4 - 1e-9 < min(areas) < 0.45
    assert 0.95 < max(areas) <= 1
    if kind is Crop:
        assert shapes == pytest.approx([1.0] * 500)
    else:
        assert 0.74 < min(shapes) < 0.8
        assert 1.25 < max(shapes) < 1.34


@pytest.mark.parametrize(
    ("change", "drawn", "column", "wanted"),
    [
        (Brightness(0.4), 1, 0, 1.4),
        (Contrast(0.4), -0.5, 1, 0.8),
        (Saturation(1.0), -1, 2, 0.0),
        (Hue(0.1), -0.5, 3, -0.05),
    ],
)
def test_amounts_of_colours_are_as_far_from_neutral_as_they_say(change, drawn, column, wanted) -> None:
    amounts = change.colours(_drawn(drawn))[0].tolist()
    neutral = [1.0, 1.0, 1.0, 0.0]
    neutral[column] = wanted
    assert amounts == pytest.approx(neutral)


def test_gamma_lightens_as_much_as_it_darkens() -> None:
    images = torch.full((3, 1, 2, 2), 0.25)
    drawn = torch.tensor([[1.0], [-1.0], [0.0]], dtype=torch.float64)
    found = Gamma(1.0).touch(images, drawn)[:, 0, 0, 0]
    assert found.tolist() == pytest.approx([0.0625, 0.5, 0.25])


def test_blur_and_foveation_are_of_the_shorter_side() -> None:
    images = torch.rand(1, 3, *SIZE)
    blurred = Blur(0.1).touch(images.clone(), _drawn(-0.5))
    torch.testing.assert_close(blurred, soften(images, torch.tensor([2.0])))
    seen = Foveate(8.0).touch(images.clone(), _drawn(0.5, -0.5))
    torch.testing.assert_close(seen, foveate(images, torch.tensor([[0.75, 0.25]]), falloff=8.0))


def test_noise_is_as_strong_as_was_drawn() -> None:
    images = torch.full((1, 3, 64, 64), 0.5)
    noise = Noise(0.2).touch(images.clone(), _drawn(-0.25, 0.3)) - images
    assert noise.std().item() == pytest.approx(0.05, rel=0.05)


def test_erased_rectangles_have_the_area_and_the_colour_that_were_drawn() -> None:
    images = torch.full((1, 3, 40, 40), 0.5)
    found = Erase(0.5).touch(images.clone(), _drawn(-0.5, 1, 0, 0, -1, 1, 0.2, 0))
    erased = (found != images).any(dim=1)[0]
    rows, columns = erased.any(dim=1), erased.any(dim=0)
    # A quarter of the area, three times as high as wide, in the middle, to a pixel.
    assert int(rows.sum()) == pytest.approx(40 * 0.75**0.5, abs=1)
    assert int(columns.sum()) == pytest.approx(40 * (0.25 / 3) ** 0.5, abs=1)
    assert erased.sum() == rows.sum() * columns.sum()
    assert found[0, :, 20, 20].tolist() == pytest.approx([0, 1, 0.6])


def test_boxes_lie_in_the_picture_and_are_never_empty() -> None:
    assert box_of((0.5, 0.5), (1, 1), (8, 6)) == (0, 8, 0, 6)
    assert box_of((0.0, 1.0), (0.5, 0.5), (8, 8)) == (0, 2, 6, 8)
    for centre in (0.0, 0.3, 1.0):
        top, bottom, left, right = box_of((centre, centre), (0.0, 0.0), (5, 7))
        assert 0 <= top < bottom <= 5
        assert 0 <= left < right <= 7
