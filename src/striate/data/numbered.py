"""Collect series, volumes and clips: arrays of one type and shape, in memory or mapped, and tables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from striate.core.errors import DataError
from striate.core.events import OnEvent, ignore
from striate.data.assembling import Collection
from striate.data.axes import NOUNS, Axes, axes_of
from striate.data.dataset import Pixels
from striate.data.listing import class_order
from striate.data.numbers import Numbers, check_finite, check_type, fill_checked, number_type
from striate.data.series_tables import read_series_table
from striate.data.stored import as_pixels
from striate.data.stored_numbers import MappedNumbers

_PARTS = ("train", "validation", "val", "test")


@dataclass(frozen=True, eq=False)
class Items:
    """The items of one part of a source, before those of all parts are joined.

    Args:
        name: of their array.
        array: N x C x spatial, as it is stored.
        dims: spatial axes.
    """

    name: str
    array: Numbers
    dims: int


def read_items(array: Numbers, name: str, notes: list[str], *, stated: str | None = None) -> Items:
    """Find out what an array holds, and give its items with their channels first.

    Args:
        array: any, maybe a memory map.
        name: of the array, for notes and errors.
        notes: what was decided is appended here.
        stated: as for `striate.data.axes.read_axes`.

    Returns:
        The items; those of images just as they were given.

    Raises:
        DataError: where what is stated does not fit, or the array holds no numbers.
    """
    axes: Axes = axes_of(array, name=name, stated=stated)
    if axes.dims == 2:
        return Items(name, array, 2)
    check_type(array, name)
    if axes.note and stated is None:
        notes.append(f"{axes.note}; an array 'axes' beside it, such as 'NCL', would say otherwise")
    return Items(name, axes.channels_first(array), axes.dims)


def join_items(parts: Sequence[Items], on_event: OnEvent = ignore) -> Pixels:
    """Join the items of all parts, in one array or as maps of the disk.

    Args:
        parts: of one number of axes, but not of images.
        on_event: told of the progress.

    Returns:
        N x C x spatial: uint8 where all are, else float32; copied where they are in memory.

    Raises:
        DataError: where the parts are of unlike shapes, or a value is not finite.
    """
    shapes = {items.array.shape[1:] for items in parts}
    if len(shapes) > 1:
        spelled = ", ".join("x".join(map(str, shape)) for shape in sorted(shapes))
        raise DataError(f"the parts have {NOUNS[parts[0].dims]} of unlike shapes: {spelled}")
    dtype = number_type([items.array.dtype for items in parts])
    if any(isinstance(items.array, np.memmap) for items in parts):
        for items in parts:
            check_finite(items.array, items.name, on_event)
        return as_pixels(MappedNumbers([items.array for items in parts], dtype))
    joined = np.empty((sum(len(items.array) for items in parts), *parts[0].array.shape[1:]), dtype)
    start = 0
    for items in parts:
        fill_checked(joined[start : start + len(items.array)], items.array, items.name, on_event)
        start += len(items.array)
    return joined


def item_names(arrays: Mapping[str, Any], key: str, length: int) -> tuple[str, ...] | None:
    """Give the names of the items of an array, which lie beside it.

    Args:
        arrays: by name.
        key: of the items, such as ``x_train``, whose names are ``names_train``, or ``x``, whose are
            ``names``.
        length: how many items there are.

    Returns:
        Their names; ``None`` where there are none.

    Raises:
        DataError: where there are more or fewer names than items.

    >>> item_names({"x": 0, "names": np.array(["a", "b"])}, "x", 2)
    ('a', 'b')
    """
    part = next((part for part in _PARTS if part in key.lower()), None)
    beside = "names" if part is None else f"names_{part}"
    if beside not in arrays:
        return None
    names = tuple(str(name) for name in np.asarray(arrays[beside]).ravel().tolist())
    if len(names) != length:
        raise DataError(f"{key} has {length} items but {beside} has {len(names)} names")
    return names


def joined_names(parts: Sequence[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    """Join the names of the items of all parts.

    Args:
        parts: of each.

    Returns:
        All of them; ``None`` where a part has none.

    >>> joined_names([("a",), None]) is None
    True
    """
    known = [names for names in parts if names is not None]
    return tuple(name for names in known for name in names) if len(known) == len(parts) else None


def collect_series_table(path: Path, on_event: OnEvent = ignore) -> Collection:
    """Read a table of labelled series.

    Args:
        path: as for `striate.data.series_tables.read_series_table`.
        on_event: told of the progress.

    Returns:
        The series, of one channel.

    Raises:
        DataError: where the table cannot be read, or has no labels.
    """
    table = read_series_table(path, on_event=on_event)
    if table.labels is None:
        raise DataError(f"{path} has no column of labels; a heading that names it 'label' works")
    classes = class_order(table.labels)
    position = {name: index for index, name in enumerate(classes)}
    return Collection(
        name=path.stem,
        source=os.path.abspath(path),
        images=as_pixels(table.values),
        labels=np.array([position[label] for label in table.labels], np.int64),
        parts=np.array(table.parts),
        classes=classes,
        names=table.names,
        notes=(table.note,) if table.note else (),
        flip=False,
        fill=(0,),
    )
