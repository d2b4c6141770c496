"""What a table of images says of their classes: one a row, several in a cell, or a column of 0 and 1 each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from striate.core.errors import DataError
from striate.data.label_sets import EVERY_ONE, names_in, told_sets
from striate.data.listing import counted, readable

ONE = ("label", "class", "category", "target", "class_name")
SEVERAL = ("labels", "tags", "classes", "categories", "targets")
SEPARATORS = ";|"
"""Either may stand between the labels of a row."""

_VALUES = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
_SHOWN = 5


@dataclass(frozen=True)
class TableLabels:
    """The labels of a table.

    Args:
        sets: of each row: one name, or none where it has no label; or any number of them.
        classes: all names, where rows may have several; ``None``: one a row.
        notes: what was decided.
    """

    sets: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def read_labels(
    titles: Sequence[str], rows: Sequence[Sequence[str]], *, others: Collection[int], path: Path
) -> TableLabels:
    """Find out where a table has the labels of its rows, and read them.

    Rows may have several where a cell of the label column has a ``;`` or ``|``, or is empty in a column that
    is called ``labels``; and where two or more columns hold nothing but 0 and 1. Where every row has exactly
    one even so, each is of one class.

    Args:
        titles: the heading.
        rows: a cell for each column.
        others: the columns of paths and parts.
        path: the table, for errors.

    Returns:
        The labels.

    Raises:
        DataError: where there is no such column, or a column of 0 and 1 has empty cells.

    >>> read_labels(["path", "label"], [["a", "cat;dog"], ["b", ""]], others=[0], path=Path("a.csv")).sets
    (('cat', 'dog'), ())
    """
    names = [title.strip().lower() for title in titles]
    column = next((names.index(name) for name in (*SEVERAL, *ONE) if name in names), None)
    if column is not None:
        return _of_cells([row[column].strip() for row in rows], plural=names[column] in SEVERAL)
    return _of_columns(titles, rows, others=others, path=path)


def _of_cells(cells: Sequence[str], *, plural: bool) -> TableLabels:
    found = {sign: sum(sign in cell for cell in cells) for sign in SEPARATORS}
    sign, other = sorted(SEPARATORS, key=lambda each: -found[each])
    several = found[sign] > 0 or (plural and not all(cells))
    if not several:
        notes = (EVERY_ONE,) if plural and cells else ()
        return TableLabels(tuple((readable(cell),) if cell else () for cell in cells), notes=notes)
    split = ([readable(part.strip()) for part in cell.split(sign)] for cell in cells)
    sets = tuple(tuple(dict.fromkeys(part for part in parts if part)) for parts in split)
    if all(len(names) == 1 for names in sets):
        return TableLabels(sets, notes=(EVERY_ONE,))
    note = f"images may have several labels, which '{sign}' separates: {told_sets(sets)}"
    if found[other]:
        note += f"; '{other}' in {counted(found[other], 'row')} is taken as a part of a name"
    return TableLabels(sets, names_in(sets), (note,))


def _of_columns(
    titles: Sequence[str], rows: Sequence[Sequence[str]], *, others: Collection[int], path: Path
) -> TableLabels:
    columns: list[int] = []
    rest: list[str] = []
    for column, title in enumerate(titles):
        if column in others or not title.strip():
            continue
        cells = [row[column].strip().lower() for row in rows]
        odd = next((cell for cell in cells if cell and cell not in _VALUES), None)
        if odd is None and any(cells):
            columns.append(column)
        else:
            rest.append(f"{title.strip()!r} (it has {odd!r:.20})" if odd is not None else repr(title.strip()))
    if len(columns) < 2:
        there = ", ".join(repr(title.strip().lower()) for title in titles)
        raise DataError(
            f"{path} has no column 'label' (it has: {there}); {', '.join(ONE)} would do, or {SEVERAL[0]} "
            f"with several in a cell, or two or more columns of nothing but 0 and 1{_odd_ones(rest)}"
        )
    classes = tuple(readable(titles[column].strip()) for column in columns)
    if len(set(classes)) < len(classes):
        raise DataError(f"{path} has two columns of one name among its labels: {', '.join(classes)}")
    for column, name in zip(columns, classes, strict=True):
        empty = [number for number, row in enumerate(rows, 1) if not row[column].strip()]
        if empty:
            raise DataError(
                f"the column {name!r} of {path} is empty in {counted(len(empty), 'row')}, the first in row "
                f"{empty[0]}, where 0 or 1 is wanted"
            )
    sets = tuple(
        tuple(
            name
            for column, name in zip(columns, classes, strict=True)
            if _VALUES[row[column].strip().lower()]
        )
        for row in rows
    )
    return _told_columns(sets, classes, rest)


def _odd_ones(rest: Sequence[str]) -> str:
    named = [each for each in rest if "(" in each][:_SHOWN]
    return f", which these are not: {', '.join(named)}" if named else ""


def _told_columns(
    sets: tuple[tuple[str, ...], ...], classes: tuple[str, ...], rest: Sequence[str]
) -> TableLabels:
    named = ", ".join(map(repr, classes[:_SHOWN])) + (" ..." if len(classes) > _SHOWN else "")
    note = f"the labels are the {len(classes)} columns of 0 and 1 ({named})"
    if rest:
        more = " ..." if len(rest) > _SHOWN else ""
        note += f"; no labels: {', '.join(rest[:_SHOWN])}{more}"
    if all(len(names) == 1 for names in sets):
        return TableLabels(sets, notes=(note, EVERY_ONE))
    return TableLabels(sets, classes, (f"{note}; {told_sets(sets)}",))
