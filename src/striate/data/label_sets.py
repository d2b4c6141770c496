"""Labels of images that may have several: a table with a row for each image and a column for each class."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError
from striate.data.dataset import Labels
from striate.data.listing import class_order, counted

EVERY_ONE = "every image has exactly one label, so that it is of one class"
"""What is said where several labels were possible and none has several."""


def label_table(sets: Sequence[Iterable[str]], classes: Sequence[str]) -> Labels:
    """Make the table of labels that are given by name.

    Args:
        sets: the labels of each image, all of them in ``classes``.
        classes: the columns.

    Returns:
        uint8 (N, K): 1 where the image has the label.

    >>> label_table([["cat", "dog"], []], ["ant", "cat", "dog"]).tolist()
    [[0, 1, 1], [0, 0, 0]]
    """
    place = {name: column for column, name in enumerate(classes)}
    table = np.zeros((len(sets), len(classes)), np.uint8)
    for row, names in enumerate(sets):
        table[row, [place[name] for name in names]] = 1
    return as_labels(table)


def as_labels(table: npt.NDArray[Any]) -> Labels:
    """Let a table pass for the labels that most sets have, to those who check types.

    Args:
        table: (N, K) of zeros and ones.

    Returns:
        The same, as uint8.
    """
    return cast(Labels, table.astype(np.uint8, copy=False))


def images_of_classes(labels: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Count the images of each class.

    Args:
        labels: the class of each image, (N); or a table, (N, K).
        classes: how many there are.

    Returns:
        int64 (K).

    >>> images_of_classes(np.array([0, 2, 2]), 3).tolist()
    [1, 0, 2]
    """
    if labels.ndim == 2:
        counts: npt.NDArray[np.int64] = labels.sum(axis=0, dtype=np.int64)
        return counts
    return np.bincount(labels, minlength=classes)


def refuse_several(labels: Labels, *, what: str) -> None:
    """Refuse images with several labels where one class an image is needed.

    Args:
        labels: of the images.
        what: who needs it, to begin a sentence with.

    Raises:
        DataError: where the labels are a table.
    """
    if labels.ndim == 2:
        raise DataError(
            f"{what} needs images of one class each, and these may have several of {labels.shape[1]} labels"
        )


def sets_of_names(values: Any) -> list[tuple[str, ...]] | None:
    """Take labels that are given as a collection of names for each image.

    Args:
        values: anything.

    Returns:
        The names of each image; ``None`` where something else is given.

    >>> sets_of_names([{"cat"}, ()]), sets_of_names([[0, 1]]), sets_of_names(["cat"])
    ([('cat',), ()], None, None)
    """
    if not isinstance(values, list | tuple) or not values:
        return None
    if not all(isinstance(each, list | tuple | set | frozenset) for each in values):
        return None
    if not all(isinstance(name, str) for each in values for name in each) or not any(values):
        return None
    return [tuple(each) for each in values]


def check_table(values: npt.NDArray[Any], what: str) -> npt.NDArray[np.uint8]:
    """Check labels that are given as a table of numbers.

    Args:
        values: (N, K) of any type.
        what: what they are called in an error, with shape and type.

    Returns:
        uint8 (N, K).

    Raises:
        DataError: where they are not all 0 or 1.
    """
    if values.dtype.kind not in "uifb" or not np.isin(values, (0, 1)).all():
        shown = "" if values.dtype.kind not in "uif" else f", and has {_odd(values)}"
        raise DataError(f"{what} is no table of labels{shown}; a 0 or 1 for each image and class is wanted")
    return values.astype(np.uint8)


def join_tables(
    tables: Sequence[npt.NDArray[Any]], names: Collection[str] | None, notes: list[str]
) -> tuple[tuple[str, ...], Labels]:
    """Join the labels of all parts, some of which are tables.

    Args:
        tables: of each part, as `check_table` gives them.
        names: of the columns; ``None``: they are numbered.
        notes: what is decided is appended here.

    Returns:
        The classes, and labels of all images: a table, or the class of each where each has exactly one.

    Raises:
        DataError: where parts have other columns, or not each of them is a table, or names do not fit.
    """
    shapes = {values.shape[1:] for values in tables}
    if len(shapes) > 1:
        said = " and ".join(str((len(values), *values.shape[1:])) for values in tables)
        raise DataError(
            f"the labels of the parts have the shapes {said}, where one number of columns is wanted"
        )
    table = np.concatenate(tables)
    classes = tuple(map(str, range(table.shape[1]))) if names is None else tuple(map(str, names))
    if len(classes) != table.shape[1]:
        raise DataError(f"classes has {len(classes)} names for labels of {table.shape[1]} columns")
    if len(set(classes)) < len(classes):
        raise DataError("classes names a class twice")
    if (table.sum(axis=1) == 1).all():
        notes.append(EVERY_ONE)
        return classes, table.argmax(axis=1).astype(np.int64)
    return classes, as_labels(table)


def names_in(sets: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Give all names that occur in sets of labels, in the order of classes.

    Args:
        sets: the labels of each image.

    Returns:
        Each name once.
    """
    return class_order(name for names in sets for name in names)


def told_sets(sets: Sequence[Sequence[str]]) -> str:
    """Say how many labels images have.

    Args:
        sets: the labels of each.

    Returns:
        The end of a sentence, such as ``1.5 labels an image, and 2 images have none``.

    >>> told_sets([("cat", "dog"), ("cat",), ()])
    '1 label an image, and 1 image has none'
    """
    mean = sum(map(len, sets)) / max(1, len(sets))
    none = sum(not names for names in sets)
    said = f"{mean:.2g} {'label' if mean == 1 else 'labels'} an image"
    if none:
        said += f", and {counted(none, 'image')} {'has' if none == 1 else 'have'} none"
    return said


def _odd(values: npt.NDArray[Any]) -> str:
    row, column = np.argwhere(~np.isin(values, (0, 1)))[0].tolist()
    return f"{values[row, column]} in row {row + 1}, column {column + 1}"
