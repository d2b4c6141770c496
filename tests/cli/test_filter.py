"""``striate filter`` makes the pictures that its arithmetic says, and one sentence of what it cannot take."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.nn import FILTERS


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small colour picture with an edge, a gradient and noise."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 40, (20, 30, 3))
    pixels[:, 15:] += 150
    pixels[10:, :, 0] += 60
    path = tmp_path / "photo.png"
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture).astype(np.float64)


def correlated(photo: Path, name: str) -> np.ndarray:
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is the oracle")
    kernel = np.array(FILTERS[name].kernel)
    pixels = read(photo)
    return np.stack([ndimage.correlate(pixels[..., c], kernel, mode="nearest") for c in range(3)], axis=-1)


@pytest.mark.parametrize("name", ["sobel-x", "laplacian", "sharpen", "emboss", "box-blur", "shift-down"])
def test_one_filter_gives_the_correlation_rounded_and_cut(invoke, photo: Path, name: str) -> None:
    out = photo.with_name("out.png")
    status, said, _ = invoke("filter", photo, "--kernel", name, "--out", out)
    assert status == 0
    response = correlated(photo, name)
    shown = np.abs(response) if FILTERS[name].signed else response
    assert np.array_equal(read(out), np.clip(np.rint(shown), 0, 255))
    assert f"from {response.min():.4g} to {response.max():.4g}" in said
    assert ("absolute value" in said) == FILTERS[name].signed
    assert "border pixels go on" in said
    assert str(out) in said


def test_grey_shows_the_sign(invoke, photo: Path) -> None:
    out = photo.with_name("out.png")
    status, said, _ = invoke("filter", photo, "--kernel", "sobel-y", "--signed", "grey", "--out", out)
    assert status == 0
    response = correlated(photo, "sobel-y")
    assert np.array_equal(read(out), np.rint(128 + 127 * response / np.abs(response).max()))
    assert "128 where it is 0" in said


def test_json_holds_what_was_done(invoke, photo: Path) -> None:
    out = photo.with_name("out.png")
    status, said, _ = invoke("filter", photo, "--kernel", "sobel-x", "--json", "--out", out)
    assert status == 0
    result = json.loads(said)
    response = correlated(photo, "sobel-x")
    assert (result["height"], result["width"], result["channels"]) == (20, 30, 3)
    assert result["weights"] == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    assert (result["lowest"], result["highest"]) == (response.min(), response.max())
    assert (result["shown"], result["border"], result["out"]) == ("absolute", "replicate", str(out))
    assert result["cut"] == pytest.approx((np.abs(response) > 255).mean(), abs=1e-6)


def test_a_sheet_is_made_where_no_filter_is_named(invoke, photo: Path, monkeypatch) -> None:
    monkeypatch.chdir(photo.parent)
    status, said, _ = invoke("filter", photo)
    assert status == 0
    assert "photo-filters.png" in said
    assert min(read(photo.with_name("photo-filters.png")).shape[:2]) > 400
    status, said, _ = invoke("filter", photo, "--sheet", "--signed", "grey", "--json", "--out", "grey.png")
    assert status == 0
    assert [one["kernel"] for one in json.loads(said)["filters"]] == list(FILTERS)
    assert not np.array_equal(read(photo.with_name("grey.png")), read(photo.with_name("photo-filters.png")))


def test_the_name_of_the_file_made_tells_the_filter(invoke, photo: Path, monkeypatch) -> None:
    monkeypatch.chdir(photo.parent)
    assert invoke("filter", photo, "--kernel", "gabor-30-8")[0] == 0
    assert read(photo.with_name("photo-gabor-30-8.png")).shape == (20, 30, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (400, 300)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "I;16"])
def test_any_picture_is_filtered_at_its_own_size(invoke, tmp_path: Path, size, mode) -> None:
    Image.new(mode, size).save(tmp_path / "a.png")
    assert invoke("filter", tmp_path / "a.png", "--kernel", "gabor-0", "--out", tmp_path / "b.png")[0] == 0
    with Image.open(tmp_path / "b.png") as picture:
        assert picture.size == size
        assert picture.mode == ("RGB" if mode.startswith("RGB") else "L")


def test_filters_are_listed(invoke) -> None:
    status, said, _ = invoke("filter", "--list")
    assert status == 0
    assert all(name in said for name in FILTERS)
    status, said, _ = invoke("filter", "--list", "--json")
    assert status == 0
    assert {one["kernel"]: one["weights"] for one in json.loads(said)}["sharpen"][1] == [-1, 5, -1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("{photo}", "--kernel", "sobelx"), "no filter 'sobelx'; did you mean 'sobel-x'"),
        (("{photo}", "--kernel", ""), "no filter ''"),
        (("{photo}", "--kernel", "gabor-0-64"), "wavelength 64 cannot be"),
        (("{photo}", "--kernel", "sobel-x", "--sheet"), "give one of the two"),
        (("{photo}", "--kernel", "sobel-x", "--signed", "gray"), "did you mean 'grey'"),
        (
            ("{photo}", "--kernel", "sobel-x", "--out", "out.jpg"),
            "written as PNG; name a file such as out.png",
        ),
        (("{photo}", "--kernel", "sobel-x", "--out", "{photo}"), "is the picture itself"),
        (
            ("{photo}", "--kernel", "sobel-x", "--out", "/nowhere/out.png"),
            "cannot write the picture /nowhere/out.png",
        ),
        (("{photo}", "--out", "/nowhere/out.png"), "cannot write the picture /nowhere/out.png"),
        (
            ("{folder}/absent.png", "--kernel", "sobel-x", "--out", "x.png"),
            "absent.png: the file cannot be read",
        ),
        (("{folder}/absent.png", "--out", "x.png"), "absent.png: the file cannot be read"),
        (("{folder}", "--out", "x.png"), "directory"),
        (("{folder}/text.png", "--kernel", "sobel-x", "--out", "x.png"), "no image of a format"),
        ((), "give a PICTURE"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(invoke, photo: Path, arguments, sentence, monkeypatch) -> None:
    monkeypatch.chdir(photo.parent)
    photo.with_name("text.png").write_text("no picture")
    before = sorted(photo.parent.iterdir())
    words = [word.format(photo=photo, folder=photo.parent) for word in arguments]
    status, out, err = invoke("filter", *words)
    assert (status, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert sorted(photo.parent.iterdir()) == before
