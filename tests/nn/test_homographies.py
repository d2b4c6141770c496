"""Warps are what Pillow makes of the same transformation, and composed ones are one resampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from striate.nn import (
    cropping,
    mirroring,
    moving,
    resample,
    scaling,
    shearing,
    turning,
    viewing,
)
from striate.nn.homographies import unchanged


def _picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _one(value: float) -> torch.Tensor:
    return torch.tensor([value])


def _seen_at(matrix: torch.Tensor, place: tuple[float, float]) -> tuple[float, float]:
    """Where in the picture a place of the result looks, from the centre."""
    right, down, depth = (matrix @ torch.tensor([*place, 1.0], dtype=torch.float64)).tolist()
    return right / depth, down / depth


def _by_pillow(picture: torch.Tensor, matrix: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The same by Pillow, and where it has all four neighbours of the place that is seen."""
    height, width = picture.shape
    to_corner = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    whole = to_corner @ matrix.numpy() @ np.linalg.inv(to_corner)
    whole /= whole[2, 2]
    image = Image.fromarray(picture.numpy().astype(np.float32))
    coefficients = whole.flatten()[:8].tolist()
    made = image.transform(
        (width, height), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR
    )
    down, right = np.mgrid[:height, :width] + 0.5
    across, along, depth = np.einsum("ij,jhw->ihw", whole, np.stack([right, down, np.ones_like(down)]))
    across, along = across / depth, along / depth
    inside = (across > 0.51) & (across < width - 0.51) & (along > 0.51) & (along < height - 0.51)
    return np.asarray(made), inside


@given(
    height=st.integers(5, 14),
    width=st.integers(5, 14),
    angle=st.floats(-3, 3),
    factor=st.floats(0.5, 2),
    tangents=st.tuples(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9)),
    offsets=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    corners=st.lists(st.floats(-0.3, 0.3), min_size=8, max_size=8),
    seed=st.integers(0, 99),
)
def test_composed_changes_are_one_transformation_of_pillow(
    height, width, angle, factor, tangents, offsets, corners, seed
) -> None:
    picture, size = _picture(height, width, seed), (height, width)
    matrix = (
        turning(_one(angle))
        @ scaling(_one(factor))
        @ shearing(torch.tensor([tangents]))
        @ moving(torch.tensor([offsets]))
        @ viewing(torch.tensor(corners).view(1, 4, 2), size)
        @ mirroring(torch.tensor([seed % 2 == 0]))
    )
    found = resample(picture[None, None], matrix)[0, 0].numpy()
    wanted, inside = _by_pillow(picture, matrix[0])
    np.testing.assert_allclose(found[inside], wanted[inside], atol=1e-4)


def test_turns_are_counter_clockwise_as_pillows() -> None:
    picture = _picture(11, 11)
    turned = resample(picture[None, None], turning(_one(math.radians(30))))[0, 0].numpy()
    by_pillow = Image.fromarray(picture.numpy().astype(np.float32)).rotate(30, Image.Resampling.BILINEAR)
    np.testing.assert_allclose(turned[3:8, 3:8], np.asarray(by_pillow)[3:8, 3:8], atol=1e-5)


def test_a_quarter_turn_and_a_mirror_image_are_exact() -> None:
    picture = _picture(6, 6)[None, None]
    turned = resample(picture, turning(_one(math.pi / 2)))
    torch.testing.assert_close(turned, picture.rot90(1, (2, 3)))
    torch.testing.assert_close(resample(picture, mirroring(torch.tensor([True]))), picture.flip(3))
    torch.testing.assert_close(resample(picture, unchanged(1)), picture)


def test_each_matrix_does_what_it_says() -> None:
    assert _seen_at(scaling(_one(2.0))[0], (4, 6)) == (2, 3)
    assert _seen_at(scaling(torch.tensor([[2.0, 3.0]]))[0], (4, 6)) == (2, 2)
    assert _seen_at(shearing(torch.tensor([[0.5, 0.0]]))[0], (1, 2)) == (2, 2)
    assert _seen_at(shearing(torch.tensor([[0.0, 0.5]]))[0], (2, 1)) == (2, 2)
    assert _seen_at(moving(torch.tensor([[3.0, -1.0]]))[0], (0, 0)) == (-3, 1)
    window = cropping(torch.tensor([[0.25, 0.0, 0.5, 1.0]]), (10, 20))[0]
    assert _seen_at(window, (-10, -5)) == (0, -5)
    assert _seen_at(window, (10, 5)) == (10, 5)


@given(corners=st.lists(st.floats(-0.4, 0.4), min_size=8, max_size=8))
def test_corners_look_where_they_are_told_to(corners) -> None:
    told = torch.tensor(corners, dtype=torch.float64).view(1, 4, 2)
    matrix = viewing(told, (10, 20))[0]
    for (right, down), moved in zip(((-10, -5), (10, -5), (10, 5), (-10, 5)), told[0], strict=True):
        seen = _seen_at(matrix, (right, down))
        assert seen == pytest.approx((right + 20 * float(moved[0]), down + 10 * float(moved[1])), abs=1e-6)


def test_corners_that_stay_leave_the_picture_exactly_as_it_is() -> None:
    corners = torch.zeros(2, 4, 2)
    corners[1] = 0.1
    matrices = viewing(corners, (7, 9))
    assert matrices[0].equal(unchanged(1)[0])
    assert not matrices[1].equal(unchanged(1)[0])


def test_what_comes_in_from_outside_is_the_mirror_image() -> None:
    picture = torch.arange(4.0).view(1, 1, 1, 4).repeat(1, 1, 4, 1)
    moved = resample(picture, moving(torch.tensor([[2.0, 0.0]])))
    assert moved[0, 0, 0].tolist() == pytest.approx([1, 0, 0, 1], abs=1e-5)


def test_affine_matrices_give_the_grid_of_torch() -> None:
    pictures = torch.rand(3, 2, 8, 8)
    angles = torch.tensor([0.1, 0.7, -1.3])
    matrices = turning(angles)
    grid = F.affine_grid(matrices[:, :2].float(), [3, 2, 8, 8], align_corners=False)
    wanted = F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    torch.testing.assert_close(resample(pictures, matrices), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_types_are_kept_and_every_picture_has_its_own_change(dtype) -> None:
    pictures = torch.rand(4, 3, 9, 7).to(dtype)
    matrices = turning(torch.tensor([0.0, 0.5, 1.0, 1.5])) @ moving(torch.rand(4, 2))
    together = resample(pictures, matrices)
    assert together.dtype == dtype
    for number in range(4):
        alone = resample(pictures[number : number + 1], matrices[number : number + 1])
        torch.testing.assert_close(together[number : number + 1], alone)
