"""Series, volumes and clips to be predicted, in .npy, .npz, .csv and video files, read when wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from striate.core.errors import DataError
from striate.data.arrays import DAMAGE, PART_KEYS
from striate.data.axes import NOUNS
from striate.data.clips import VIDEO_SUFFIXES, ClipReader
from striate.data.folders import walk
from striate.data.npz_arrays import NpzArrays
from striate.data.numbers import Numbers, prepare_numbers
from striate.data.series_tables import read_series_table
from striate.data.tables import TABLE_SUFFIXES

ITEM_SUFFIXES = (".npy", ".npz", *TABLE_SUFFIXES, *VIDEO_SUFFIXES)


@dataclass(frozen=True)
class Item:
    """One series, volume or clip of a file.

    Args:
        name: of the file, and of the item where there are several in it.
        load: reads it, as the model takes it; may raise DataError or OSError.
    """

    name: str
    load: Callable[[], Numbers]


@dataclass(frozen=True)
class ItemsTaken:
    """What a model takes.

    Args:
        size: of every spatial axis.
        channels: how many.
        fit: how what is of another size is fitted.
        numbers: whether it takes any numbers, and not pixels.
    """

    size: tuple[int, ...]
    channels: int
    fit: str
    numbers: bool

    def prepare(self, values: object, name: str = "it") -> Numbers:
        """Bring values to what the model takes.

        Args:
            values: as for `striate.data.numbers.prepare_numbers`.
            name: what they are called in an error.

        Returns:
            C x spatial.

        Raises:
            DataError: where they cannot be.
        """
        return prepare_numbers(
            values, size=self.size, channels=self.channels, fit=self.fit, numbers=self.numbers, name=name
        )

    def is_one(self, array: Any) -> bool:
        """Say whether an array is one item, and not many.

        Args:
            array: any array or tensor.

        Returns:
            Whether it has the axes of one.

        >>> taken = ItemsTaken((100,), 12, "pad", True)
        >>> taken.is_one(np.zeros((12, 90))), taken.is_one(np.zeros((5, 12, 100)))
        (True, False)
        """
        dims = len(self.size)
        if array.ndim == dims:
            return self.channels == 1
        if array.ndim == dims + 1:
            return self.channels != 1 or 1 in (int(array.shape[0]), int(array.shape[-1]))
        return False


def items_of(path: Path, taken: ItemsTaken) -> list[Item]:
    """List the items of a file, or of the files of a folder.

    Args:
        path: of an .npy (one item, or many), an .npz (its test part, or what it has), a .csv with one series
            a row, a video, or a folder of these, searched with all its folders.
        taken: what the model takes.

    Returns:
        The items, in order.

    Raises:
        DataError: where there is no such path, or it holds nothing that the model takes.
    """
    if path.is_dir():
        files = [file for file in walk(path)[0] if file.suffix.lower() in ITEM_SUFFIXES]
        return [item for file in files for item in _of_file(file, taken)]
    if not path.is_file():
        raise DataError(f"there is no file or folder {str(path)!r}")
    return _of_file(path, taken)


def _of_file(path: Path, taken: ItemsTaken) -> list[Item]:
    suffix, dims = path.suffix.lower(), len(taken.size)
    if suffix in VIDEO_SUFFIXES and dims == 3:
        return [
            Item(str(path), partial(_read_video, path, ClipReader(taken.size, taken.fit, taken.channels)))
        ]
    if suffix in TABLE_SUFFIXES and dims == 1 and taken.channels == 1:
        table = read_series_table(path, length=taken.size[0])
        rows = zip(table.names, table.values, strict=True)
        return [Item(f"{path}: {name}", partial(taken.prepare, values)) for name, values in rows]
    if suffix not in (".npy", ".npz"):
        what = f"{taken.channels}x{'x'.join(map(str, taken.size))}"
        raise DataError(
            f"{path} is no file of {NOUNS[dims]}; the model takes those of {what}, in .npy or .npz"
        )
    try:
        array = _array(path)
    except DAMAGE as error:
        raise DataError(f"cannot read {path}: {str(error) or type(error).__name__}") from error
    if array.ndim < dims or not len(array):
        raise DataError(f"{path} has an array of shape {array.shape}, which holds no {NOUNS[dims]}")
    if taken.is_one(array):
        return [Item(str(path), partial(taken.prepare, array))]
    return [Item(f"{path}: {row}", partial(_prepare_row, taken, array, row)) for row in range(len(array))]


def _array(path: Path) -> Numbers:
    if path.suffix.lower() == ".npy":
        opened: Numbers = np.load(path, mmap_mode="r", allow_pickle=False)
        return opened
    with np.load(path, allow_pickle=False) as file:
        arrays = NpzArrays(file, path)
        parts = {part: next((key for key in keys if key in arrays), None) for part, keys, _ in PART_KEYS}
        key = next((parts[part] for part in ("test", "all", "validation", "train") if parts[part]), None)
        if key is None and len(arrays) == 1:
            (key,) = arrays
        if key is None:
            raise DataError(f"{path} has the arrays {', '.join(arrays)}, where x or x_test is wanted")
        return arrays[key]


def _prepare_row(taken: ItemsTaken, array: Numbers, row: int) -> Numbers:
    return taken.prepare(array[row])


def _read_video(path: Path, reader: ClipReader) -> Numbers:
    with path.open("rb") as content:
        return reader.read_clip(content)
