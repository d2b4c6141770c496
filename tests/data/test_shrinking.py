"""Shrinking by matrices against Pillow's own, which averages in the same way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from striate.data.shrinking import shrinking, shrunk


@given(st.integers(1, 300), st.integers(1, 64))
def test_each_pixel_is_a_mean(length, side):
    matrix = shrinking(length, side)
    assert matrix.shape == (side, length)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("size", [(200, 130), (97, 211), (40, 30)])
def test_it_is_pillows_bilinear(photo_like, size):
    picture = photo_like(3, size)
    image = np.asarray(picture).transpose(2, 0, 1)[None]
    found = shrunk(image, 48)[0]
    wanted = np.asarray(picture.resize(found.shape[:0:-1], Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert max(found.shape[1:]) == min(48, max(size))
    assert np.abs(found.astype(int) - wanted).max() <= 1


def test_small_images_stay_as_they_are():
    images = np.random.default_rng(0).integers(0, 256, (70, 1, 12, 9), dtype=np.uint8)
    np.testing.assert_array_equal(shrunk(images, 48), images)
