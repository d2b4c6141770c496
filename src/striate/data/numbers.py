"""The numbers of series, volumes and clips: their type, and how one of another size is fitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError
from striate.core.events import OnEvent, ignore
from striate.core.recipe import FITS
from striate.data.preparing import to_uint8
from striate.data.progress import Progress

Numbers: TypeAlias = npt.NDArray[Any]

_BLOCK_VALUES = 1 << 22


def number_type(dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    """Give the type that arrays are kept in.

    Args:
        dtypes: of the arrays of a source.

    Returns:
        uint8, whose values are pixels of 0 to 255, where all are; else float32, whose values are any numbers.
    """
    return np.dtype(np.uint8 if all(dtype == np.uint8 for dtype in dtypes) else np.float32)


def check_type(array: Numbers, name: str) -> None:
    """Refuse what holds no numbers.

    Args:
        array: any.
        name: of the array, for the error.

    Raises:
        DataError: where it holds texts, objects or complex numbers, or nothing.
    """
    if array.dtype.kind not in "buif":
        raise DataError(f"{name} of shape {array.shape} and dtype {array.dtype} holds no real numbers")
    if array.size == 0:
        raise DataError(f"{name} of shape {array.shape} is empty")


def blocks(array: Numbers) -> Iterator[tuple[int, Numbers]]:
    """Go through an array in blocks of rows.

    Args:
        array: any, maybe a memory map.

    Yields:
        The first row of each block, and its values as they are.
    """
    rows = max(1, _BLOCK_VALUES // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        yield start, array[start : start + rows]


def fill_checked(into: Numbers, array: Numbers, name: str, on_event: OnEvent = ignore) -> None:
    """Copy an array into one of uint8 or float32, and refuse what is not finite.

    Args:
        into: of the same shape.
        array: any, maybe a memory map.
        name: of the array, for the error.
        on_event: told of the progress.

    Raises:
        DataError: where a value is not a finite number, naming the first item with one.
    """
    progress = Progress(on_event, "reading numbers", len(array), "items")
    for start, block in blocks(array):
        place = into[start : start + len(block)]
        with np.errstate(over="ignore"):  # what float32 cannot hold is found below
            place[...] = block
        _check_block(place, start, name)
        progress.advance(len(block))
    progress.finish()


def check_finite(array: Numbers, name: str, on_event: OnEvent = ignore) -> None:
    """Refuse an array with values that are not finite, reading it once.

    Args:
        array: any, maybe a memory map.
        name: of the array, for the error.
        on_event: told of the progress.

    Raises:
        DataError: naming the first item with one.
    """
    if array.dtype.kind != "f":
        return
    progress = Progress(on_event, "looking at numbers", len(array), "items")
    for start, block in blocks(array):
        with np.errstate(over="ignore"):
            _check_block(block.astype(np.float32), start, name)
        progress.advance(len(block))
    progress.finish()


def prepare_numbers(
    values: Any,
    *,
    size: tuple[int, ...],
    channels: int,
    fit: str = "pad",
    numbers: bool = True,
    name: str = "it",
) -> Numbers:
    """Bring one series, volume or clip to the channels and size of a dataset or classifier.

    Args:
        values: array or tensor of C x spatial, spatial x C, or of spatial axes only where one channel is
            wanted.
        size: of every spatial axis.
        channels: that are wanted.
        fit: as for `fit_numbers`.
        numbers: whether any numbers are wanted; otherwise pixels: uint8, or floating point in [0, 1].
        name: what it is called in an error.

    Returns:
        C x spatial, float32 where numbers are wanted, else uint8.

    Raises:
        DataError: where the shape, the type or the values are others.

    >>> prepare_numbers(np.arange(4), size=(6,), channels=1).tolist()
    [[1.5, 0.0, 1.0, 2.0, 3.0, 1.5]]
    """
    if hasattr(values, "detach") and hasattr(values, "cpu"):  # a torch tensor, without importing torch
        values = values.detach().cpu().numpy()
    array = np.asarray(values)
    check_type(array, name)
    if array.ndim == len(size) and channels == 1:
        array = array[None]
    if array.ndim == len(size) + 1 and len(array) != channels and array.shape[-1] == channels:
        array = np.moveaxis(array, -1, 0)
    if array.ndim != len(size) + 1 or len(array) != channels:
        wanted = "x".join(map(str, (channels, *size)))
        raise DataError(f"{name} has the shape {'x'.join(map(str, array.shape))}, where {wanted} is wanted")
    if numbers:
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise DataError(
                f"{name} has {int((~np.isfinite(array)).sum()):,} values that are no finite numbers; fill "
                "them"
            )
    else:
        array = to_uint8(array, f"{name} of shape {array.shape} and dtype {array.dtype}")
    return np.ascontiguousarray(fit_numbers(array, size, fit))


def fit_numbers(values: Numbers, size: tuple[int, ...], fit: str) -> Numbers:
    """Bring one series, volume or clip to a size.

    Args:
        values: C x spatial, uint8 or float32.
        size: of every spatial axis.
        fit: ``pad``: a longer axis is resampled, so that all of it is kept, and a shorter one is padded at
            both ends with the mean of its channel; ``crop``: of a longer one the middle is kept, and a
            shorter one is padded; ``stretch``: both are resampled.

    Returns:
        C x size, of the same type; the values themselves where they are of that size.

    Raises:
        DataError: for another fit.

    >>> fit_numbers(np.arange(5, dtype=np.float32)[None], (3,), "crop").tolist()
    [[1.0, 2.0, 3.0]]
    >>> fit_numbers(np.arange(5, dtype=np.float32)[None], (3,), "pad").tolist()
    [[0.0, 2.0, 4.0]]
    """
    if fit not in FITS:
        raise DataError(f"there is no fit {fit!r}; there are {', '.join(FITS)}")
    if values.shape[1:] == tuple(size):
        return values
    means = values.mean(axis=tuple(range(1, values.ndim)), dtype=np.float64)
    found = values.astype(np.float64)
    for axis, length in enumerate(size, 1):
        there = found.shape[axis]
        if there > length and fit == "crop":
            start = (there - length) // 2
            found = found.take(range(start, start + length), axis=axis)
        elif there > length or (there < length and fit == "stretch"):
            found = _resampled(found, length, axis)
    padded = np.empty((len(values), *size))
    padded[...] = means.reshape(-1, *[1] * len(size))
    starts = [(length - there) // 2 for length, there in zip(size, found.shape[1:], strict=True)]
    inner = [slice(start, start + there) for start, there in zip(starts, found.shape[1:], strict=True)]
    padded[(slice(None), *inner)] = found
    return (np.rint(padded) if values.dtype == np.uint8 else padded).astype(values.dtype)


def _resampled(values: Numbers, length: int, axis: int) -> Numbers:
    """Read an axis at evenly spaced places from its first value to its last, linearly in between."""
    places = np.linspace(0, values.shape[axis] - 1, length)
    low = np.minimum(places.astype(int), max(0, values.shape[axis] - 2))
    high = np.minimum(low + 1, values.shape[axis] - 1)
    shares = (places - low).reshape([-1 if each == axis else 1 for each in range(values.ndim)])
    read: Numbers = values.take(low, axis=axis) * (1 - shares) + values.take(high, axis=axis) * shares
    return read


def _check_block(block: Numbers, start: int, name: str) -> None:
    if block.dtype == np.uint8 or np.isfinite(block).all():
        return
    bad = ~np.isfinite(block)
    first = start + int(np.flatnonzero(bad.reshape(len(block), -1).any(axis=1))[0])
    raise DataError(
        f"{name} has values that are no finite numbers, the first in row {first:,} ({int(bad.sum()):,} among "
        "its neighbours); fill them, as numpy.nan_to_num does, or leave these rows out"
    )
