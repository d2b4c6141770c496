"""Which images belong together: by a pattern on their names, a column of their table, or as duplicates."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from striate.core.errors import DataError
from striate.core.events import OnEvent, ignore
from striate.data.dataset import Labels
from striate.data.duplicates import Links, find_duplicates
from striate.data.listing import counted
from striate.data.same_numbers import digests_of
from striate.data.series_tables import is_series_table, read_series_column
from striate.data.sketching import sketch
from striate.data.stored import Images
from striate.data.tables import TABLE_SUFFIXES, read_column

DUPLICATES = "duplicates"
"""The word for groups of pictures that are the same, or nearly so."""


def group_names(group_by: str, names: Sequence[str] | None, *, source: str | None) -> list[str]:
    """Give the name of each image's group.

    Args:
        group_by: a regular expression with a part in parentheses, which is looked for in the names and whose
            parenthesised parts are the group; or a column of the table.
        names: of the images' files; ``None`` for arrays.
        source: path of the table, where the images are of one.

    Returns:
        A name for each image.

    Raises:
        DataError: where there are no names or no such column, the pattern is none, or an image has no group.

    >>> group_names(r"(patient\\d+)_", ["a/patient7_left.png", "b/patient7_right.png"], source=None)
    ['patient7', 'patient7']
    """
    if names is None:
        raise DataError(
            f"images in arrays have no file names, so they cannot be grouped by {group_by!r}; a folder, an "
            "archive or a .csv can"
        )
    if "(" in group_by:
        return _by_pattern(group_by, names)
    if source is None or not source.lower().endswith(TABLE_SUFFIXES):
        raise DataError(
            f"{group_by!r} has no part in parentheses, so it is no pattern of file names, and only a .csv "
            f"has columns; a pattern such as '([^/]+)_[0-9]+' or the word {DUPLICATES!r} works"
        )
    return _by_column(group_by, names, source)


def duplicate_groups(images: Images, on_event: OnEvent = ignore) -> Labels:
    """Group images so that duplicates, near ones among them, are together and others alone.

    Args:
        images: uint8 of shape (N, C, H, W); of series and volumes only those are duplicates whose numbers are
            the same.
        on_event: told of the progress.

    Returns:
        The number of each image's group, (N).
    """
    if images.ndim != 4:
        return numbered([digest.hex() for digest in digests_of(images, on_event)])
    links = Links(len(images))
    for pair in find_duplicates(sketch(images, on_event=on_event), on_event=on_event):
        links.join(pair.first, pair.second)
    return numbered([str(root) for root in links.roots().tolist()])


def numbered(names: Sequence[str]) -> Labels:
    """Number groups by their first image.

    Args:
        names: the group of each image.

    Returns:
        int64 (N).

    >>> numbered(["b", "a", "b"]).tolist()
    [0, 1, 0]
    """
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)


def check_parts(groups: Sequence[str], parts: Sequence[str]) -> None:
    """Refuse parts of a source that share a group, where one of them is trained on.

    Args:
        groups: the name of each image's group.
        parts: ``train``, ``validation``, ``test`` or ``all`` of each image.

    Raises:
        DataError: naming the first group, and how many there are.
    """
    where: dict[str, set[str]] = {}
    for group, part in zip(groups, parts, strict=True):
        where.setdefault(group, set()).add("train" if part == "all" else part)
    shared = sorted(group for group, there in where.items() if "train" in there and len(there) > 1)
    if shared:
        others = " and ".join(sorted(where[shared[0]] - {"train"}))
        raise DataError(
            f"on both sides of a split that the data bring: {counted(len(shared), 'group')} of "
            f"{len(where):,}, the first {shared[0]!r} in train and {others}; move its files to one side, or "
            "leave out --group-by"
        )


def _by_pattern(pattern: str, names: Sequence[str]) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"{pattern!r} is no pattern of file names: {error}") from error
    if not compiled.groups:
        raise DataError(f"{pattern!r} has no part in parentheses that would be the group")
    found = []
    missed = []
    for name in names:
        match = compiled.search(name)
        found.append("/".join(part or "" for part in match.groups()) if match else "")
        if not found[-1].strip("/"):
            missed.append(name)
    if missed:
        raise DataError(
            f"the pattern {pattern!r} gives no group for {len(missed):,} of {counted(len(names), 'file')}, "
            f"the first {missed[0]!r}; one that is found in every name works"
        )
    return found


def _by_column(column: str, names: Sequence[str], source: str) -> list[str]:
    read = read_series_column if is_series_table(Path(source)) else read_column
    values = read(source, column)
    found = [values.get(name, "") for name in names]
    empty = [name for name, value in zip(names, found, strict=True) if not value]
    if empty:
        raise DataError(
            f"the column {column!r} of {os.path.basename(source)} is empty for "
            f"{counted(len(empty), 'image')}, the first {empty[0]!r}; every image needs a group"
        )
    return found
