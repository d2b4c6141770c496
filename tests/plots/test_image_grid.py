"""A grid of images shows each as it is, in its place."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import image_grid


def _pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def test_images_are_in_rows_in_their_colours(tmp_path) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]
    images = np.stack([np.full((8, 8, 3), colour, np.uint8).transpose(2, 0, 1) for colour in colours])
    image_grid(images, tmp_path / "a.png", columns=2, title="colours", note="five of them", heads=("x", "y"))
    picture = _pixels(tmp_path / "a.png")
    centres = [np.argwhere((picture == colour).all(axis=-1)).mean(axis=0) for colour in colours]
    sizes = [(picture == colour).all(axis=-1).sum() for colour in colours]
    (top, left), (same_top, right), (lower, same_left), _, (lowest, _) = centres
    assert abs(top - same_top) < 2
    assert abs(left - same_left) < 2
    assert left < right
    assert top < lower < lowest
    assert max(sizes) < 1.1 * min(sizes)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_floats_and_bytes_of_the_same_images_give_the_same_picture(tmp_path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 5, 7), dtype=np.uint8)
    image_grid(images, tmp_path / "a.png", columns=3, title="a")
    image_grid(images / 255, tmp_path / "b.png", columns=3, title="a")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("shape", [(0, 1, 8, 8), (2, 2, 8, 8), (8, 8), (2, 1, 0, 8)])
def test_what_is_no_image_is_refused(tmp_path, shape) -> None:
    with pytest.raises(ShapeError, match="N x C x H x W with 1 or 3 channels"):
        image_grid(np.zeros(shape), tmp_path / "a.png", columns=2, title="a")
    assert not list(tmp_path.iterdir())
