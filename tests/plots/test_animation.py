"""Films hold the frames that they are given, enlarged, and play over and over."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageSequence

from striate.core.errors import ShapeError
from striate.plots import animation


def frames_of(path) -> list[np.ndarray]:
    with Image.open(path) as film:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]


def test_greys_are_exact_and_enlarged_by_a_whole_number(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (5, 1, 28, 60), dtype=np.uint8)
    animation(values, tmp_path / "a.gif", seconds=0.1)
    found = frames_of(tmp_path / "a.gif")
    assert len(found) == 5
    for frame, image in zip(found, values, strict=True):
        assert frame.shape == (28 * 8, 60 * 8, 3)
        assert np.array_equal(frame[::8, ::8, 1], image[0])
    with Image.open(tmp_path / "a.gif") as film:
        assert film.info["duration"] == 100
        assert film.info["loop"] == 0


def test_colours_are_near_and_floats_are_rounded(tmp_path):
    ramp = np.linspace(0, 1, 8)
    image = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], 0.5))
    values = np.stack([image, 1 - image])
    animation(values, tmp_path / "a.gif")
    found = frames_of(tmp_path / "a.gif")
    for frame, wanted in zip(found, values, strict=True):
        assert np.abs(frame[::28, ::28] - 255 * wanted.transpose(1, 2, 0)).max() < 20


def test_large_frames_are_left_as_they_are(tmp_path):
    animation(
        np.zeros((2, 1, 300, 8), np.uint8) + np.arange(2, dtype=np.uint8)[:, None, None, None],
        tmp_path / "a.gif",
    )
    assert frames_of(tmp_path / "a.gif")[0].shape[:2] == (300, 8)


@pytest.mark.parametrize(
    ("shape", "seconds"), [((1, 1, 4, 4), 0.1), ((3, 2, 4, 4), 0.1), ((3, 4, 4), 0.1), ((3, 1, 4, 4), 0.0)]
)
def test_what_is_no_film_is_refused(tmp_path, shape, seconds):
    with pytest.raises(ShapeError):
        animation(np.zeros(shape, np.uint8), tmp_path / "a.gif", seconds=seconds)
    assert not list(tmp_path.iterdir())
