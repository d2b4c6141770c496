"""Sheets of images with their predictions."""

import warnings

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import prediction_sheet

BLUE, VERMILION = (0, 114, 178), (213, 94, 0)


def images(count: int, channels: int = 1, height: int = 8, width: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, channels, height, width), dtype=np.uint8)


def pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert max(picture.size) < 3000
        return np.asarray(picture.convert("RGB"))


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=-1).any())


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("count", [1, 3, 7])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_colour_images_are_drawn(tmp_path, count, channels):
    numbers = np.arange(count) % 3
    prediction_sheet(
        images(count, channels), numbers, numbers, np.full(count, 0.97), list("abc"), tmp_path / "a.png"
    )
    assert min(pixels(tmp_path / "a.png").shape[:2]) > 200
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_wrong_predictions_are_marked_and_right_ones_are_not(tmp_path):
    grey = np.full((1, 1, 8, 8), 128, np.uint8)
    prediction_sheet(grey, [0], [0], [0.9], ["cat", "dog"], tmp_path / "right.png")
    prediction_sheet(grey, [0], [1], [0.9], ["cat", "dog"], tmp_path / "wrong.png")
    right, wrong = pixels(tmp_path / "right.png"), pixels(tmp_path / "wrong.png")
    assert (has(right, BLUE), has(right, VERMILION)) == (True, False)
    assert (has(wrong, BLUE), has(wrong, VERMILION)) == (False, True)


def test_a_small_image_keeps_its_pixels_and_its_colours(tmp_path):
    corners = np.zeros((1, 3, 2, 2), np.uint8)
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    for index, colour in enumerate(colours):
        corners[0, :, index // 2, index % 2] = colour
    prediction_sheet(corners, [0], [0], [1.0], ["a"], tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")
    centres = [np.argwhere((picture == colour).all(axis=-1)).mean(axis=0) for colour in colours]
    (top, left), (_, right), (bottom, _), _ = centres
    assert all((picture == colour).all(axis=-1).sum() > 80 * 80 for colour in colours)
    assert top < bottom
    assert left < right


def test_a_large_or_long_image_keeps_its_shape(tmp_path):
    for height, width in ((600, 300), (4, 120), (1, 1)):
        prediction_sheet(images(2, 3, height, width), [0, 0], [0, 0], [1, 1], ["a"], tmp_path / "a.png")
        assert pixels(tmp_path / "a.png").size > 0


def test_other_numbers_of_channels_are_drawn_in_grey(tmp_path):
    prediction_sheet(images(2, 5), [0, 0], [0, 0], [1, 1], ["a"], tmp_path / "a.png")
    assert pixels(tmp_path / "a.png").size > 0


def test_many_images_are_cut_to_the_first_sixty(tmp_path):
    many = images(300)
    zeros = np.zeros(300, int)
    prediction_sheet(many, zeros, zeros, zeros + 0.5, ["a"], tmp_path / "all.png")
    prediction_sheet(many[:60], zeros[:60], zeros[:60], zeros[:60] + 0.5, ["a"], tmp_path / "first.png")
    all_of_them, first = pixels(tmp_path / "all.png"), pixels(tmp_path / "first.png")
    assert np.array_equal(all_of_them[80:], first[80:])
    assert not np.array_equal(all_of_them, first)  # the title says so


def test_any_name_title_and_confidence_is_drawn(tmp_path):
    names = ["猫\n\x00", "$\\frac{", "größe " * 50, "\ud800"]
    confidences = [0.0, 1.0, float("nan"), 1e-9]
    prediction_sheet(
        images(4), range(4), [3, 2, 1, 0], confidences, names, tmp_path / "a.png", title="$ 猫\n" * 99
    )
    assert pixels(tmp_path / "a.png").size > 0


def test_the_same_images_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        prediction_sheet(images(2), [0, 1], [0, 0], [0.9, 0.8], ["a", "b"], str(tmp_path / name))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("pictures", "labels", "predicted", "confidences", "sentence"),
    [
        (images(0), [], [], [], r"uint8 \(0, 1, 8, 8\)"),
        (images(2)[0, 0], [0], [0], [1], "where uint8"),
        (images(1).astype(np.float32), [0], [0], [1], "float32"),
        (images(2), [0], [0, 0], [1, 1], "are 2, 1, 2 and 2"),
        (images(2), [0, 0], [0, 0], [1], "are 2, 2, 2 and 1"),
        (images(1), [2], [0], [1], "from 2 to 2, but there are 2 names"),
        (images(1), [0], [-1], [1], "from -1 to -1"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, pictures, labels, predicted, confidences, sentence):
    with pytest.raises(ShapeError, match=sentence):
        prediction_sheet(pictures, labels, predicted, confidences, ["a", "b"], tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []
