"""Sheets of generated images: samples, planes and labelled rows."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import generated_rows, plane_sheet, sample_sheet


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def some(count: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, channels, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
def test_samples_are_drawn_the_same_each_time(tmp_path, channels):
    captions = [f"{number} $x$ 猫" for number in range(7)]
    for name in ("a.png", "b.png"):
        sample_sheet(
            some(7, channels), tmp_path / name, captions=captions, title="7 samples", note="of seed 0"
        )
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as drawn:
        assert min(drawn.size) > 200


def test_columns_are_those_that_are_asked_for(tmp_path):
    sizes = []
    for columns in (2, 6):
        sample_sheet(some(6), tmp_path / "a.png", captions=[""] * 6, title="a", columns=columns)
        with Image.open(tmp_path / "a.png") as drawn:
            sizes.append(drawn.size)
    assert sizes[0][1] > sizes[1][1]
    assert sizes[0][0] < sizes[1][0]


def test_the_drawn_pixels_are_those_of_the_images(tmp_path):
    bright, dark = np.ones((1, 1, 4, 4)), np.zeros((1, 1, 4, 4))
    shares = []
    for images in (bright, dark):
        sample_sheet(images, tmp_path / "a.png", captions=[""], title="a")
        with Image.open(tmp_path / "a.png") as drawn:
            shares.append((np.asarray(drawn.convert("L")) < 10).mean())
    assert shares[1] - shares[0] > 0.03


def test_a_plane_names_its_corners(tmp_path):
    planes = some(12).reshape(3, 4, 1, 6, 6)
    plane_sheet(planes, tmp_path / "a.png", corners=["0", "1", "2", "1 + 2 - 0"], title="a plane")
    plane_sheet(planes, tmp_path / "b.png", corners=["0", "1", "2", "other"], title="a plane")
    pixels = []
    for name in ("a.png", "b.png"):
        with Image.open(tmp_path / name) as drawn:
            pixels.append(np.asarray(drawn.convert("L")))
    assert pixels[0].shape == pixels[1].shape
    changed = np.argwhere(pixels[0] != pixels[1])
    assert (changed > np.array(pixels[0].shape) / 2).all()  # below on the right


def test_rows_may_be_of_any_length(tmp_path):
    rows = [(["two", "of them"], some(2), ["a", "b"]), (["three"], some(3, 3), ["c", "d", ""])]
    generated_rows(rows, tmp_path / "a.png", title="rows")
    with Image.open(tmp_path / "a.png") as drawn:
        assert drawn.format == "PNG"


@pytest.mark.parametrize(
    "draw",
    [
        lambda to: sample_sheet(some(2), to, captions=["a"], title=""),
        lambda to: sample_sheet(some(401), to, captions=["a"] * 401, title=""),
        lambda to: sample_sheet(some(2)[0], to, captions=["a"], title=""),
        lambda to: sample_sheet(some(2, 2), to, captions=["a", "b"], title=""),
        lambda to: plane_sheet(some(4), to, corners=["a"] * 4, title=""),
        lambda to: plane_sheet(some(4)[None], to, corners=["a"] * 3, title=""),
        lambda to: generated_rows([(["a"], some(2), ["b"])], to, title=""),
        lambda to: generated_rows([], to, title=""),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, draw):
    with pytest.raises(ShapeError):
        draw(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
