"""The records that a run keeps of itself as it goes: rows of figures and a log of events."""

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
from striate.core.files import write_text
from striate.training.run import Row, Run


def write_rows(run: Run, rows: Iterable[Row]) -> None:
    """Write ``results.csv`` whole, atomically: a resumed run may have rows that its checkpoint has not.

    Args:
        run: whose results they are.
        rows: one an epoch, with the keys ``run.columns``; the run's recipe is there already.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, run.columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with writing(run.path):
        write_text(run.path / "results.csv", text.getvalue())


def append_row(run: Run, row: Row) -> None:
    """Add a row to ``results.csv``.

    Args:
        run: whose results they are.
        row: an epoch's figures.
    """
    with writing(run.path), (run.path / "results.csv").open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, run.columns, lineterminator="\n").writerow(row)


def logged(run: Run, on_event: OnEvent) -> OnEvent:
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
            with writing(run.path), (run.path / "events.jsonl").open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        on_event(event)

    return keep


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the file system says into the run's error.

    Args:
        path: the run's directory.

    Raises:
        RunError: where the block raised an `OSError`, such as for a full disk.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write to {path}: {error.strerror or error}; what was there is intact, and "
            f"'striate train --resume {path}' goes on once it can be written"
        ) from error
