"""Sheets of images with several labels: right, wrong and missed ones, none, and many."""

import warnings

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import label_sheet
from striate.plots.label_sheet import _lines

NAMES = ["ant", "bee", "cat", "dog", "a label with a very long name", "猫", "$x$", "h"]


def drawn(count: int, channels: int = 3, classes: int = 8):
    generator = np.random.default_rng(count)
    images = generator.integers(0, 256, (count, channels, 20, 12), dtype=np.uint8)
    labels, said = (generator.integers(0, 2, (count, classes)) for _ in range(2))
    return images, labels, said


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)  # of what other tests left to be collected
        yield


@pytest.mark.parametrize(("count", "channels"), [(1, 1), (2, 3), (7, 2), (61, 3)])
def test_any_number_of_images_is_drawn(tmp_path, count, channels):
    images, labels, said = drawn(count, channels)
    label_sheet(images, labels, said, NAMES, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert 200 <= min(picture.size) <= max(picture.size) <= 5000
    label_sheet(images, labels, said, NAMES, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_what_was_said_shows(tmp_path):
    images, labels, said = drawn(3)
    label_sheet(images, labels, said, NAMES, tmp_path / "a.png")
    label_sheet(images, labels, 1 - said, NAMES, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_lines_tell_right_wrong_and_missed_apart():
    true, said = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], bool)
    texts = [text for text, _ in _lines(true, said, NAMES)]
    assert texts == ["✓ ant", "✗ cat", "? bee"]
    assert [text for text, _ in _lines(true & False, said & False, NAMES)] == ["✓ no label"]
    many = np.ones(8, bool)
    texts = [text for text, _ in _lines(many, many, NAMES)]
    assert (len(texts), texts[-1]) == (5, "and 4 more")


@pytest.mark.parametrize("change", [0, 1, 2])
def test_what_does_not_fit_is_refused(tmp_path, change):
    given = list(drawn(3))
    given[change] = given[change][:2]
    with pytest.raises(ShapeError, match="are wanted"):
        label_sheet(*given, NAMES, tmp_path / "a.png")
    with pytest.raises(ShapeError, match="are wanted"):
        label_sheet(*drawn(0), NAMES, tmp_path / "a.png")
