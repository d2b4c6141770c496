"""Run a study from the command line: its options, its progress, the files that it leaves, its table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from striate.core.errors import StriateError
from striate.core.events import Event, OnEvent
from striate.core.files import write_text
from striate.engine.memory import keep_freed_memory
from striate.engine.progress import terminal_progress

Draw: TypeAlias = Callable[[Mapping[str, Any], Path], None]


class Study(Protocol):
    """The result of a study."""

    def to_dict(self) -> dict[str, Any]:
        """Give everything by name, ready for JSON."""

    def rows(self) -> list[tuple[str, ...]]:
        """Give the rows of its table."""

    def findings(self) -> list[str]:
        """Say what was found, a sentence each."""


def run(
    arguments: Sequence[str] | None,
    *,
    name: str,
    about: str,
    study: Callable[..., Study],
    columns: Sequence[str],
    pictures: Mapping[str, Draw],
    defaults: Mapping[str, int],
) -> None:
    """Run a study as its command line says, write its figures and pictures, and print its table.

    Args:
        arguments: those of the command; ``None``: of this process.
        name: what the JSON file is called.
        about: one sentence for the help.
        study: takes the source of images, ``on_event`` and what is named in ``defaults``.
        columns: titles of the table.
        pictures: names of the PNG files, and what draws each from the study's figures.
        defaults: whole numbers that can be given as options, at least 1.

    Raises:
        SystemExit: with one sentence, where an input or option is wrong.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(
        "source", nargs="?", default="fashion-mnist", help="images: a named set, a folder, ..."
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="the folder for the files; made where missing"
    )
    for option, value in defaults.items():
        parser.add_argument(f"--{option}", type=int, default=value, help=f"(default: {value:,})")
    options = parser.parse_args(arguments)
    keep_freed_memory()
    try:
        with terminal_progress() as on_event:
            chosen = {option: getattr(options, option) for option in defaults}
            found = study(options.source, on_event=on_event, **chosen)
            _write(options.out, name, found.to_dict(), pictures, on_event)
    except StriateError as error:
        raise SystemExit(f"error: {error}") from error
    sys.stdout.write("\n".join([*table(columns, found.rows()), "", *found.findings(), ""]))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Set texts as a Markdown table.

    Args:
        columns: the titles.
        rows: texts, one a column.

    Returns:
        Its lines.

    >>> table(("a", "b"), [("1", "2")])
    ['| a | b |', '|---|---|', '| 1 | 2 |']
    """
    lines = [f"| {' | '.join(row)} |" for row in (columns, *rows)]
    return [lines[0], f"|{'---|' * len(columns)}", *lines[1:]]


def _write(
    folder: Path, name: str, figures: Mapping[str, Any], pictures: Mapping[str, Draw], on_event: OnEvent
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    write_text(path, json.dumps(figures, indent=1, allow_nan=False) + "\n")
    on_event(Event("saved", {"path": str(path)}))
    for picture, draw in pictures.items():
        draw(figures, folder / picture)
        on_event(Event("saved", {"path": str(folder / picture)}))
