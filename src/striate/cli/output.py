"""How results are printed: tables for people, JSON for programs."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from striate.engine.progress import Reader, printable, terminal_progress

if TYPE_CHECKING:
    from striate.metrics import Evaluation


def progress() -> Reader:
    """Give the reader of events that shows progress on standard error.

    Returns:
        A callable for ``on_event`` and a context manager.
    """
    return terminal_progress()


def say(text: str = "") -> None:
    """Print a line of a result.

    Args:
        text: the line; what standard output cannot encode is replaced.
    """
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")


def say_json(value: Any) -> None:
    """Print a result as one JSON document.

    Args:
        value: what JSON can hold.
    """
    # Escapes keep names that are no text, and any encoding of the output, from being an error.
    sys.stdout.write(json.dumps(value, indent=1, allow_nan=False) + "\n")


def say_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = ()) -> None:
    """Print a table.

    Args:
        columns: their titles.
        rows: texts, one a column; what is not printable in them is escaped.
        numbers: which columns are set to the right.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    right = set(numbers)
    # Through a pipe there is no width to fit into, and folded lines would be of no use.
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 10_000)
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for index, title in enumerate(columns):
        table.add_column(title, justify="right" if index in right else "left", overflow="fold")
    encoding = sys.stdout.encoding or "utf-8"
    for row in rows:
        table.add_row(*(Text(printable(text).encode(encoding, "replace").decode(encoding)) for text in row))
    console.print(table, highlight=False)


def accuracy_line(part: str, evaluation: Evaluation) -> str:
    """Say an accuracy with its interval.

    Args:
        part: what it was measured on.
        evaluation: what was measured.

    Returns:
        One line.
    """
    low, high = evaluation.interval
    interval = f"95 % interval {percent(low)} to {percent(high)}"
    return f"{part} accuracy {percent(evaluation.accuracy)} ({interval}, {evaluation.images:,} images)"


def percent(share: float, digits: int = 2) -> str:
    """Write a share in percent.

    Args:
        share: in [0, 1].
        digits: after the point.

    Returns:
        The text.

    >>> percent(0.9281)
    '92.81 %'
    """
    return f"{share:.{digits}%}".replace("%", " %")


def command(*words: str) -> str:
    """Write a command that can be pasted into a shell.

    Args:
        words: the program and its arguments.

    Returns:
        The line, quoted where it must be.

    >>> command("striate", "val", "runs/my photos")
    "striate val 'runs/my photos'"
    """
    return shlex.join(words)
