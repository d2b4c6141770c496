"""``striate data`` lists and removes decoded images; ``--cache-gb`` decides whether there are any."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import gathering, open_dataset


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "the-cache"))
    monkeypatch.setattr(gathering, "SMALLEST_SOURCE", 0)
    return tmp_path / "the-cache"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for number in range(24):
        folder = tmp_path / "my photos" / ("bright", "dark")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 120, (12, 12), dtype=np.uint8) + 120 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "my photos"


def test_an_empty_cache_is_said(invoke, cache: Path) -> None:
    assert invoke("data", "list") == (0, "0 sets of decoded images, 0.0 MB\n", "")
    assert invoke("data", "clean") == (0, "removed 0 sets of decoded images, 0.0 MB\n", "")
    assert json.loads(invoke("data", "list", "--json")[1]) == {"sets": [], "bytes": 0}
    assert not cache.exists()


def test_sets_are_listed_and_removed(invoke, photos: Path, cache: Path) -> None:
    open_dataset(photos)
    open_dataset(photos, size=16, channels=3)
    (cache / "sets").mkdir()
    status, out, err = invoke("data", "list")
    assert (status, err) == (0, "")
    assert out.count(str(photos)) == 2
    assert "1x12x12" in out
    assert "3x16x16" in out
    said = json.loads(invoke("data", "list", "--json")[1])
    assert [each["images"] for each in said["sets"]] == [24, 24]
    assert said["bytes"] == sum(path.stat().st_size for path in cache.glob("decoded/*/*"))
    removed = json.loads(invoke("data", "clean", photos, "--json")[1])
    assert (len(removed["removed"]), removed["left"]) == (2, [])
    assert removed["freed_bytes"] == said["bytes"]
    assert list(cache.glob("decoded/*/*-*")) == []
    assert (cache / "sets").is_dir()


def test_what_was_never_finished_is_listed_and_removed(invoke, cache: Path) -> None:
    (cache / "decoded" / ("0a" * 12)).mkdir(parents=True)
    (cache / "decoded" / ("0a" * 12) / "images-1.part").write_bytes(bytes(1000))
    assert "(unfinished)" in invoke("data", "list")[1]
    assert invoke("data", "clean", "elsewhere")[1].startswith("removed 0 sets")
    assert invoke("data", "clean")[1] == "removed 1 set of decoded images, 0.0 MB\n"
    assert invoke("data", "list")[1].startswith("0 sets")


def test_training_and_measuring_keep_what_they_decode_unless_told_not_to(
    invoke, photos: Path, cache: Path, tmp_path: Path
) -> None:
    options = ("--model", "compact-small", "--epochs", "1", "--batch", "4", "--quiet", "--json")
    none = invoke("train", photos, *options, "--cache-gb", "0", "--out", tmp_path / "none")
    assert none[0] == 0
    assert not (cache / "decoded").exists()
    kept = invoke("train", photos, *options, "--cache-gb", "1", "--out", tmp_path / "kept")
    figures = [json.loads(out)["evaluation"] for _, out, _ in (none, kept)]
    assert figures[0] == figures[1]
    assert len(list(cache.glob("decoded/*/index"))) == 1
    assert invoke("val", tmp_path / "kept", "--cache-gb", "0", "--json")[0] == 0
    status, _, err = invoke("train", photos, *options, "--cache-gb", "-1", "--out", tmp_path / "bad")
    assert status == 2
    assert "a cache of -1 GB cannot be had" in err


def test_the_group_has_help_and_refuses_other_words(invoke) -> None:
    status, out, _ = invoke("data")
    assert status == 0
    assert "list" in out
    assert "clean" in out
    status, _, err = invoke("data", "empty")
    assert status == 2
    assert "No such command 'empty'" in err
    for verb in ("train", "val"):
        assert "--cache-gb" in invoke(verb, "--help")[1]
