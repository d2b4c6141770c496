"""What the axes of an array are: by its sizes, by its values where these allow two things, or as stated."""

import numpy as np
import pytest

from striate.core.errors import DataError
from striate.data.axes import axes_of, read_axes


def _axes(shape, *, pixels=False, bytes_=False, stated=None):
    return read_axes(shape, name="x", pixels=lambda: pixels, bytes_=bytes_, stated=stated)


@pytest.mark.parametrize(
    ("shape", "dims", "channels"),
    [
        ((50, 100), 1, None),
        ((50, 1, 24), 1, 1),
        ((50, 24, 1), 1, 2),
        ((50, 12, 1000), 1, 1),
        ((50, 1000, 12), 1, 2),
        ((50, 12, 29), 1, 1),
        ((50, 3, 32, 32), 2, None),
        ((50, 32, 32, 1), 2, None),
        ((50, 28, 28, 28), 3, None),
        ((50, 5, 64, 64), 2, None),
        ((50, 1, 8, 28, 28), 3, 1),
        ((50, 8, 28, 28, 1), 3, 4),
        ((50, 16, 64, 64, 3), 3, 4),
        ((50, 3, 64, 64, 3), 3, 1),
        ((50, 6, 32, 32, 40), 3, 1),
        ((50, 40, 32, 32, 6), 3, 4),
    ],
)
def test_sizes_say_what_numbers_are(shape, dims, channels) -> None:
    found = _axes(shape)
    assert (found.dims, found.channels) == (dims, channels)


@pytest.mark.parametrize(
    ("shape", "bytes_", "dims"),
    [
        ((50, 28, 28), True, 2),
        ((50, 12, 1000), True, 2),
        ((50, 1, 500), True, 1),
        ((50, 28, 28), False, 2),
        ((50, 40, 200), False, 2),
        ((50, 12, 1000), False, 1),
    ],
)
def test_what_could_be_pixels_is_an_image_unless_it_is_very_long(shape, bytes_, dims) -> None:
    assert _axes(shape, pixels=True, bytes_=bytes_).dims == dims


def test_squares_of_numbers_that_are_no_pixels_are_left_to_images_which_say_why_not() -> None:
    assert _axes((50, 24, 40)).dims == 2
    assert _axes((50, 24, 48)).dims == 1


def test_channels_at_the_end_and_what_is_no_certainty_are_said() -> None:
    assert "12 channels last" in _axes((50, 1000, 12)).note
    assert "3 channels last" in _axes((5, 16, 64, 64, 3), bytes_=True).note
    assert "28x28x28" in _axes((5, 28, 28, 28)).note
    assert not _axes((5, 3, 16, 64, 64)).note
    assert not _axes((5, 1, 24)).note


@pytest.mark.parametrize(
    ("stated", "shape", "dims", "channels"),
    [
        ("NCL", (5, 30, 60), 1, 1),
        ("NLC", (5, 60, 70), 1, 2),
        ("ntc", (5, 60, 70), 1, 2),
        ("NTHWC", (5, 4, 8, 8, 3), 3, 4),
        ("NDHW", (5, 3, 8, 8), 3, None),
        ("NHWC", (5, 9, 8, 3), 2, 3),
    ],
)
def test_what_is_stated_decides(stated, shape, dims, channels) -> None:
    found = _axes(shape, pixels=True, bytes_=True, stated=stated)
    assert (found.dims, found.channels) == (dims, channels)


@pytest.mark.parametrize(
    ("stated", "words"),
    [("NCQ", "axes is 'NCQ', where one of NL, NCL"), ("NCL", "names 3 axes, and x has the 2 of shape")],
)
def test_what_cannot_be_stated_is_refused(stated, words) -> None:
    with pytest.raises(DataError, match=words):
        _axes((5, 30), stated=stated)


def test_values_decide_only_between_pixels_and_numbers() -> None:
    square = np.zeros((4, 10, 30), np.float32)
    assert axes_of(square, name="x").dims == 2
    square[0] = -2
    assert axes_of(square, name="x").dims == 1
    assert axes_of(np.zeros((4, 10, 30), np.int16) + 300, name="x").dims == 1


def test_channels_come_first_without_a_copy() -> None:
    array = np.arange(24.0).reshape(2, 4, 3)
    found = axes_of(array, name="x", stated="NLC").channels_first(array)
    assert found.shape == (2, 3, 4)
    assert np.shares_memory(found, array)
