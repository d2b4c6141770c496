"""Read the tables of a set in Broden's layout: its labels and its index; nothing of them is trusted."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from striate.core.errors import DataError, unknown_name
from striate.data.dataset import Rejected
from striate.data.listing import readable

MOST_BYTES = 1 << 30
"""The longest table that is read."""

LARGEST_NUMBER = 255 + 256 * 255
"""The largest number of a label that two channels of a mask can hold."""

_SIZES = ("ih", "iw", "sh", "sw")
_LONGEST_SIDE = 1 << 14
_MOST_LAYERS = 64  # labels and masks in one category of an image


@dataclass(frozen=True)
class Label:
    """A concept that pixels or whole images are labelled with.

    Args:
        number: in masks.
        name: of the concept.
        category: its main one: the one in which it covers most.
    """

    number: int
    name: str
    category: str


@dataclass(frozen=True)
class LabelledImage:
    """A row of the index.

    Args:
        image: the image's file, relative to ``images/``.
        size: height and width of the image, pixels.
        mask_size: height and width of its masks, pixels.
        whole: numbers of labels of the whole image.
        masks: its mask files, relative to ``images/``.
    """

    image: str
    size: tuple[int, int]
    mask_size: tuple[int, int]
    whole: tuple[int, ...]
    masks: tuple[str, ...]


def read_labels(folder: Path) -> tuple[list[str], list[Label]]:
    """Read the categories, and the labels with the category in which each covers most.

    Args:
        folder: that holds category.csv, label.csv, and a c_CATEGORY.csv for each category.

    Returns:
        The names of the categories, and the labels in the order of their numbers.

    Raises:
        DataError: where a table is missing, damaged, or contradicts itself.
    """
    table = folder / "category.csv"
    categories = [row["name"] for row in _table(table, ("name",))]
    covered: dict[int, tuple[float, str]] = {}
    for category in categories:
        if category != PurePosixPath(category).name or "\\" in category:
            raise DataError(f"{table} has a category {readable(category)!r}, which names no file")
        covers = folder / f"c_{category}.csv"
        for row in _table(covers, ("number", "coverage")):
            number = _number(row["number"], covers)
            try:
                share = float(row["coverage"])
            except ValueError as error:
                raise DataError(f"{covers}: the coverage {row['coverage'][:40]!r} is no number") from error
            covered[number] = max(covered.get(number, (-1.0, "")), (share, category))
    table = folder / "label.csv"
    found = _table(table, ("number", "name"))
    rows = [(_number(row["number"], table), readable(row["name"])) for row in found]
    if len({number for number, _ in rows}) < len(rows):
        raise DataError(f"{table} has a number twice")
    labels = [Label(number, name, covered[number][1]) for number, name in rows if number in covered]
    return categories, sorted(labels, key=lambda label: label.number)


def read_index(
    folder: Path, categories: Sequence[str], split: str | None, numbers: set[int]
) -> tuple[list[LabelledImage], list[Rejected]]:
    """Read the rows of the index that have a label.

    Args:
        folder: that holds index.csv and ``images/``.
        categories: whose labels are wanted.
        split: whose rows are wanted; ``None``: all.
        numbers: of all labels.

    Returns:
        The images, and those that cannot be used.

    Raises:
        DataError: where the table is missing or damaged, or there is no such split.
    """
    table = _table(folder / "index.csv", ("image", "split", *_SIZES, *categories))
    splits = sorted({row["split"] for row in table})
    if split is not None and split not in splits:
        raise DataError(unknown_name("split", split, splits))
    rows: list[LabelledImage] = []
    rejected: list[Rejected] = []
    for row in table:
        if split is not None and row["split"] != split:
            continue
        found = _row(folder, row, categories, numbers)
        if isinstance(found, str):
            rejected.append(Rejected(readable(row["image"]), found))
        elif found.whole or found.masks:
            rows.append(found)
    return rows, rejected


def _row(
    folder: Path, row: dict[str, str], categories: Sequence[str], numbers: set[int]
) -> LabelledImage | str:
    """Read a row, or say why it cannot be used."""
    sizes = [int(row[name]) if _is_number(row[name]) else 0 for name in _SIZES]
    if not all(0 < size <= _LONGEST_SIDE for size in sizes):
        return f"its sizes are {', '.join(row[name][:12] or 'nothing' for name in _SIZES)}"
    whole: list[int] = []
    masks: list[str] = []
    for category in categories:
        cells = [cell for cell in row[category].split(";") if cell]
        if len(cells) > _MOST_LAYERS:
            return f"it has {len(cells)} labels of the category {category}, where {_MOST_LAYERS} are read"
        for cell in cells:
            if _is_number(cell):
                whole.append(int(cell))
            else:
                masks.append(cell)
    unknown = next((number for number in whole if number not in numbers), None)
    if unknown is not None:
        return f"it has the label {unknown}, which label.csv does not name"
    for name in (row["image"], *masks):
        if _leads_out(name):
            return f"{readable(name)[:80]!r} leads out of the folder"
        # A regular file: a pipe or device could block for ever.
        if not os.path.isfile(folder / "images" / name):
            return f"there is no file images/{readable(name)[:80]}"
    lossy = next((name for name in masks if not name.lower().endswith(".png")), None)
    if lossy is not None:
        return f"its mask {readable(lossy)[:80]!r} is no PNG, and other formats change the numbers of pixels"
    height, width, tall, wide = sizes
    return LabelledImage(row["image"], (height, width), (tall, wide), tuple(whole), tuple(masks))


def _leads_out(name: str) -> bool:
    slashed = name.replace("\\", "/")
    absolute = PurePosixPath(slashed).is_absolute() or name[1:2] == ":"
    return absolute or ".." in slashed.split("/") or "\0" in name


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


def _number(text: str, path: Path) -> int:
    if not _is_number(text) or not 0 < int(text) <= LARGEST_NUMBER:
        raise DataError(f"{path} has the number {text[:20]!r}, where 1 to {LARGEST_NUMBER} can be")
    return int(text)


def _table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read the columns wanted of a table with a heading; every row has a text for each."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read {path} as text in UTF-8: {reason}") from error
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise DataError(f"{path} is no CSV file: {error}") from error
    heading = [name.strip() for name in rows[0]] if rows else []
    missing = next((name for name in columns if name not in heading), None)
    if missing is not None:
        there = ", ".join(repr(name) for name in heading[:20]) or "nothing"
        raise DataError(f"{path} has no column {missing!r} (it has: {there})")
    places = {name: heading.index(name) for name in columns}
    filled = [[*row, *[""] * (len(heading) - len(row))] for row in rows[1:] if any(row)]
    return [{name: row[place].strip() for name, place in places.items()} for row in filled]
