"""Read a CSV file that names images and their classes."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from striate.core.errors import DataError, unknown_name
from striate.data.dataset import Rejected
from striate.data.folders import PART_NAMES
from striate.data.listing import LabelledFile, Listing, counted, open_binary, readable
from striate.data.table_labels import read_labels

TABLE_SUFFIXES = (".csv", ".tsv")
MOST_BYTES = 1 << 30

PATH_COLUMNS = ("path", "image", "file", "filename", "file_name", "filepath", "image_path")
PART_COLUMNS = ("split", "part", "subset", "partition")


def scan_table(path: Path) -> Listing:
    """List the images that a CSV file names, with their classes and parts.

    Paths are relative to the CSV file's folder. The delimiter is found out: comma, semicolon or tab.

    Args:
        path: a file with a heading; one column is ``path`` (or image, file, filename), one ``label`` (or
            class, category), and one may be ``split`` (or part), of train, val and test. Images may have
            several labels: see `striate.data.table_labels.read_labels`.

    Returns:
        The images in the order of the rows; those that are not there are among the rejected.

    Raises:
        DataError: where the file cannot be read, a column is missing, or no image that it names is there.
    """
    rows = _rows(path)
    if not rows:
        raise DataError(f"{path} is empty; a heading with path and label is wanted")
    heading = [name.strip().lower() for name in rows[0]]
    path_column = _find(heading, PATH_COLUMNS, "path", path)
    part_column = next((heading.index(name) for name in PART_COLUMNS if name in heading), None)
    cells_of = [[*row, *[""] * (len(heading) - len(row))] for row in rows[1:] if any(map(str.strip, row))]
    others = {path_column} if part_column is None else {path_column, part_column}
    labels = read_labels(rows[0], cells_of, others=others, path=path)
    files: list[LabelledFile] = []
    rejected: list[Rejected] = []
    for cells, names in zip(cells_of, labels.sets, strict=True):
        name = cells[path_column]
        part = "all" if part_column is None else PART_NAMES.get(cells[part_column].strip().lower(), "")
        reason = _problem(path.parent, name, labelled=bool(names) or labels.classes is not None, part=part)
        if reason:
            rejected.append(Rejected(readable(name), reason))
        else:
            place = path.parent / name
            opener, sets = partial(open_binary, place), None if labels.classes is None else names
            files.append(LabelledFile(readable(name), ", ".join(names), part, opener, place, sets))
    if not files:
        first = f"; the first, {rejected[0].name!r}: {rejected[0].reason}" if rejected else ""
        raise DataError(f"none of the {counted(len(rejected), 'row')} of {path} names an image to use{first}")
    return Listing(tuple(files), tuple(rejected), labels.notes, labels.classes)


def read_column(path: Path | str, column: str) -> dict[str, str]:
    """Read one more column of a CSV file that names images.

    Args:
        path: as for `scan_table`.
        column: its name in the heading; upper and lower case are the same.

    Returns:
        The name of each image, as in the listing, -> what the column says of it, stripped.

    Raises:
        DataError: where the file cannot be read, there is no such column, or it says two things of one image.
    """
    path = Path(path)
    rows = _rows(path) or [[]]
    heading = [name.strip().lower() for name in rows[0]]
    path_column = _find(heading, PATH_COLUMNS, "path", path)
    if column.strip().lower() not in heading:
        raise DataError(f"{path}: {unknown_name('column', column, heading)}")
    place = heading.index(column.strip().lower())
    found: dict[str, str] = {}
    for row in rows[1:]:
        cells = [*row, *[""] * (len(heading) - len(row))]
        name, value = readable(cells[path_column]), cells[place].strip()
        if name.strip() and found.setdefault(name, value) != value:
            raise DataError(f"{path} says both {found[name]!r} and {value!r} of {name!r} in {column!r}")
    return found


def _rows(path: Path) -> list[list[str]]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path} as text in UTF-8: {error}") from error
    heading = text.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error as error:
        raise DataError(f"{path} is no CSV file: {error}") from error


def _find(heading: Sequence[str], names: Sequence[str], wanted: str, path: Path) -> int:
    for name in names:
        if name in heading:
            return heading.index(name)
    there = ", ".join(repr(name) for name in heading)
    raise DataError(f"{path} has no column '{wanted}' (it has: {there}); {', '.join(names)} would do")


def _problem(folder: Path, name: str, *, labelled: bool, part: str) -> str:
    if not name.strip():
        return "the row names no file"
    if not labelled:
        return "the row has no label"
    if not part:
        return "the row's part is none of train, val and test"
    # A regular file: a pipe or device could block for ever.
    return "" if os.path.isfile(folder / name) else "there is no such file"
