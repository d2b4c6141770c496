"""Sheets of one picture through many filters."""

import warnings

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import FilterTile, filter_sheet

KERNEL = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))


def picture(channels: int = 3, height: int = 8, width: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (channels, height, width), dtype=np.uint8)


def pixels(path) -> np.ndarray:
    with Image.open(path) as drawn:
        assert drawn.format == "PNG"
        assert max(drawn.size) < 4000
        return np.asarray(drawn.convert("RGB")).astype(int)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("count", [1, 2, 5, 21])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_number_of_grey_and_colour_pictures_is_drawn(tmp_path, count, channels):
    tiles = [
        FilterTile(f"filter {n}", picture(channels), ["what it shows"] * 3, KERNEL) for n in range(count)
    ]
    filter_sheet(tiles, tmp_path / "a.png", title="a picture", note="a note")
    assert min(pixels(tmp_path / "a.png").shape[:2]) > 200
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 500), (500, 1), (270, 150), (900, 1200)])
def test_any_shape_is_drawn(tmp_path, height, width):
    filter_sheet([FilterTile("x", picture(3, height, width))] * 3, tmp_path / "a.png", title="x")
    assert pixels(tmp_path / "a.png").size > 0


def test_colours_of_the_picture_are_kept(tmp_path):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    corners = np.array(colours, np.uint8).T.reshape(3, 2, 2)
    filter_sheet([FilterTile("x", corners)], tmp_path / "a.png", title="x")
    drawn = pixels(tmp_path / "a.png")
    centres = [np.argwhere((drawn == colour).all(axis=-1)).mean(axis=0) for colour in colours]
    (top, left), (_, right), (bottom, _), _ = centres
    assert top < bottom
    assert left < right


def test_negative_weights_are_blue_and_positive_ones_orange(tmp_path):
    for name, weight in (("under", -1.0), ("over", 1.0)):
        kernel = np.zeros((5, 5))
        kernel[2, 2] = weight
        tile = FilterTile("x", np.full((1, 8, 8), 128, np.uint8), kernel=kernel)
        filter_sheet([tile], tmp_path / f"{name}.png", title="x")
    under, over = (pixels(tmp_path / f"{name}.png") for name in ("under", "over"))
    assert ((under[..., 2] - under[..., 0]) > 60).any()
    assert not ((under[..., 0] - under[..., 2]) > 60).any()
    assert ((over[..., 0] - over[..., 2]) > 60).any()
    assert not ((over[..., 2] - over[..., 0]) > 60).any()


def test_a_kernel_without_weights_and_any_text_are_drawn(tmp_path):
    tile = FilterTile("$\\frac{ 猫\n\x00", picture(), ["\ud800", "größe " * 50], np.zeros((3, 3)))
    filter_sheet([tile], tmp_path / "a.png", title="$ 猫\n" * 99, note="$" * 999)
    assert pixels(tmp_path / "a.png").size > 0


def test_the_same_pictures_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        filter_sheet([FilterTile("x", picture(), ["y"], KERNEL)], str(tmp_path / name), title="t")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("pictures", "sentence"),
    [
        ([], "at least one"),
        ([picture()[0]], r"uint8 \(8, 12\), where uint8 \(1 or 3, H, W\)"),
        ([picture(2)], r"\(2, 8, 12\)"),
        ([picture().astype(np.float32)], "float32"),
        ([picture(3, 0, 4)], r"\(3, 0, 4\)"),
        ([picture(), picture(3, 9, 9)], r"\(8, 12\) and \(9, 9\) do not go on one sheet"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, pictures, sentence):
    with pytest.raises(ShapeError, match=sentence):
        filter_sheet([FilterTile("x", one) for one in pictures], tmp_path / "a.png", title="x")
    assert list(tmp_path.iterdir()) == []
