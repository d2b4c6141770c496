"""Which axis of an array is what: of series, images, volumes or clips, their channels first or last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError

NOUNS = {1: "series", 2: "images", 3: "volumes"}
"""Spatial axes -> what has so many, in the plural."""

STATED = ("NL", "NCL", "NLC", "NHW", "NCHW", "NHWC", "NDHW", "NCDHW", "NDHWC")
"""How axes can be stated: N counts the items, C their channels, and L, H and W, or D, H and W are space;
T, for time, is another word for L or D."""

FEWEST = 4
"""No image is of fewer pixels a side than this."""

LONG, VERY_LONG = 2, 16
"""How many times as long as wide series are whose values cannot be pixels, and those whose values can."""

MOST_CHANNELS = 4
"""Up to so many channels volumes and clips are usual to have."""

SMALLEST_VOLUME = 8
"""From this side on, three axes of pixels without a usual number of channels are a volume."""


@dataclass(frozen=True)
class Axes:
    """Which axis of an array is what.

    Args:
        dims: spatial axes of an item: 1 (series), 2 (images) or 3 (volumes, clips).
        channels: the axis of the channels; ``None`` where there is none.
        note: what the array is taken for, where its sizes would allow something else; empty otherwise.
    """

    dims: int
    channels: int | None
    note: str = ""

    def channels_first(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """View an array with its channels behind its items, reading nothing.

        Args:
            array: as the axes say.

        Returns:
            N x C x spatial.

        >>> Axes(1, 2).channels_first(np.zeros((5, 100, 12))).shape
        (5, 12, 100)
        """
        return array[:, None] if self.channels is None else np.moveaxis(array, self.channels, 1)


def read_axes(
    shape: Sequence[int], *, name: str, pixels: Callable[[], bool], bytes_: bool, stated: str | None = None
) -> Axes:
    """Find out what the axes of an array are, by its sizes.

    Channels are the shorter one of two axes of series, and of volumes the one of at most four. What is square
    and could be pixels is an image.

    Args:
        shape: of the array: N and then the axes of an item.
        name: of the array, for notes and errors.
        pixels: says whether its values could be those of pixels; only asked where that matters.
        bytes_: whether they are uint8, as images mostly are.
        stated: one of `STATED`, where the user says what they are; ``None``: the sizes decide.

    Returns:
        The axes. What is no array of any of these is taken for images, which say what they want.

    Raises:
        DataError: where what is stated does not fit the array.

    >>> read_axes((50, 12, 1000), name="x", pixels=lambda: False, bytes_=False).dims
    1
    >>> read_axes((50, 16, 64, 64, 3), name="x", pixels=lambda: True, bytes_=True).channels
    4
    >>> read_axes((50, 28, 28), name="x", pixels=lambda: True, bytes_=True).dims
    2
    """
    if stated is not None:
        return _stated(stated, shape, name)
    sides = tuple(shape[1:])
    if len(sides) == 1:
        return Axes(1, None)
    if len(sides) == 2:
        return _series(sides, shape, name, pixels, bytes_)
    if len(sides) == 3:
        is_image = sides[0] in (1, 3) or sides[2] in (1, 3) or min(sides) < SMALLEST_VOLUME
        spelled = "x".join(map(str, sides))
        note = f"{name} of shape {tuple(shape)} is taken for volumes of {spelled}, of one channel"
        return Axes(2, None) if is_image else Axes(3, None, note)
    if len(sides) == 4:
        return _volumes(sides, shape, name)
    return Axes(2, None)


def axes_of(array: npt.NDArray[Any], *, name: str, stated: str | None = None) -> Axes:
    """Find out what the axes of an array are, by its sizes and, where that matters, by its values.

    Args:
        array: any, maybe a memory map.
        name: as for `read_axes`.
        stated: as for `read_axes`.

    Returns:
        The axes.

    Raises:
        DataError: as for `read_axes`.
    """

    def pixels() -> bool:
        some = np.asarray(array[np.unique(np.linspace(0, len(array) - 1, 1000).astype(int))])
        low, high = some.min(), some.max()
        return bool(low >= 0 and high <= (1 if some.dtype.kind == "f" else 255))

    plain = array.dtype.kind in "uif" and array.size > 0
    return read_axes(
        array.shape,
        name=name,
        pixels=pixels if plain else lambda: True,
        bytes_=array.dtype == np.uint8,
        stated=stated,
    )


def _series(
    sides: tuple[int, ...], shape: Sequence[int], name: str, pixels: Callable[[], bool], bytes_: bool
) -> Axes:
    shorter, longer = min(sides), max(sides)
    if shorter >= FEWEST and (bytes_ or longer < LONG * shorter):
        return Axes(2, None)
    if shorter >= FEWEST and longer < VERY_LONG * shorter and pixels():
        return Axes(2, None)
    if sides[0] <= sides[1]:
        note = f"{name} of shape {tuple(shape)} is taken for series with {_channels(sides[0])} first"
        return Axes(1, 1, note if sides[0] > MOST_CHANNELS else "")
    note = f"{name} of shape {tuple(shape)} is taken for series with {_channels(sides[1])} last"
    return Axes(1, 2, note)


def _volumes(sides: tuple[int, ...], shape: Sequence[int], name: str) -> Axes:
    first, last = sides[0] <= MOST_CHANNELS, sides[3] <= MOST_CHANNELS
    at_end = last if first != last else not first and sides[3] < sides[0]
    note = f"{name} of shape {tuple(shape)} is taken for volumes with {{}} {{}}"
    if at_end:
        return Axes(3, 4, note.format(_channels(sides[3]), "last"))
    return Axes(3, 1, "" if first and not last else note.format(_channels(sides[0]), "first"))


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"


def _stated(stated: str, shape: Sequence[int], name: str) -> Axes:
    letters = stated.upper()
    usual = letters.replace("T", "D" if "H" in letters else "L")
    if usual not in STATED:
        raise DataError(f"axes is {stated!r}, where one of {', '.join(STATED)} is wanted")
    if len(usual) != len(shape):
        raise DataError(
            f"axes is {stated!r}, which names {len(usual)} axes, and {name} has the {len(shape)} of "
            f"shape {tuple(shape)}"
        )
    return Axes(len(usual.strip("N").replace("C", "")), usual.index("C") if "C" in usual else None)
