"""Sheets of images with what augmentation made of them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import AugmentedRow, augmentation_sheet


def _row(channels: int = 3, variants: int = 2, **fields) -> AugmentedRow:
    random = np.random.default_rng(0)
    made = random.integers(0, 256, (1 + variants, channels, 8, 8), dtype=np.uint8)
    return AugmentedRow(made[0], made[1:], **fields)


def _pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_rows_of_pictures_are_drawn(tmp_path, channels) -> None:
    rows = [_row(channels, label=["ants"]), _row(channels, 5, captions=["a", "b", "c", "d", "e", "f"])]
    augmentation_sheet(rows, tmp_path / "a.png", title="flip", note="Nothing.")
    assert min(_pixels(tmp_path / "a.png").shape[:2]) > 200
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_a_variant_is_drawn_right_of_its_original_and_rows_below_each_other(tmp_path) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    flat = [np.full((8, 8, 3), colour, np.uint8).transpose(2, 0, 1) for colour in colours]
    rows = [AugmentedRow(flat[0], flat[1][None]), AugmentedRow(flat[2], flat[3][None])]
    augmentation_sheet(rows, tmp_path / "a.png", title="colours")
    picture = _pixels(tmp_path / "a.png")
    centres = [np.argwhere((picture == colour).all(axis=-1)).mean(axis=0) for colour in colours]
    (top, left), (same_top, right), (bottom, same_left), _ = centres
    assert top == pytest.approx(same_top, abs=1)
    assert left == pytest.approx(same_left, abs=1)
    assert left < right
    assert top < bottom


def test_any_text_is_drawn(tmp_path) -> None:
    row = _row(label=["$\\frac{", "猫\n\x00" * 30], captions=["\ud800", "$", "größe " * 20])
    augmentation_sheet([row], tmp_path / "a.png", title="$ 猫\n" * 20, note="$" * 300)
    assert _pixels(tmp_path / "a.png").size > 0


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "there is no picture to draw"),
        ([_row(captions=["a"])], "1 captions are for 3 pictures"),
        ([_row(variants=40)] * 10, "410 pictures are too many for a sheet; .* 10 rows of 39"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path, rows, sentence) -> None:
    with pytest.raises(ShapeError, match=sentence):
        augmentation_sheet(rows, tmp_path / "a.png", title="")
    assert list(tmp_path.iterdir()) == []
