"""Series and volumes that are too many for the memory: mapped arrays, and files read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from striate.core.errors import DataError
from striate.data.dataset import Labels
from striate.data.numbers import Numbers, prepare_numbers
from striate.data.stored import StoredImages
from striate.data.working import BLOCK, in_threads

Load = Callable[[], Numbers]
"""Reads one item, of any size; may raise DataError or OSError."""


class MappedNumbers(StoredImages):
    """Items of arrays that lie on the disk, one array after the other.

    Args:
        arrays: memory maps of N x C x spatial, of any order in memory and any real type.
        dtype: uint8 or float32, which values become as they are read.
        rows: which of all items these are, in order; ``None``: all.
    """

    def __init__(
        self, arrays: Sequence[Numbers], dtype: np.dtype[Any], *, rows: Labels | None = None
    ) -> None:
        ends = np.cumsum([len(array) for array in arrays])
        chosen = np.arange(int(ends[-1]), dtype=np.int64) if rows is None else rows
        super().__init__(arrays[0].shape[1:], chosen, dtype)
        self._arrays = arrays
        self._ends = ends

    def _read(self, rows: Labels, into: Numbers) -> None:
        of_array = np.searchsorted(self._ends, rows, side="right")
        for number, array in enumerate(self._arrays):
            places = np.flatnonzero(of_array == number)
            if len(places):
                first = int(self._ends[number]) - len(array)
                into[places] = array[rows[places] - first]

    def _with_rows(self, rows: Labels) -> Self:
        return type(self)(self._arrays, self.dtype, rows=rows)


class ReadNumbers(StoredImages):
    """Items that are read from their files anew each time they are asked for, in threads.

    Args:
        loads: one for each item.
        shape: channels and size that each becomes.
        dtype: uint8 or float32, which values become.
        fit: ``pad``, ``crop`` or ``stretch``.
        rows: which of the items these are, in order; ``None``: all.
    """

    def __init__(
        self,
        loads: Sequence[Load],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        fit: str,
        rows: Labels | None = None,
    ) -> None:
        super().__init__(shape, np.arange(len(loads), dtype=np.int64) if rows is None else rows, dtype)
        self._loads = loads
        self._fit = fit

    def _read(self, rows: Labels, into: Numbers) -> None:
        def work(position: int) -> None:
            into[position] = self._item(int(rows[position]))

        blocks = [range(len(rows))[first : first + BLOCK] for first in range(0, len(rows), BLOCK)]
        for _ in in_threads(work, blocks):
            pass

    def _item(self, row: int) -> Numbers:
        channels, *size = self.shape[1:]
        try:
            return prepare_numbers(
                self._loads[row](),
                size=tuple(size),
                channels=channels,
                fit=self._fit,
                numbers=self.dtype != np.uint8,
            )
        except (DataError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DataError(
                f"an item could be read when the data were opened, and now not any more: {reason}"
            ) from error

    def _with_rows(self, rows: Labels) -> Self:
        return type(self)(self._loads, self.shape[1:], self.dtype, fit=self._fit, rows=rows)
