"""Blurs are SciPy's, and sharpening is Pillow's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter

from striate.nn import sharpen, soften, softening


@given(
    deviation=st.floats(0.01, 9),
    height=st.integers(1, 14),
    width=st.integers(1, 14),
    seed=st.integers(0, 99),
)
def test_a_blur_is_scipys(deviation, height, width, seed) -> None:
    images = torch.rand(2, 2, height, width, generator=torch.Generator().manual_seed(seed))
    found = soften(images, torch.tensor([deviation, 0.0]))
    for channel in range(2):
        wanted = gaussian_filter(images[0, channel].double().numpy(), deviation, mode="reflect", truncate=3)
        np.testing.assert_allclose(found[0, channel], wanted, atol=1e-5)
    torch.testing.assert_close(found[1], images[1])


@pytest.mark.parametrize("deviation", [0.0, 0.3, 1.0, 3.9])
def test_sums_and_matrices_are_the_same(deviation, monkeypatch) -> None:
    images, deviations = torch.rand(3, 2, 20, 17), torch.tensor([deviation, 0.0, 2.0])
    summed = soften(images, deviations)
    monkeypatch.setattr(softening, "FEW", -1)
    torch.testing.assert_close(soften(images, deviations), summed)


def test_flat_pictures_stay_flat_whatever_the_width() -> None:
    flat = torch.full((4, 3, 10, 20), 0.3)
    torch.testing.assert_close(soften(flat, torch.tensor([0.0, 0.1, 3.0, 1000.0])), flat)


def test_a_very_wide_blur_leaves_the_mean() -> None:
    images = torch.rand(1, 1, 12, 9)
    wide = soften(images, torch.tensor([200.0]))
    torch.testing.assert_close(wide, images.mean().expand_as(images), atol=1e-4, rtol=0)


def test_no_pictures_are_no_pictures() -> None:
    assert soften(torch.zeros(0, 3, 8, 8), torch.zeros(0)).shape == (0, 3, 8, 8)
    assert sharpen(torch.zeros(0, 3, 8, 8), torch.zeros(0)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.9])
def test_sharpening_is_pillows_to_a_rounding(factor) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    wanted = np.asarray(ImageEnhance.Sharpness(Image.fromarray(pixels)).enhance(factor)).astype(float)
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    found = sharpen(images, torch.tensor([factor]))[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(found - wanted).max() <= 1 + abs(1 - factor)


@pytest.mark.parametrize("size", [(2, 9), (1, 1)])
def test_pictures_that_are_all_border_stay(size) -> None:
    images = torch.rand(1, 3, *size)
    assert sharpen(images, torch.tensor([0.0])).equal(images)
