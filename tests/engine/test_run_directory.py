"""The directory of a run is made once, locked, and never replaces what is the user's."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from striate.core.errors import RunError
from striate.core.events import Event
from striate.engine.records import append_row, logged, write_rejected, write_rows, writing
from striate.engine.run_directory import RunDirectory, clear_parts, make_directory


@dataclass(frozen=True)
class Kind(RunDirectory):
    files: ClassVar[tuple[str, ...]] = ("results.csv", "made.txt")
    verb: ClassVar[str] = "striate make"

    @property
    def columns(self) -> tuple[str, ...]:
        return "epoch", "loss"


def test_rows_are_written_added_to_and_read_back(tmp_path) -> None:
    run = make_directory(Kind, "a", tmp_path / "run")
    write_rows(run, [{"epoch": 1, "loss": 0.5}])
    append_row(run, {"epoch": 2, "loss": 0.25})
    assert run.rows == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
    with (run.path / "results.csv").open("a") as file:
        file.write("3")  # as a kill leaves it
    assert len(run.rows) == 2


def test_events_are_kept_but_for_those_that_come_too_often(tmp_path) -> None:
    heard = []
    tell = logged(Kind(tmp_path), heard.append)
    for kind in ("note", "step", "prepare"):
        tell(Event(kind, {"path": Path("a")}))
    assert [event.kind for event in heard] == ["note", "step", "prepare"]
    (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    assert '"kind": "note"' in line


def test_a_directory_is_numbered_or_refused_where_it_is_taken(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [str(make_directory(Kind, "a", None).path) for _ in range(2)] == ["runs/a", "runs/a-2"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "made.txt").write_text("mine")
    with pytest.raises(RunError, match=r"it has made.txt"):
        make_directory(Kind, "a", tmp_path / "mine")
    with pytest.raises(RunError, match="cannot make the run directory"):
        make_directory(Kind, "a", tmp_path / "mine" / "made.txt" / "run")


def test_a_lock_is_for_one_process(tmp_path) -> None:
    run = Kind(tmp_path)
    with run.locked(), pytest.raises(RunError, match="another process is training"), Kind(tmp_path).locked():
        pass
    with run.locked():
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write to"), Kind(tmp_path / "file").locked():
        pass


def test_unfinished_files_are_cleared_and_no_others(tmp_path) -> None:
    run = Kind(tmp_path)
    run.checkpoint.parent.mkdir()
    for name in (".a.txt.1.part", "checkpoint/.state.2.part", "b.part"):
        (tmp_path / name).write_text("half")
    clear_parts(run)
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["b.part"]


def test_what_the_disk_says_becomes_the_runs_error_with_its_verb(tmp_path) -> None:
    with pytest.raises(RunError, match=r"No space.*'striate make --resume"), writing(Kind(tmp_path)):
        raise OSError(28, "No space left on device")


def test_rejected_files_are_listed(tmp_path) -> None:
    write_rejected(tmp_path / "rejected.csv", [("a\nb.png", "it is empty")])
    with (tmp_path / "rejected.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["path", "reason"], ["a\nb.png", "it is empty"]]


def test_a_source_that_no_checkpoint_names_is_none(tmp_path) -> None:
    assert Kind(tmp_path).source is None
