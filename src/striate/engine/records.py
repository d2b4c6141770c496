"""The records that a run keeps of itself: rows of figures, a log of events, and what was left out."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from striate.core.errors import RunError
from striate.core.events import Event, OnEvent
from striate.core.files import atomic_path, write_text
from striate.engine.run_directory import Row, RunDirectory


def write_rows(run: RunDirectory, rows: Iterable[Row]) -> None:
    """Write ``results.csv`` whole, atomically: a resumed run may have rows that its checkpoint has not.

    Args:
        run: whose results they are.
        rows: one an epoch, with the keys ``run.columns``; the run's recipe is there already.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, run.columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with writing(run):
        write_text(run.path / "results.csv", text.getvalue())


def append_row(run: RunDirectory, row: Row) -> None:
    """Add a row to ``results.csv``.

    Args:
        run: whose results they are.
        row: an epoch's figures.
    """
    with writing(run), (run.path / "results.csv").open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, run.columns, lineterminator="\n").writerow(row)


def logged(run: RunDirectory, on_event: OnEvent) -> OnEvent:
    """Give a reader of events that keeps them in ``events.jsonl`` and passes them on.

    Steps and preparation, which come many times a second, are passed on only.

    Args:
        run: whose events they are.
        on_event: the next reader.

    Returns:
        The reader.
    """

    def keep(event: Event) -> None:
        if event.kind not in ("step", "prepare"):
            line = json.dumps({"time": round(time.time(), 3), "kind": event.kind, **event.data}, default=str)
            with writing(run), (run.path / "events.jsonl").open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        on_event(event)

    return keep


def write_rejected(path: Path, rejected: Iterable[tuple[str, str]]) -> None:
    """List the files that were left out, as CSV.

    Args:
        path: the file to be made.
        rejected: name and reason of each.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "reason"])
        writer.writerows(rejected)


@contextmanager
def writing(run: RunDirectory) -> Iterator[None]:
    """Turn what the file system says into the run's error.

    Args:
        run: that is written to.

    Raises:
        RunError: where the block raised an `OSError`, such as for a full disk.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write to {run.path}: {error.strerror or error}; what was there is intact, and "
            f"'{run.verb} --resume {run.path}' goes on once it can be written"
        ) from error
