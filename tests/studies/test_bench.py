"""A real benchmark of a few seconds: both sides on the digits, kept, broken off, gone on with, refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from striate.core.errors import DataError, RecipeError, RunError
from striate.core.events import Event
from striate.studies import Benchmark, run_benchmark
from striate.studies.bench_results import OURS

PEER = "pytorch-mnist"
SIDES = {"peers": {PEER: sys.executable}, "seeds": 1, "first_seed": 3, "budgets": [0.5], "threads": 1}


class Halted:
    """Keeps events, and breaks the benchmark off once a side has been measured, as Ctrl-C does."""

    def __init__(self, side: str | None = None) -> None:
        self.side, self.events = side, []

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if self.side and event.kind == "note" and event.data["message"].startswith(self.side):
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Benchmark, list[Event]]:
    """A benchmark that was broken off after ours and gone on with; its folder, and what was told then."""
    folder, first, second = tmp_path_factory.mktemp("benchmarks") / "digits", Halted(OURS), Halted()
    with pytest.raises(KeyboardInterrupt):
        run_benchmark("digits", out=folder, on_event=first, **SIDES)
    kept = json.loads((folder / "bench.json").read_text())["trainings"]
    # What a killed process leaves, as this one did not.
    (folder / ".data-left").mkdir()
    (folder / ".bench.json.x.part").write_text("half")
    found = run_benchmark("digits", out=folder, on_event=second, **SIDES)
    assert [each["side"] for each in kept] == [OURS]
    assert vars(found.trainings[0]) == kept[0]
    return folder, found, second.events


def test_both_sides_are_measured_on_the_same_images(made) -> None:
    _, found, _ = made
    ours, *peers = found.trainings
    assert (ours.side, ours.seed, ours.epochs) == (OURS, 3, 0.5)
    assert [(each.side, each.seed, each.epochs) for each in peers] == [
        (PEER, 3, epochs) for epochs in range(1, 7)
    ]
    assert [each.images for each in peers] == [1221 * epochs for epochs in range(1, 7)]
    assert 0.4 * 1221 < ours.images < 0.6 * 1221
    assert peers[-1].accuracy > 0.8
    for each in found.trainings:
        assert 0 < each.training_seconds < each.process_seconds
        assert each.peak_bytes > 5e7
        assert each.operations > 1e5
        assert "torch" in each.versions
    waited = [each.process_seconds for each in peers]
    assert waited == sorted(waited)
    assert found.settings["images"] == {"train": 1221, "test": 360}
    assert found.peak("float32") > 1e9
    assert all(summary.share_of_peak is not None for summary in found.summaries())
    assert found.skipped == {}


def test_what_happens_is_told(made) -> None:
    folder, _, events = made
    (start,) = [event.data for event in events if event.kind == "start"]
    assert (start["trainings"], start["measured_before"], start["seeds"]) == (2, 1, 1)
    turns = [event.data["what"] for event in events if event.data.get("unit") == "trainings"]
    assert turns == [f"{PEER}, 6 epochs, seed 3", "benchmark"]
    notes = [event.data["message"] for event in events if event.kind == "note"]
    assert any(note.startswith(f"{PEER}, 6 epochs, seed 3: ") for note in notes)
    assert [event.data["path"] for event in events if event.kind == "saved"] == [
        str(folder / "bench.json"),
        str(folder / "bench.md"),
    ]


def test_its_files_hold_all_and_nothing_else_is_left(made) -> None:
    folder, found, _ = made
    assert Benchmark.from_dict(json.loads((folder / "bench.json").read_text())) == found
    assert (folder / "bench.md").read_text() == found.markdown()
    assert {file.name for file in folder.iterdir()} <= {"bench.json", "bench.md", ".lock"}


def test_a_finished_one_measures_nothing_again(made) -> None:
    folder, found, _ = made
    events: list[Event] = []
    assert run_benchmark("digits", out=folder, on_event=events.append, **SIDES) == found
    assert [event.data["what"] for event in events if event.data.get("unit") == "trainings"] == ["benchmark"]


def test_another_benchmark_is_not_gone_on_with(made, tmp_path: Path) -> None:
    folder, found, _ = made
    with pytest.raises(
        RunError, match=r"its budgets is \[0\.5\], and \[1\.0\] is wanted now; name another --out"
    ):
        run_benchmark("digits", out=folder, **{**SIDES, "budgets": [1]})
    values = found.to_dict()
    values["machine"]["processor"] = "Adder 2"
    (tmp_path / "bench.json").write_text(json.dumps(values))
    with pytest.raises(RunError, match="another machine: its processor is Adder 2"):
        run_benchmark("digits", out=tmp_path, **SIDES)
    (tmp_path / "bench.json").write_text('{"settings": 3}')
    with pytest.raises(RunError, match="no benchmark of ours"):
        run_benchmark("digits", out=tmp_path, **SIDES)


def test_a_peer_that_cannot_run_is_left_out_and_ours_is_measured(made, tmp_path: Path) -> None:
    _, found, _ = made
    values = found.to_dict()
    values["trainings"] = [each for each in values["trainings"] if each["side"] == OURS]
    values["settings"]["peers"] = {"fastai": [[5.0], [8.0], [16.0]]}
    (tmp_path / "bench.json").write_text(json.dumps(values))
    events: list[Event] = []
    sides = {**SIDES, "peers": {"fastai": sys.executable}}
    again = run_benchmark("digits", out=tmp_path, on_event=events.append, **sides)
    assert again.trainings == found.trainings[:1]
    assert "No module named 'fastai'" in again.skipped["fastai"]
    (warning,) = [event.data["message"] for event in events if event.kind == "warning"]
    assert warning.startswith("fastai is left out: it cannot be imported where it is installed: ")
    assert "left out: fastai" in (tmp_path / "bench.md").read_text()


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"seeds": 0}, RecipeError, "seeds is 0, where at least 1 is wanted"),
        ({"first_seed": -1}, RecipeError, "first_seed is -1"),
        ({"threads": 0}, RecipeError, "threads is 0"),
        ({"threads": 10**6}, RecipeError, r"threads is 1000000, but there are \d+ processors"),
        ({"budgets": []}, RecipeError, "budgets names none"),
        ({"budgets": [2, -1]}, RecipeError, "epochs is -1"),
        ({"peers": ["torchmnist"]}, RecipeError, "did you mean 'pytorch-mnist'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(tmp_path: Path, changes, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        run_benchmark("digits", out=tmp_path / "out", **{**SIDES, **changes})
    assert not (tmp_path / "out").exists()


def test_data_without_a_test_part_and_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    images = np.zeros((20, 8, 8), np.uint8)
    np.savez(path, images=images, labels=np.arange(20) % 2)
    with pytest.raises(DataError, match="has no test part"):
        run_benchmark(path, out=tmp_path / "out", **SIDES)
    with pytest.raises(DataError, match="takes a name or a path, no arrays"):
        run_benchmark((images, np.arange(20) % 2), out=tmp_path / "out", **SIDES)


def test_two_benchmarks_never_share_a_folder(tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(RunError, match="another benchmark runs in"):
        run_benchmark("digits", out=tmp_path, **SIDES)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write to"):
        run_benchmark("digits", out=tmp_path / "file" / "out", **SIDES)
