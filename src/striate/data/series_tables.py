"""Read a CSV file with one series a row: its numbers, its label, perhaps a part, a name and others."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.core.errors import DataError, unknown_name
from striate.core.events import OnEvent, ignore
from striate.data.folders import PART_NAMES
from striate.data.listing import readable
from striate.data.numbers import Numbers
from striate.data.progress import Progress
from striate.data.tables import MOST_BYTES, PART_COLUMNS, PATH_COLUMNS

LABEL_COLUMNS = ("label", "class", "category", "target", "class_name", "y")
NAME_COLUMNS = ("name", "id", "series", "record")
OTHER_COLUMNS = ("patient", "subject", "person", "group", "session", "fold", "index")
"""Columns of a heading that are no values of a series even where they hold numbers."""

FEWEST_NUMBERS = 4
"""A row of fewer numbers is no series."""

_HEAD = 1 << 16  # bytes; a longer first row is read further


@dataclass(frozen=True, eq=False)
class SeriesTable:
    """What a table of series says.

    Args:
        values: float32 of shape (N, 1, L).
        labels: the label of each row as text; ``None`` where there is no such column.
        parts: ``train``, ``validation``, ``test`` or ``all`` of each row.
        names: of the rows.
        note: which column holds the labels, where no heading says it; empty otherwise.
    """

    values: Numbers
    labels: tuple[str, ...] | None
    parts: tuple[str, ...]
    names: tuple[str, ...]
    note: str


def is_series_table(path: Path) -> bool:
    """Say whether a table holds series, and does not name files.

    Args:
        path: of a .csv or .tsv file.

    Returns:
        Whether no column of its heading is of paths, and its second row is mostly numbers.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            head = file.read(_HEAD)
            while len(head.splitlines()) < 3 and len(head) < MOST_BYTES and (more := file.read(_HEAD)):
                head += more
    except OSError:
        return False  # who reads it says why it cannot be read
    lines = [line for line in head.splitlines() if line.strip()][:2]
    rows = list(csv.reader(lines, delimiter=_delimiter(head)))
    if not rows or any(cell.strip().lower() in PATH_COLUMNS for cell in rows[0]):
        return False
    cells = [cell for cell in rows[-1] if cell.strip()]
    count = sum(_is_number(cell) for cell in cells)
    return count >= FEWEST_NUMBERS and 2 * count > len(cells)


def read_series_table(path: Path, *, length: int | None = None, on_event: OnEvent = ignore) -> SeriesTable:
    """Read a table of series, labelled or not.

    Args:
        path: a .csv or .tsv file, comma, semicolon or tab between its cells, with one series a row. With a
            heading, one column is ``label`` (or class, category, target), one may be ``split`` (or part), of
            train, val and test, one ``name`` (or id); other columns are of the series where they hold
            numbers. Without one, the first or last column is of labels: the one of whole numbers or texts.
        length: of the series that are wanted, where that is known: rows of so many numbers have no label.
        on_event: told of the progress.

    Returns:
        What it says.

    Raises:
        DataError: where the file cannot be read, rows are of unlike lengths, a cell is no number, or no
            column is of labels, and no length is given.
    """
    rows = _rows(path, on_event)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path} is empty; one series a row is wanted")
    heading = [cell.strip().lower() for cell in first] if _is_heading(first) else None
    body = list(rows) if heading else [first, *rows]
    if not body:
        raise DataError(f"{path} has a heading and no row")
    columns = _columns(heading, body, length)
    values = _numbers(path, heading, body, columns.values)
    label, note = columns.label, ""
    if label is None and heading is None and columns.values and length != len(columns.values):
        label, note = _unnamed_label(path, values)
        values = np.delete(values, 0 if label == 0 else -1, axis=1)
    labels = None if label is None else tuple(_label(row[label]) for row in body)
    parts, names = columns.part, columns.name
    return SeriesTable(
        values[:, None],
        labels,
        tuple("all" if parts is None else _part(row[parts], path) for row in body),
        tuple(
            f"row {number}" if names is None else readable(row[names].strip())
            for number, row in enumerate(body, 1)
        ),
        note,
    )


def read_series_column(path: Path | str, column: str) -> dict[str, str]:
    """Read one more column of a table of series.

    Args:
        path: of the table.
        column: its name in the heading; upper and lower case are the same.

    Returns:
        The name of each series, as `read_series_table` gives it, -> what the column says of it.

    Raises:
        DataError: where there is no such column, or two series have one name.
    """
    rows = list(_rows(Path(path), ignore))
    heading = [cell.strip().lower() for cell in rows[0]] if rows and _is_heading(rows[0]) else []
    if column.strip().lower() not in heading:
        raise DataError(
            f"{path}: {unknown_name('column', column, [n for n in heading if not _is_number(n)])}"
        )
    place = heading.index(column.strip().lower())
    named = _find(heading, NAME_COLUMNS)
    found: dict[str, str] = {}
    for number, row in enumerate(rows[1:], 1):
        name = f"row {number}" if named is None else readable(row[named].strip())
        if found.setdefault(name, row[place].strip()) != row[place].strip():
            raise DataError(f"{path} says two things of {name!r} in {column!r}")
    return found


