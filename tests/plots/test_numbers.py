"""Series are drawn as lines and clips as frames, whatever their numbers."""

import warnings

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import prediction_sheet
from striate.plots.numbers import tile_size


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _sheet(items, path) -> np.ndarray:
    count = len(items)
    prediction_sheet(items, np.zeros(count, int), np.zeros(count, int), np.full(count, 0.9), ["a"], path)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize(
    "shape",
    [(1, 24), (3, 150), (12, 5000), (1, 1), (1, 8, 28, 28), (3, 2, 30, 10), (2, 1, 9, 9), (1, 30, 4, 40)],
)
@pytest.mark.parametrize("bytes_", [False, True])
def test_any_shape_is_drawn(tmp_path, shape, bytes_) -> None:
    items = np.random.default_rng(0).normal(size=(3, *shape)) * 1e4
    items = items.astype(np.uint8) if bytes_ else items.astype(np.float32)
    assert min(_sheet(items, tmp_path / "a.png").shape[:2]) > 100


def test_flat_series_are_drawn_in_the_middle(tmp_path) -> None:
    assert _sheet(np.full((2, 1, 50), 7.0, np.float32), tmp_path / "a.png").size


def test_a_single_peak_of_a_long_series_is_seen(tmp_path) -> None:
    flat = np.zeros((1, 1, 20001), np.float32)
    peak = flat.copy()
    peak[0, 0, 7777] = 1

    def rows_of_line(items) -> int:
        picture = _sheet(items, tmp_path / "a.png")
        blue = picture[..., 2] - picture[..., 0] > 80
        return int(blue[: len(blue) * 2 // 3].any(axis=1).sum())

    assert rows_of_line(peak) > 5 * rows_of_line(flat)


def test_frames_of_a_clip_lie_side_by_side(tmp_path) -> None:
    clip = np.zeros((1, 1, 4, 10, 10), np.uint8)
    clip[:, :, 3] = 255
    picture = _sheet(clip, tmp_path / "a.png").mean(axis=2)
    row = picture[len(picture) // 2 - 40]
    dark = np.flatnonzero(row < 30)
    assert 0.5 < (dark.max() - dark.min()) / len(row) < 0.9


def test_tiles_keep_the_shape_of_frames() -> None:
    height, width = tile_size((1, 16, 30, 60))
    assert height / ((width - 0.09) / 4) == pytest.approx(0.5)


def test_images_have_to_be_bytes(tmp_path) -> None:
    with pytest.raises(ShapeError, match=r"where uint8 \(N, C, H, W\) is wanted, or N x C x spatial"):
        _sheet(np.zeros((1, 1, 4, 4)), tmp_path / "a.png")
