"""The picture of one unit: its rectangle on the image, and its sum, of any shape."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from striate.plots import unit_picture
from striate.plots.unit import _mark
from striate.reference import explain_sum


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def unit(dims=2, channels=2, kernel=3, with_sum=True, note=""):
    values = np.random.default_rng(0)
    found = explain_sum(
        values.normal(size=(1, channels, *[8] * dims)),
        values.normal(size=(3, channels, *[kernel] * dims)),
        [0.5, 1, 2],
        position=[0] * dims,
        channel=1,
        padding=1,
    )
    return SimpleNamespace(
        layer="conv",
        channel=1,
        position=(0,) * dims,
        value=found.total,
        window=(slice(0, 2),) * dims,
        sum=found if with_sum else None,
        note=note,
    )


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize(("channels", "kernel"), [(1, 3), (2, 3), (9, 9)])
def test_any_sum_is_drawn(tmp_path, dims, channels, kernel):
    image = np.random.default_rng(1).integers(0, 256, (3, *[8] * dims), dtype=np.uint8)
    unit_picture(unit(dims, channels, kernel), image, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert picture.width < 3000
        assert picture.height < 1800


def test_without_a_sum_the_reason_is_written(tmp_path):
    image = np.zeros((1, 8, 8))
    unit_picture(unit(with_sum=False), image, tmp_path / "bare.png")
    unit_picture(unit(with_sum=False, note="a rectifier is no sum " * 6), image, tmp_path / "said.png")
    with Image.open(tmp_path / "bare.png") as bare, Image.open(tmp_path / "said.png") as said:
        assert said.height > bare.height


def test_the_rectangle_is_left_top_width_height():
    assert _mark((slice(2, 5), slice(1, 8))) == (1, 2, 7, 3)
    assert _mark((slice(4, 9),)) == (4, 0, 5, 1)
    assert _mark((slice(0, 1),) * 3) is None