@dataclass(frozen=True)
class _Columns:
    values: list[int]
    label: int | None
    part: int | None
    name: int | None


def _columns(heading: list[str] | None, body: Sequence[Sequence[str]], length: int | None) -> _Columns:
    """Tell the columns of numbers from the others."""
    texts = {place for place, cell in enumerate(body[0]) if not _is_number(cell)}
    if heading is None:
        label = min(texts) if len(texts) == 1 and texts <= {0, len(body[0]) - 1} else None
        return _Columns([p for p in range(len(body[0])) if p != label], label, None, None)
    label, part, name = (_find(heading, words) for words in (LABEL_COLUMNS, PART_COLUMNS, NAME_COLUMNS))
    if label is None and length is None and len(texts - {part, name}) == 1:
        (label,) = texts - {part, name}
    named = {place for place, word in enumerate(heading) if word in OTHER_COLUMNS}
    others = texts | named | {label, part, name}
    return _Columns([p for p in range(len(heading)) if p not in others], label, part, name)


def _numbers(
    path: Path, heading: list[str] | None, body: Sequence[Sequence[str]], columns: Sequence[int]
) -> Numbers:
    if len(columns) < FEWEST_NUMBERS:
        raise DataError(f"{path} has {len(columns)} columns of numbers, which are no series")
    values = np.empty((len(body), len(columns)), np.float32)
    width = len(body[0])
    for number, row in enumerate(body):
        if len(row) != width:
            raise DataError(
                f"row {number + 1} of {path} has {len(row)} cells, where the first has {width}; series of "
                "one "
                "length work, and folders of .npy files where lengths differ"
            )
        try:
            values[number] = [float(row[place]) for place in columns]
        except ValueError:
            place = next(place for place in columns if not _is_number(row[place]))
            where = f"column {heading[place]!r}" if heading else f"column {place + 1}"
            raise DataError(
                f"row {number + 1} of {path} has {row[place]!r} in {where}, where a number is wanted"
            ) from None
    if not np.isfinite(values).all():
        first = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0]) + 1
        raise DataError(
            f"row {first} of {path} has a value that is no finite number; fill it, or leave it out"
        )
    return values


def _unnamed_label(path: Path, values: Numbers) -> tuple[int, str]:
    """Find the column of labels where nothing names it: few whole numbers, at the beginning or end."""
    ends = {0: values[:, 0], -1: values[:, -1]}
    kinds = {
        end: len(np.unique(column)) for end, column in ends.items() if (column == np.round(column)).all()
    }
    if not kinds:
        raise DataError(
            f"neither the first nor the last column of {path} is of labels (texts, or whole numbers); a "
            "heading "
            "that names the column 'label' works"
        )
    end = min(kinds, key=lambda each: (kinds[each], each != 0))
    return end, f"the {'first' if end == 0 else 'last'} column is taken for the labels"


def _label(cell: str) -> str:
    """Give a label as text, and whole numbers without a point."""
    text = readable(cell.strip())
    return str(int(float(text))) if _is_number(text) and float(text).is_integer() else text


def _part(cell: str, path: Path) -> str:
    part = PART_NAMES.get(cell.strip().lower())
    if part is None:
        raise DataError(f"{path} names the part {cell.strip()!r}, which is none of train, val and test")
    return part


def _is_heading(row: Sequence[str]) -> bool:
    words = [cell.strip().lower() for cell in row]
    known = {*LABEL_COLUMNS, *PART_COLUMNS, *NAME_COLUMNS}
    if words == [str(place) for place in range(len(words))]:
        return True  # as tables are written whose columns have no names
    return any(word in known for word in words) or 2 * sum(map(_is_number, words)) < len(words)


def _find(heading: Sequence[str], words: Sequence[str]) -> int | None:
    return next((heading.index(word) for word in words if word in heading), None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _delimiter(head: str) -> str:
    return max(",;\t", key=head.partition("\n")[0].count)


def _rows(path: Path, on_event: OnEvent) -> Iterator[list[str]]:
    """Read the rows that are not empty."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES >> 20} MiB; an .npz file may be of any size")
        progress = Progress(on_event, "reading series", size, "bytes")
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _delimiter(file.readline())
            file.seek(0)

            def lines() -> Iterator[str]:
                for line in file:
                    progress.advance(len(line))
                    yield line

            yield from (row for row in csv.reader(lines(), delimiter=delimiter) if any(map(str.strip, row)))
        progress.finish()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path} as text in UTF-8: {error}") from error
    except csv.Error as error:
        raise DataError(f"{path} is no CSV file: {error}") from error
