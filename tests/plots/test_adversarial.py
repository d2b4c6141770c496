"""The adversarial figure: the change is amplified, its true scale is written, and anything is drawn."""

import warnings

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import AdversarialTile, adversarial_picture
from striate.plots.adversarial import _captions, _percent


def tile(channels: int = 3, height: int = 8, width: int = 12, *, size: float = 0.02) -> AdversarialTile:
    chance = np.random.default_rng(0)
    clean = chance.uniform(0.1, 0.9, (channels, height, width))
    changed = clean + size * np.sign(chance.normal(size=clean.shape))
    return AdversarialTile(
        clean, changed, "panda.jpg", ("panda", 0.577), ("gibbon", 0.993), ["pgd, linf 5/255"]
    )


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


@pytest.mark.parametrize(("count", "channels"), [(1, 3), (2, 1), (4, 3)])
def test_any_number_of_grey_and_colour_pictures_is_drawn(tmp_path, count, channels):
    adversarial_picture([tile(channels)] * count, tmp_path / "a.png", title="a picture", note="a note " * 30)
    shape = pixels(tmp_path / "a.png").shape
    assert shape[1] > 1300
    assert shape[0] > 300 * count
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 200), (200, 1), (224, 224), (300, 700)])
def test_any_shape_is_drawn(tmp_path, height, width):
    adversarial_picture([tile(3, height, width)] * 2, tmp_path / "a.png", title="x")
    assert pixels(tmp_path / "a.png").size > 0


def test_a_change_that_nobody_sees_is_drawn_for_all_to_see(tmp_path):
    """The change takes the middle third: half of it black and half white, however small it is."""
    clean = np.full((3, 8, 8), 0.5)
    change = np.zeros_like(clean)
    change[:, :4], change[:, 4:] = 1, -1
    for size in (0.3, 1e-4):
        shown = AdversarialTile(clean, clean + size * change, "x", ("a", 1.0), ("b", 1.0))
        adversarial_picture([shown], tmp_path / "a.png", title="x")
        drawn = pixels(tmp_path / "a.png")
        third = drawn[:, drawn.shape[1] // 3 : 2 * drawn.shape[1] // 3].mean(axis=2)
        assert (third < 5).sum() > 50_000
        assert (third > 250).sum() > 50_000


def test_of_one_channel_lighter_is_orange_and_darker_is_blue(tmp_path):
    shown = {}
    for name, size in (("lighter", 0.1), ("darker", -0.1), ("same", 0.0)):
        clean = np.full((1, 8, 8), 0.5)
        adversarial_picture(
            [AdversarialTile(clean, clean + size, "x", ("a", 1.0), ("b", 1.0))], tmp_path / "a.png", title="x"
        )
        drawn = pixels(tmp_path / "a.png")
        blue, red = drawn[..., 2] - drawn[..., 0] > 60, drawn[..., 0] - drawn[..., 2] > 60
        shown[name] = blue.sum(), red.sum()
    # The scale shows both colours, so that areas are compared.
    assert shown["lighter"][1] > 10 * shown["lighter"][0]
    assert shown["darker"][0] > 10 * shown["darker"][1]
    assert shown["same"] == (0, 0)


def test_the_true_scale_is_written():
    before, change, after = _captions(tile(size=8 / 255))
    assert before == ["predicted panda, 57.7 %"]
    assert change[0] == "drawn 16 times as large"
    assert change[1] == "largest change 0.0314, which is 8 of 255"
    assert change[2] == f"L2 norm {8 / 255 * (3 * 8 * 12) ** 0.5:.3g}; 100.0 % of the places"
    assert after == ["predicted gibbon, 99.3 %", "pgd, linf 5/255"]
    assert _captions(tile(size=0.0))[1] == ["nothing was changed"]
    assert "orange" in _captions(tile(1))[1][0]
    assert [_percent(share) for share in (0, 0.0001, 0.5, 0.99999, 1)] == [
        "0.0 %",
        "<0.1 %",
        "50.0 %",
        ">99.9 %",
        "100.0 %",
    ]


def test_any_text_is_drawn_and_the_same_gives_the_same_bytes(tmp_path):
    clean = np.full((1, 4, 4), 0.5)
    odd = AdversarialTile(
        clean, clean, "$\\frac{ 猫\n\x00", ("\ud800", 0.5), ("größe " * 50, 0.5), ["$" * 999]
    )
    for name in ("a.png", "b.png"):
        adversarial_picture([odd], str(tmp_path / name), title="$ 猫\n" * 99, note="$" * 999)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("tiles", "sentence"),
    [
        ([], "at least one"),
        (
            [AdversarialTile(np.zeros((3, 4, 4)), np.zeros((3, 4, 5)), "x", ("a", 1), ("b", 1))],
            "of one shape",
        ),
        (
            [AdversarialTile(np.zeros((2, 4, 4)), np.zeros((2, 4, 4)), "x", ("a", 1), ("b", 1))],
            r"\(2, 4, 4\)",
        ),
        (
            [AdversarialTile(np.zeros((1, 4, 4)), np.full((1, 4, 4), 1.5), "x", ("a", 1), ("b", 1))],
            "from 1.5 to 1.5",
        ),
        ([AdversarialTile(np.zeros((1, 4, 4)), np.full((1, 4, 4), np.nan), "x", ("a", 1), ("b", 1))], "nan"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, tiles, sentence):
    with pytest.raises(ShapeError, match=sentence):
        adversarial_picture(tiles, tmp_path / "a.png", title="x")
    assert list(tmp_path.iterdir()) == []
