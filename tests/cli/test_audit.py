"""``striate audit`` prints, writes JSON and a page; a training refuses leakage and keeps groups together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "the-cache"))


@pytest.fixture
def photos(tmp_path: Path, photo_like: Callable[..., Image.Image]) -> Path:
    """A divided set with a leak, and a file that cannot be read."""
    for part, first, count in (("train", 0, 24), ("val", 100, 8)):
        for number in range(count):
            place = tmp_path / "photos" / part / ("ants", "bees")[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            photo_like(first + number, (80, 60)).save(place / f"{number}.png")
    folder = tmp_path / "photos"
    photo_like(0, (80, 60)).save(folder / "val" / "ants" / "leak.png")
    (folder / "val" / "bees" / "broken.png").write_bytes(b"no picture")
    return folder


def test_people_read_what_was_found(invoke, photos: Path, tmp_path: Path) -> None:
    status, out, err = invoke("audit", photos, "--html", tmp_path / "page.html")
    assert status == 0
    assert "error: " not in err
    assert "error: 1 picture in the training part and in another, and so no evidence" in out
    assert "  train/ants/0.png = val/ants/leak.png" in out
    assert "  val/bees/broken.png (the file is no image" in out
    assert out.splitlines()[0].split() == ["class", "train", "validation"]
    assert "33 images looked at in" in out
    assert "1 error, 1 warning" in out
    assert "train/ants/0.png" in (tmp_path / "page.html").read_text()


def test_programs_get_json(invoke, photos: Path) -> None:
    status, out, _ = invoke("audit", photos, "--json")
    assert status == 0
    said = json.loads(out)
    assert [finding["kind"] for finding in said["findings"]] == ["leakage", "unreadable"]
    assert said["images"] == 33
    assert "labels" not in said


def test_wrong_labels_are_looked_for_when_asked(invoke, monkeypatch) -> None:
    monkeypatch.setattr("striate.studies.label_suspects.EPOCHS", (2, 2))
    status, out, _ = invoke("audit", "digits", "--labels", "--json", "--device", "cpu")
    assert status == 0
    said = json.loads(out)["labels"]
    assert said["accuracy"] > 0.9
    assert said["judge"] == "a small network"
    assert len(said["suspects"]) < 100


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere",), "there is no file or folder 'nowhere'"),
        (("digits", "--html", "nowhere/page.html"), "cannot write nowhere/page.html"),
        (("digits", "--backbone", "efficientnet-lite0"), "add --labels"),
        ((), "Missing argument"),
    ],
)
def test_wrong_input_gets_one_sentence(invoke, arguments: tuple[str, ...], sentence: str) -> None:
    status, out, err = invoke("audit", *arguments)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("error: ") == 1


QUICK = ("--model", "compact-small", "--epochs", "1", "--batch", "8", "--quiet", "--json")


def test_training_refuses_leakage_unless_it_is_allowed(invoke, photos: Path, tmp_path: Path) -> None:
    status, out, err = invoke("train", photos, *QUICK, "--out", tmp_path / "run")
    assert (status, out) == (2, "")
    assert "the training part also holds 1 of the 9 validation images" in err
    assert "'val/ants/leak.png' is 'train/ants/0.png'" in err
    assert not (tmp_path / "run").exists()
    status, out, err = invoke("train", photos, *QUICK, "--allow-leakage", "--out", tmp_path / "run")
    assert status == 0
    assert "going on, as allowed" in err
    assert json.loads(out)["recipe"]["allow_leakage"] is True
    assert invoke("val", tmp_path / "run", "--json")[0] == 0


def test_a_training_in_groups_is_divided_alike_when_it_is_measured(invoke, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for patient in range(12):
        place = tmp_path / "scans" / ("ill", "well")[patient % 2]
        place.mkdir(parents=True, exist_ok=True)
        for number in range(3):
            pixels = random.integers(0, 120, (12, 12), dtype=np.uint8) + 120 * (patient % 2)
            Image.fromarray(pixels.astype(np.uint8)).save(place / f"p{patient}_{number}.png")
    options = ("--group-by", r"(p\d+)_", "--validation", "0.25", "--out", tmp_path / "run")
    status, out, _ = invoke("train", tmp_path / "scans", *QUICK, *options)
    assert status == 0
    trained = json.loads(out)
    assert trained["recipe"]["group_by"] == r"(p\d+)_"
    assert trained["evaluation"]["validation"]["images"] in (6, 9, 12)
    status, out, _ = invoke("val", tmp_path / "run", "--part", "validation", "--json")
    assert status == 0
    assert json.loads(out)["evaluation"] == trained["evaluation"]["validation"]
    status, _, err = invoke(
        "train", tmp_path / "scans", *QUICK, "--group-by", "(q)", "--out", tmp_path / "other"
    )
    assert status == 2
    assert "gives no group for 36 of 36 files" in err
