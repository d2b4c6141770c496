"""The benchmark of photos: its splits are of the published sizes, and its table says what was measured."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "photos.py"


@pytest.fixture(scope="module")
def photos() -> ModuleType:
    spec = importlib.util.spec_from_file_location("photos_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["photos_benchmark"] = module
    spec.loader.exec_module(module)
    return module


def test_splits_are_stratified_new_each_time_and_of_the_published_sizes(photos, tmp_path) -> None:
    files: dict[str, list[Path]] = {}
    for label, count in (("ants", 193), ("bees", 204)):
        for number in range(count):
            path = tmp_path / "tar" / ("train" if number % 2 else "val") / label / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            files.setdefault(label, []).append(path)
    held_out = []
    for number in range(2):
        split = photos.make_split(files, number, tmp_path / f"split{number}")
        counts = {
            (part, label): len(list((split / part / label).iterdir()))
            for part in ("train", "val")
            for label in ("ants", "bees")
        }
        assert counts == {
            ("train", "ants"): 123,
            ("train", "bees"): 121,
            ("val", "ants"): 70,
            ("val", "bees"): 83,
        }
        targets = {
            part: {path.resolve() for path in (split / part).rglob("*.jpg")} for part in ("train", "val")
        }
        assert not targets["train"] & targets["val"]
        assert len(targets["train"] | targets["val"]) == 397
        held_out.append(targets["val"])
    assert held_out[0] != held_out[1]


def test_crops_are_of_the_size_that_the_network_takes(photos) -> None:
    for size in ((300, 200), (200, 300), (20, 500)):
        picture = Image.new("RGB", size)
        assert photos.random_crop(picture).size == photos.middle_crop(picture).size == (224, 224)


def test_the_table_has_means_intervals_and_paired_differences(photos, capsys) -> None:
    def runs(*accuracies: float) -> list[dict[str, object]]:
        return [
            {"accuracy": each, "last": each - 0.01, "seconds": 10.0, "curve": [(5.0, 0.5), (9.0, each)]}
            for each in accuracies
        ]

    found = {
        "frozen lite0": runs(0.94, 0.95),
        "fine-tuned lite0": runs(0.96, 0.96),
        "tutorial": runs(0.95, 0.95),
    }
    photos.report(found)
    said = capsys.readouterr().out
    assert "| frozen lite0 | 94.50 ± 6.35 % | 10.0 (most 10.0) | 94.5 % in 20 s |" in said
    assert "fine-tuned lite0 (accuracy) over frozen lite0, paired: +1.50 ± 6.35 points" in said
    # The first split's frozen one falls short of the tutorial, and the fine-tuned one has it after 9 s.
    assert "95.00% in 10 s: ours 1.1 times sooner" in said
    assert "95.00% in 10 s: ours 1.0 times sooner" in said
    assert photos.seconds_to([(1.0, 0.5)], 0.6) is None
