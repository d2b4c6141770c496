"""A page with a patch prints in its true size, and says how."""

import warnings

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import sticker_page


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("centimetres", [2.0, 8.5])
@pytest.mark.parametrize("disc", [True, False])
def test_it_is_as_large_as_said(tmp_path, centimetres, disc):
    sticker_page(np.zeros((3, 6, 6)), tmp_path / "a.png", centimetres=centimetres, disc=disc)
    with Image.open(tmp_path / "a.png") as page:
        dots = page.info["dpi"][0] / 2.54
        dark = np.asarray(page.convert("L")) < 128
    # The ruler and the words are below the patch.
    patch = dark[: round((0.15 * 2.54 + 0.6 + centimetres + 0.2) * dots)]
    for axis in (0, 1):
        reached = np.flatnonzero(patch.any(axis=axis))
        assert (reached[-1] - reached[0] + 1) / dots == pytest.approx(centimetres, abs=0.05)
    area = np.pi / 4 * centimetres**2 if disc else centimetres**2
    assert patch.sum() / dots**2 == pytest.approx(area, rel=0.03)


def test_grey_ones_and_captions_are_drawn(tmp_path):
    picture = np.random.default_rng(0).random((1, 12, 12))
    sticker_page(picture, tmp_path / "bare.png", centimetres=4)
    sticker_page(picture, tmp_path / "said.png", centimetres=4, caption="It makes $it say 'toaster'. " * 8)
    with Image.open(tmp_path / "bare.png") as bare, Image.open(tmp_path / "said.png") as said:
        assert said.height > bare.height


@pytest.mark.parametrize(
    ("shape", "centimetres", "sentence"),
    [
        ((2, 4, 4), 5, "1 or 3 channels of side x side, and this is 2x4x4"),
        ((1, 4, 5), 5, "this is 1x4x5"),
        ((1, 4), 5, "this is 1x4"),
        ((1, 4, 4), 0.5, "a sticker of 0.5 cm"),
        ((1, 4, 4), 40, "1 to 28 cm do"),
    ],
)
def test_what_cannot_be_printed_is_refused(tmp_path, shape, centimetres, sentence):
    with pytest.raises(ShapeError, match=sentence):
        sticker_page(np.zeros(shape), tmp_path / "a.png", centimetres=centimetres)
