"""Pictures of maps: signs have colours, the scale says what they are worth, and anything is drawn."""

import warnings

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import MapTile, attribution_picture, attribution_sheet
from striate.plots.attribution import scale_of


def picture(channels: int = 3, height: int = 8, width: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (channels, height, width), dtype=np.uint8)


def heat(height: int = 8, width: int = 12) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(height, width)).astype(np.float32)


def pixels(path) -> np.ndarray:
    with Image.open(path) as drawn:
        assert drawn.format == "PNG"
        assert max(drawn.size) < 6000
        return np.asarray(drawn.convert("RGB")).astype(int)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize(("count", "channels"), [(1, 3), (2, 1), (12, 3)])
def test_any_number_of_grey_and_colour_pictures_is_drawn(tmp_path, count, channels):
    tiles = [MapTile(picture(channels), heat(), f"method {n}", ["a line"] * 4) for n in range(count)]
    for draw in (attribution_picture, attribution_sheet):
        draw(tiles, tmp_path / "a.png", title="a picture", note="a note " * 30)
        assert min(pixels(tmp_path / "a.png").shape[:2]) > 300
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 200), (200, 1), (224, 224), (300, 700)])
def test_any_shape_is_drawn(tmp_path, height, width):
    tile = MapTile(picture(3, height, width), heat(height, width), "x")
    attribution_picture([tile], tmp_path / "a.png", title="x")
    attribution_sheet([tile] * 3, tmp_path / "b.png", title="x")
    assert pixels(tmp_path / "a.png").size > 0


def test_what_speaks_against_is_blue_and_what_speaks_for_it_orange(tmp_path):
    grey = np.full((1, 8, 8), 128, np.uint8)
    shown = {}
    for name, value in (("against", -1.0), ("for", 1.0), ("nothing", 0.0)):
        values = np.zeros((8, 8))
        values[2:5, 2:5] = value
        attribution_sheet([MapTile(grey, values, "x")], tmp_path / f"{name}.png", title="x")
        drawn = pixels(tmp_path / f"{name}.png")
        shown[name] = (
            ((drawn[..., 2] - drawn[..., 0]) > 60).sum(),
            ((drawn[..., 0] - drawn[..., 2]) > 60).sum(),
        )
    # The scale shows both colours where there are signs, so that areas are compared.
    assert shown["against"][0] > 2 * shown["against"][1]
    assert shown["for"][0] == 0
    assert shown["for"][1] > 1000
    assert shown["nothing"][0] == 0


def test_the_scale_is_even_around_0_and_few_outliers_do_not_rule_it():
    values = np.ones((100, 100))
    values[0, 0] = 1e6
    assert scale_of(values) == (0.0, 1.0)
    values[5, 5] = -0.1
    assert scale_of(values) == (-1.0, 1.0)
    assert scale_of(np.zeros((3, 3))) == (0.0, 0.0)
    alone = np.zeros((100, 100))
    alone[3, 3] = 7.0
    assert scale_of(alone) == (0.0, 7.0)


def test_any_text_is_drawn_and_the_same_gives_the_same_bytes(tmp_path):
    tile = MapTile(picture(), heat(), "$\\frac{ 猫\n\x00", ["\ud800", "größe " * 50])
    for name in ("a.png", "b.png"):
        attribution_picture([tile], str(tmp_path / name), title="$ 猫\n" * 99, note="$" * 999)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("tiles", "sentence"),
    [
        ([], "at least one"),
        ([MapTile(picture()[0], heat(), "x")], r"uint8 \(8, 12\), where uint8 \(1 or 3, H, W\)"),
        ([MapTile(picture(2), heat(), "x")], r"\(2, 8, 12\)"),
        ([MapTile(picture().astype(np.float32), heat(), "x")], "float32"),
        (
            [MapTile(picture(), heat(4, 4), "x")],
            r"map of x is \(4, 4\), and does not fit a picture of \(8, 12\)",
        ),
        ([MapTile(picture(), np.full((8, 12), np.nan), "x")], "holds inf or NaN"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, tiles, sentence):
    for draw in (attribution_picture, attribution_sheet):
        with pytest.raises(ShapeError, match=sentence):
            draw(tiles, tmp_path / "a.png", title="x")
    assert list(tmp_path.iterdir()) == []
