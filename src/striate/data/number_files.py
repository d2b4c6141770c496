"""Gather folders of .npy files or of videos: a series, a volume or a clip each, brought to one size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from striate.core.errors import DataError
from striate.core.events import OnEvent
from striate.data.arrays import DAMAGE
from striate.data.axes import NOUNS, read_axes
from striate.data.dataset import Rejected
from striate.data.folders import Sought
from striate.data.gathering import Gathered
from striate.data.listing import LabelledFile, Listing
from striate.data.memory import fits_memory
from striate.data.numbers import Numbers, number_type, prepare_numbers
from striate.data.stored import as_pixels
from striate.data.stored_numbers import ReadNumbers
from striate.data.wanted import Wanted
from striate.data.working import each

NUMBERS = Sought((".npy",), "array")


@dataclass(frozen=True)
class Measured:
    """What is known of an item before it is read.

    Args:
        channels: how many.
        size: of every spatial axis.
        dtype: of its values.
    """

    channels: int
    size: tuple[int, ...]
    dtype: np.dtype[Any]


class Reader(Protocol):
    """Reads the files of one kind."""

    def sized(self, channels: int, size: tuple[int, ...], fit: str) -> Reader:
        """Give what reads items so that they become of a size, where it can."""

    def measure(self, file: LabelledFile) -> Measured:
        """Look at a file; raises DataError or OSError where it cannot be used."""

    def read(self, file: LabelledFile) -> Numbers:
        """Read an item, C x spatial; raises DataError or OSError where it cannot be read."""


class NumberReader:
    """Reads .npy files of a series or a volume each.

    >>> import io
    >>> content = io.BytesIO()
    >>> np.save(content, np.full((100, 12), -1.0))
    >>> file = LabelledFile("a.npy", "a", "all", lambda: io.BytesIO(content.getvalue()))
    >>> NumberReader().read(file).shape
    (12, 100)
    """

    def sized(self, channels: int, size: tuple[int, ...], fit: str) -> NumberReader:
        """Give the same reader: what it reads is fitted afterwards.

        Args:
            channels: that are wanted.
            size: that is wanted.
            fit: how.

        Returns:
            Itself.
        """
        del channels, size, fit
        return self

    def measure(self, file: LabelledFile) -> Measured:
        """Look at a file.

        Args:
            file: of the folder.

        Returns:
            What is known of it.

        Raises:
            DataError: where it holds no series or volume.
            OSError: where it cannot be read.
        """
        array = self.read(file)
        return Measured(len(array), array.shape[1:], array.dtype)

    def read(self, file: LabelledFile) -> Numbers:
        """Read the series or volume of a file.

        Args:
            file: of the folder.

        Returns:
            C x spatial, of the type that is stored: a map of the file where it lies by itself.

        Raises:
            DataError: where it holds none.
            OSError: where it cannot be read.
        """
        try:
            if file.path is not None:
                array = np.load(file.path, mmap_mode="r", allow_pickle=False)
            else:
                with file.open() as content:
                    array = np.load(content, allow_pickle=False)
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise DataError(f"the file is no .npy file, or is damaged: {error}") from error
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif" or not array.size:
            raise DataError("the file holds no array of real numbers")
        what = f"an array of shape {array.shape} and dtype {array.dtype}"
        axes = read_axes(
            (1, *array.shape),
            name="it",
            pixels=lambda: bool(array.min() >= 0 and array.max() <= (1 if array.dtype.kind == "f" else 255)),
            bytes_=array.dtype == np.uint8,
        )
        if axes.dims == 2 or not array.shape:
            raise DataError(
                f"the file holds {what}, which is no series or volume; images are read from image files, or "
                "from one .npz file"
            )
        item: Numbers = axes.channels_first(array[None])[0]
        return item


def gather_numbers(listing: Listing, reader: Reader, wanted: Wanted, *, on_event: OnEvent) -> Gathered:
    """Read files into one array, or where they are too many for it, let them be read when they are asked for.

    Files of another number of axes or channels than most have are left out.

    Args:
        listing: the files.
        reader: of their kind.
        wanted: the size and fit; where no size is named and they differ, ``pad`` takes the longest of every
            axis, ``crop`` the shortest and ``stretch`` the median.
        on_event: told of the progress.

    Returns:
        The items, N x C x spatial, those that could not be read, and 0 as the fill of every channel.

    Raises:
        DataError: where no file can be read.
    """
    files = listing.files
    measured: list[Measured | None] = [None] * len(files)
    reasons = [""] * len(files)

    def look(position: int) -> None:
        try:
            measured[position] = reader.measure(files[position])
        except (DataError, OSError) as error:
            reasons[position] = _reason(error)

    each(look, range(len(files)), "looking at files", on_event)
    channels, dims = _usual(files, measured, reasons)
    size = _choose_size([found for found in measured if found is not None], wanted, dims)
    dtype = number_type([found.dtype for found in measured if found is not None])
    reader = reader.sized(channels, size, wanted.fit)
    good = [position for position, reason in enumerate(reasons) if not reason]
    if not fits_memory(len(good) * channels * math.prod(size) * dtype.itemsize):
        loads = [partial(reader.read, files[position]) for position in good]
        stored = ReadNumbers(loads, (channels, *size), dtype, fit=wanted.fit)
        return _gathered(as_pixels(stored), files, reasons, channels)
    items = np.empty((len(good), channels, *size), dtype)
    rows = {position: row for row, position in enumerate(good)}

    def make(position: int) -> None:
        try:
            items[rows[position]] = prepare_numbers(
                reader.read(files[position]),
                size=size,
                channels=channels,
                fit=wanted.fit,
                numbers=dtype != np.uint8,
                name="it",
            )
        except (DataError, OSError) as error:
            reasons[position] = _reason(error)

    each(make, good, "reading files", on_event)
    left = [rows[position] for position in good if not reasons[position]]
    if not left:
        raise DataError(_all_broken(files, reasons))
    return _gathered(items if len(left) == len(items) else items[left], files, reasons, channels)


def _reason(error: DataError | OSError) -> str:
    return f"the file cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)


def _usual(
    files: Sequence[LabelledFile], measured: list[Measured | None], reasons: list[str]
) -> tuple[int, int]:
    """Find the channels and axes that most files have, and leave out the others."""
    counts = Counter((found.channels, len(found.size)) for found in measured if found is not None)
    if not counts:
        raise DataError(_all_broken(files, reasons))
    usual = counts.most_common(1)[0][0]
    for position, found in enumerate(measured):
        if found is not None and (found.channels, len(found.size)) != usual:
            what = f"{NOUNS[len(found.size)]} of {found.channels} channels"
            reasons[position] = f"it is of {what}, where most are {NOUNS[usual[1]]} of {usual[0]}"
            measured[position] = None
    return usual


def _choose_size(measured: list[Measured], wanted: Wanted, dims: int) -> tuple[int, ...]:
    sizes = np.array([found.size for found in measured])
    chosen = {"pad": sizes.max(axis=0), "crop": sizes.min(axis=0), "stretch": np.median(sizes, axis=0)}
    usual = tuple(int(side) for side in chosen[wanted.fit])
    return wanted.numbers_of(usual) if len(usual) == dims else usual


def _gathered(items: Numbers, files: Sequence[LabelledFile], reasons: list[str], channels: int) -> Gathered:
    pairs = list(zip(files, reasons, strict=True))
    return Gathered(
        items,
        tuple(file for file, reason in pairs if not reason),
        tuple(Rejected(file.name, reason) for file, reason in pairs if reason),
        (0,) * channels,
    )


def _all_broken(files: Sequence[LabelledFile], reasons: list[str]) -> str:
    first = next(position for position, reason in enumerate(reasons) if reason)
    return (
        f"none of the {len(files)} files can be read; the first, {files[first].name!r}, because "
        f"{reasons[first]}"
    )
