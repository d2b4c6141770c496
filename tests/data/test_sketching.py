"""Sketches: grey values as Pillow has them, hues, how flat a picture is; padding is left out."""

import numpy as np
import pytest
from PIL import Image

from striate.data.sketching import Sketches, picture_boxes, sketch


def channels_first(*pictures):
    return np.stack([np.atleast_3d(np.asarray(picture)).transpose(2, 0, 1) for picture in pictures])


def test_greys_are_those_of_pillow(photo_like):
    pictures = [photo_like(seed) for seed in range(70)]
    found = sketch(channels_first(*pictures))
    for row in (0, 63, 64, 69):
        grey = pictures[row].convert("L").resize((32, 32), Image.Resampling.BILINEAR)
        assert np.abs(found.greys[row].astype(int) - np.asarray(grey)).max() <= 2
    deviation = np.asarray(pictures[5].convert("L")).std()
    assert found.deviations[5] == pytest.approx(deviation, abs=0.3)
    assert not found.blank.any()
    assert found.coloured.all()
    red, green, blue = np.asarray(pictures[7]).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(found.hues[7], [red - green, blue - green], atol=1e-2)


def test_padding_is_left_out(photo_like):
    picture = photo_like(1, (100, 60))
    padded = np.full((2, 3, 100, 100), 251, np.uint8)
    padded[0, :, 20:80] = np.asarray(picture).transpose(2, 0, 1)
    padded[1, :, :, 5:95] = np.asarray(photo_like(2, (90, 100))).transpose(2, 0, 1)
    fill = (251, 251, 251)
    assert picture_boxes(padded, fill).tolist() == [[20, 0, 80, 100], [0, 5, 100, 95]]
    assert picture_boxes(padded, None).tolist() == [[0, 0, 100, 100]] * 2
    found = sketch(padded, fill=fill)
    np.testing.assert_array_equal(found.greys[:1], sketch(channels_first(picture)).greys)
    assert found.flatness[0] < 0.1 < sketch(padded).flatness[0]
    blank = np.full((1, 3, 100, 100), 251, np.uint8)
    blank[0, :, 20:80] = 7
    assert sketch(blank, fill=fill).blank.all()
    assert not sketch(blank).blank.any()
    assert picture_boxes(np.full((1, 3, 9, 8), 251, np.uint8), fill).tolist() == [[0, 0, 9, 8]]


def test_plain_pictures_are_known():
    black, blue = Image.new("RGB", (50, 40)), Image.new("RGB", (50, 40), (0, 0, 255))
    half = Image.new("RGB", (50, 40), (200, 200, 200))
    half.paste((20, 20, 20), (0, 0, 50, 10))
    found = sketch(channels_first(black, blue, half))
    assert found.blank.tolist() == [True, True, False]
    assert found.coloured.tolist() == [False, True, False]
    assert found.flatness.tolist() == [1, 1, 1]
    assert found.colours.tolist() == [1, 1, 2]
    assert found.hues[1].tolist() == [0, 255]


def test_grey_images_have_no_hue():
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 20, 20), dtype=np.uint8)
    found = sketch(images)
    assert not found.coloured.any()
    assert not found.hues.any()
    assert found.side == 20


def test_the_same_pixels_have_the_same_digest_and_sketches_are_joined():
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 20, 24), dtype=np.uint8)
    images[2] = images[0]
    found = sketch(images)
    assert found.digests[0].tolist() == found.digests[2].tolist() != found.digests[1].tolist()
    joined = Sketches.joined([sketch(images[:1]), sketch(images[1:])])
    np.testing.assert_array_equal(joined.digests, found.digests)
    np.testing.assert_array_equal(joined.greys, found.greys)
    assert len(sketch(images[:0])) == 0
