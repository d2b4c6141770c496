"""Sheets of units with their pictures and outlines."""

import warnings

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import UnitRow, UnitTile, unit_sheet

ORANGE, BLUE = (213, 94, 0), (0, 114, 178)


def picture(channels: int = 1, height: int = 8, width: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (channels, height, width), dtype=np.uint8)


def row(tiles, name="unit 1", lines=("a line",)) -> UnitRow:
    return UnitRow(name=name, lines=lines, tiles=tiles)


def pixels(path) -> np.ndarray:
    with Image.open(path) as drawn:
        assert drawn.format == "PNG"
        assert max(drawn.size) < 5000
        return np.asarray(drawn.convert("RGB")).astype(int)


def near(drawn, colour) -> np.ndarray:
    return (np.abs(drawn - colour) < 40).all(axis=-1)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize(("count", "channels", "tiles"), [(1, 1, 1), (2, 3, 5), (7, 1, 2), (20, 3, 1)])
def test_any_number_of_units_and_pictures_is_drawn(tmp_path, count, channels, tiles):
    tile = UnitTile(picture=picture(channels), caption="reached 3")
    unit_sheet([row([tile] * tiles)] * count, tmp_path / "a.png", title="a network", note="a note")
    assert min(pixels(tmp_path / "a.png").shape[:2]) > 150


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 300), (300, 1), (400, 300)])
def test_any_shape_and_text_is_drawn(tmp_path, height, width):
    tile = UnitTile(picture=picture(3, height, width), caption="$\\frac{" * 9, region=np.ones((2, 3), bool))
    named = row([tile], name="猫\n\x00$" * 30, lines=["\ud800" * 99])
    unit_sheet([named], tmp_path / "a.png", title="$ 猫\n" * 99, note="$" * 999)
    assert pixels(tmp_path / "a.png").size > 0


def test_units_may_have_different_numbers_of_pictures_and_no_lines(tmp_path):
    rows = [row([UnitTile(picture=picture())] * number, lines=()) for number in (1, 3, 2)]
    unit_sheet(rows, tmp_path / "a.png", title="x")
    assert pixels(tmp_path / "a.png").size > 0


def test_regions_are_outlined_in_orange_and_masks_in_blue_where_they_are(tmp_path):
    green = np.zeros((3, 16, 16), np.uint8)
    green[1] = 200
    top, left = np.zeros((4, 4), bool), np.zeros((32, 32), bool)
    top[:1], left[:, :8] = True, True
    unit_sheet([row([UnitTile(picture=green)])], tmp_path / "none.png", title="x")
    unit_sheet([row([UnitTile(picture=green, region=top, mask=left)])], tmp_path / "both.png", title="x")
    without, drawn = pixels(tmp_path / "none.png"), pixels(tmp_path / "both.png")
    assert not near(without, ORANGE).any()
    assert not near(without, BLUE).any()
    square = np.argwhere(near(without, (0, 200, 0)))
    (high, start), (low, end) = square.min(axis=0), square.max(axis=0)
    down, _ = np.argwhere(near(drawn, ORANGE)).T
    _, across = np.argwhere(near(drawn, BLUE)).T
    assert (down.max() - high) / (low - high) == pytest.approx(0.25, abs=0.04)
    assert (across.max() - start) / (end - start) == pytest.approx(0.25, abs=0.04)


def test_regions_that_are_everywhere_or_nowhere_are_drawn(tmp_path):
    for where in (np.ones((8, 12), bool), np.zeros((8, 12), bool)):
        unit_sheet([row([UnitTile(picture=picture(), region=where)])], tmp_path / "a.png", title="x")
        assert near(pixels(tmp_path / "a.png"), ORANGE).any() == where.any()


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([], "there is no picture to draw"),
        ([row([])], "there is no picture to draw"),
        ([row([UnitTile(picture=picture(2))])], r"uint8 \(2, 8, 12\), where uint8"),
        ([row([UnitTile(picture=picture() / 255)])], "float64"),
        ([row([UnitTile(picture=picture()), UnitTile(picture=picture(1, 9, 9))])], "one size does"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path, rows, match):
    with pytest.raises(ShapeError, match=match):
        unit_sheet(rows, tmp_path / "a.png", title="x")
    assert not list(tmp_path.iterdir())


def test_the_same_units_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        unit_sheet([row([UnitTile(picture=picture())])], tmp_path / name, title="x")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
