"""Read Broden, images with masks of many concepts, or any set in its published layout.

The layout (Bau et al. 2017): ``index.csv`` has a row an image: its file and those of its label masks under
``images/``, its sizes, and a column for each category, which holds, separated by semicolons, numbers of
labels that hold for the whole image and names of masks, PNG files: red + 256 green is each pixel's label.
The labels are in ``label.csv``, the categories in ``category.csv``, and how much each label covers within a
category in ``c_CATEGORY.csv``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError, unknown_name
from striate.data.broden_tables import LARGEST_NUMBER, Label, LabelledImage, read_index, read_labels
from striate.data.dataset import Pixels, Rejected
from striate.data.decoding import decode_image
from striate.data.listing import readable

_THREADS = 8

Result = TypeVar("Result")
Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class Broden:
    """Images and what is where in them; both are read when slices of them are asked for.

    Args:
        folder: that holds the tables and ``images/``.
        labels: the concepts, in the order of the masks.
        rows: the images.
        size: height and width to which images are brought, pixels.
        rejected: rows of the index that cannot be used, and why.
    """

    folder: Path
    labels: tuple[Label, ...]
    rows: tuple[LabelledImage, ...]
    size: tuple[int, int]
    rejected: tuple[Rejected, ...]

    @property
    def images(self) -> BrodenImages:
        """The images: slices of it are uint8 (N, 3, H, W)."""
        return BrodenImages(self)

    @property
    def masks(self) -> BrodenMasks:
        """The masks: slices of it are booleans (N, labels, height, width)."""
        return BrodenMasks(self)


class BrodenImages:
    """The images of a set in Broden's layout, decoded slice by slice.

    Args:
        broden: the set.
    """

    def __init__(self, broden: Broden) -> None:
        self._broden = broden

    def __len__(self) -> int:
        return len(self._broden.rows)

    def __getitem__(self, chosen: slice, /) -> Pixels:
        rows = self._broden.rows[chosen]
        images = np.empty((len(rows), 3, *self._broden.size), np.uint8)
        for number, pixels in enumerate(_each(self._decoded, rows)):
            images[number] = pixels
        return images

    def _decoded(self, row: LabelledImage) -> Pixels:
        return _decode(self._broden.folder, row.image, self._broden.size)


class BrodenMasks:
    """The masks of a set in Broden's layout, decoded slice by slice.

    Args:
        broden: the set.
    """

    def __init__(self, broden: Broden) -> None:
        self._broden = broden
        self._columns = np.full(LARGEST_NUMBER + 1, -1, np.int64)
        for column, label in enumerate(broden.labels):
            self._columns[label.number] = column

    def __len__(self) -> int:
        return len(self._broden.rows)

    def __getitem__(self, chosen: slice, /) -> npt.NDArray[np.bool_]:
        rows = self._broden.rows[chosen]
        size = self._broden.rows[0].mask_size
        masks = np.zeros((len(rows), len(self._broden.labels), *size), np.bool_)
        for mask, row, planes in zip(masks, rows, _each(self._numbers, rows), strict=True):
            for number in row.whole:
                if self._columns[number] >= 0:
                    mask[self._columns[number]] = True
            for plane in planes:
                columns = self._columns[plane]
                down, across = np.nonzero(columns >= 0)
                mask[columns[down, across], down, across] = True
        return masks

    def _numbers(self, row: LabelledImage) -> list[npt.NDArray[np.int64]]:
        return [_mask_numbers(self._broden.folder, name, row.mask_size) for name in row.masks]


def open_broden(
    folder: Path | str,
    *,
    size: tuple[int, int] | None = None,
    split: str | None = None,
    categories: Sequence[str] | None = None,
) -> Broden:
    """Open a set in Broden's layout; images and masks are read when they are needed.

    Args:
        folder: that holds index.csv, category.csv, label.csv, a c_CATEGORY.csv each, and ``images/``.
        size: height and width to bring images to, pixels; ``None``: as the first row of the index says.
        split: ``train``, ``val`` or whatever the index names; ``None``: all.
        categories: whose labels are wanted; ``None``: all.

    Returns:
        The set. Pixels of other labels than those wanted have none.

    Raises:
        DataError: where a table is missing, damaged or contradicts another, or no image can be used; and,
            when slices are read, where a file is no image, or a mask has another size than the index says.

    >>> open_broden("nowhere")
    Traceback (most recent call last):
    striate.core.errors.DataError: nowhere has no index.csv, so it is no set in Broden's layout
    """
    folder = Path(folder)
    if not (folder / "index.csv").is_file():
        raise DataError(f"{folder} has no index.csv, so it is no set in Broden's layout")
    named, labels = read_labels(folder)
    unknown = next((category for category in categories or () if category not in named), None)
    if unknown is not None:
        raise DataError(unknown_name("category", unknown, named))
    wanted = named if categories is None else [name for name in named if name in categories]
    chosen = tuple(label for label in labels if label.category in wanted)
    if not chosen:
        raise DataError(f"{folder / 'label.csv'} has no label of the categories {', '.join(wanted)}")
    rows, rejected = read_index(folder, wanted, split, {label.number for label in labels})
    if not rows:
        first = f"; the first, {rejected[0].name!r}: {rejected[0].reason}" if rejected else ""
        raise DataError(f"{folder / 'index.csv'} names no image to use{first}")
    usual = rows[0].mask_size
    odd = [row for row in rows if row.mask_size != usual]
    rejected += [
        Rejected(readable(row.image), f"its masks are {_by(row.mask_size)}, the first image's {_by(usual)}")
        for row in odd
    ]
    usable = tuple(row for row in rows if row.mask_size == usual)
    return Broden(folder, chosen, usable, size or rows[0].size, tuple(rejected))


def _mask_numbers(folder: Path, name: str, size: tuple[int, int]) -> npt.NDArray[np.int64]:
    red, green, blue = _decode(folder, name, None)
    if red.shape != size:
        raise DataError(f"{readable(name)}: the mask is {_by(red.shape)}, and the index says {_by(size)}")
    if blue.any():
        raise DataError(f"{readable(name)}: the mask has blue pixels, where labels are in red and green only")
    numbers: npt.NDArray[np.int64] = red.astype(np.int64) + 256 * green.astype(np.int64)
    return numbers


def _decode(folder: Path, name: str, size: tuple[int, int] | None) -> Pixels:
    try:
        return decode_image(folder / "images" / name, size=size, channels=3, fit="stretch")
    except DataError as error:
        raise DataError(f"{readable(name)}: {error}") from error


def _each(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    with ThreadPoolExecutor(min(_THREADS, max(1, len(items)))) as pool:
        return list(pool.map(function, items))


def _by(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))
