"""Blocks of feature planes, laid out so that an element of every window lies equally far from its first one.

A block is kept as one row of numbers. Along an axis with stride S the elements fall into S phases (0, S, 2S,
... and 1, S + 1, ...), and each phase is stored apart. Whatever the stride and dilation, an element of all
windows then begins at one offset and runs on without gaps: operations on whole windows become operations on
contiguous pieces, which processors do fastest. Where a window would reach over the end of a line the result
is of no use, and is not taken out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod

import torch
from torch import Tensor

from striate.geometry import Window

ROOM = 1 << 21
"""Numbers that all rows of a block have on a CPU for each of its threads: few enough for its cache, and
enough for the threads, which wait for each other after every operation, to have something to do."""

MOST_THREADS = 4
"""Threads that there is room for at most: a cache does not grow with them without end."""

ROOM_ELSEWHERE = 1 << 28
"""Numbers that all rows have on other devices, which want much to do at once."""

MOST_SKIPPED, SMALL_WINDOW = 3, 9
"""The largest stride and window for which a line of single numbers is not worth being taken apart."""

MOST_WASTE = 12.0
"""Places for each window up to which contiguous pieces are faster than taking the windows out."""


def is_channels_last(images: Tensor) -> bool:
    """Say whether images lie in memory with their channels last, as convolutions like them.

    Args:
        images: N x C x spatial.

    Returns:
        False also where both orders are the same.
    """
    return not images.is_contiguous() and images.movedim(1, -1).is_contiguous()


def empty_as(
    images: Tensor, size: Sequence[int], *, channels: int | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """Make images of another spatial size in the same order of memory, not filled.

    Args:
        images: N x C x spatial.
        size: the spatial size.
        channels: of the new ones; as many as the images have where None.
        dtype: their type; that of the images where None.

    Returns:
        N x channels x size.
    """
    count = images.shape[0]
    channels = images.shape[1] if channels is None else channels
    if not is_channels_last(images):
        return images.new_empty((count, channels, *size), dtype=dtype)
    steps = [channels * prod(size[axis + 1 :]) for axis in range(len(size))]
    return images.new_empty_strided(
        (count, channels, *size), (channels * prod(size), 1, *steps), dtype=dtype or images.dtype
    )


def as_planes(images: Tensor, *, channels_last: bool) -> Tensor:
    """View images as planes that are pooled one like the other.

    Args:
        images: N x C x spatial.
        channels_last: whether the values of all channels of a pixel lie together.

    Returns:
        Planes x spatial x values that lie together: N x spatial x C, or else NC x spatial x 1. A view of
        images that lie so in memory.
    """
    if channels_last:
        return images.movedim(1, -1)
    return images.reshape(images.shape[0] * images.shape[1], *images.shape[2:], 1)


def computed_in(dtype: torch.dtype) -> torch.dtype:
    """Give the type in which values are compared, counted and summed: of 32 bits at least.

    Args:
        dtype: of the images.

    Returns:
        float32 for bfloat16 and float16, int32 for whole numbers of fewer bits and booleans, else the same.
    """
    return torch.promote_types(dtype, torch.float32 if dtype.is_floating_point else torch.int32)


def room_for(images: Tensor) -> int:
    """Say how many numbers all that is made of a block of images may have.

    Args:
        images: of which the block is a part.

    Returns:
        A number for the device that they are on.
    """
    if images.device.type == "cpu":
        return ROOM * min(torch.get_num_threads(), MOST_THREADS)
    return ROOM_ELSEWHERE


def even_parts(total: int, most: int) -> Iterator[slice]:
    """Divide so many things into parts of about equal size.

    Args:
        total: how many there are.
        most: that a part may have, at least 1.

    Yields:
        The parts.

    >>> [(part.start, part.stop) for part in even_parts(5, 4)]
    [(0, 3), (3, 5)]
    """
    if total:
        size = -(-total // -(-total // most))
        for start in range(0, total, size):
            yield slice(start, min(start + size, total))


class Layout:
    """How the planes of a block lie in a row.

    Args:
        planes: how many the block has at most.
        images: the planes of the input, of which the block takes some.
        out: the planes of the output.
        windows: how they lie, one an axis.
    """

    def __init__(self, planes: int, *, images: Tensor, out: Tensor, windows: Sequence[Window]) -> None:
        self._windows = tuple(windows)
        self._size = images.shape[1:-1]
        self._outputs = out.shape[1:-1]
        self._extents = [
            (count - 1) * window.stride + window.reach
            for count, window in zip(self._outputs, windows, strict=True)
        ]
        self._phases = [window.stride for window in windows]
        small = prod(window.kernel for window in windows) <= SMALL_WINDOW
        if images.shape[-1] == 1 and windows[-1].stride <= MOST_SKIPPED and small:
            self._phases[-1] = 1
        self._steps = [window.stride // count for window, count in zip(windows, self._phases, strict=True)]
        lines = [-(-extent // count) for extent, count in zip(self._extents, self._phases, strict=True)]
        self._grid = (planes, *lines, images.shape[-1])

    @property
    def waste(self) -> float:
        """How many places there are for each window."""
        return prod(self._grid[1:-1]) / prod(self._outputs)

    def row(self, like: Tensor, *, axis: int = -1) -> Tensor:
        """Make a row for all phases, or for those left once elements are gathered along axes.

        Args:
            like: what it will hold, in the type of `computed_in`.
            axis: the last axis along which elements are gathered; none where -1.

        Returns:
            A row of zeros.
        """
        return like.new_zeros(self.length(axis), dtype=computed_in(like.dtype))

    def length(self, axis: int = -1) -> int:
        """Count the numbers of a row.

        Args:
            axis: as in `row`.

        Returns:
            How many.
        """
        return prod(self._grid) * prod(self._phases[axis + 1 :])

    def offset(self, element: Sequence[int]) -> int:
        """Compute how far an element of a window lies from the first one.

        Args:
            element: its number along each axis.

        Returns:
            Numbers from one to the other in a row.
        """
        offset = 0
        for axis, number in enumerate(element):
            phase = number * self._windows[axis].dilation % self._phases[axis]
            offset += phase * self.length(axis) + self._shift(axis, number)
        return offset

    def reach(self, axis: int) -> int:
        """Count the numbers of a row, from its first on, that exist once elements are gathered along axes.

        Args:
            axis: the last of these axes.

        Returns:
            How many.
        """
        shifts = (self._shift(each, self._windows[each].kernel - 1) for each in range(axis + 1))
        return max(0, self.length(axis) - sum(shifts))

    def each(self, row: Tensor, element: Sequence[int]) -> Tensor:
        """View an element of every window.

        Args:
            row: of all phases; of one phase for the windows' first elements.
            element: its number along each axis.

        Returns:
            A contiguous piece where most places have a window, otherwise the windows alone.
        """
        offset, last = self.offset(element), len(self._windows) - 1
        if self.waste <= MOST_WASTE:
            return row[offset : offset + self.reach(last)]
        apart = [prod(self._grid[axis + 1 :]) * step for axis, step in enumerate((1, *self._steps, 1))]
        return row.as_strided((self._grid[0], *self._outputs, self._grid[-1]), apart, offset)

    def at_windows(self, row: Tensor) -> Tensor:
        """View the numbers at the windows' first elements.

        Args:
            row: of at least one phase.

        Returns:
            Planes x outputs x values together.
        """
        grid = row[: prod(self._grid)].view(self._grid)
        along = zip(self._outputs, self._steps, strict=True)
        return grid[:, *(slice(0, (count - 1) * step + 1, step) for count, step in along)]

    def store(self, row: Tensor, images: Tensor) -> None:
        """Copy images into a row, phase by phase; places of padding keep what they have.

        Args:
            row: of all phases.
            images: planes x spatial x values together; at most as many planes as the block has.
        """
        for there, here in self._pieces(row, images):
            there.copy_(here)

    def load(self, row: Tensor, images: Tensor) -> None:
        """Copy a row back into images, and fill with zeros what no window reaches.

        Args:
            row: of all phases.
            images: as in `store`.
        """
        for there, here in self._pieces(row, images):
            here.copy_(there)
        for axis, window in enumerate(self._windows):
            reached = min(self._size[axis], self._extents[axis] - window.before)
            images.narrow(axis + 1, reached, self._size[axis] - reached).zero_()

    def _pieces(self, row: Tensor, images: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        phases = row.view(*self._phases, *self._grid)
        along = [list(self._pieces_along(axis)) for axis in range(len(self._windows))]
        for piece in product(*along):
            numbers, places, elements = zip(*piece, strict=True)
            yield phases[*numbers][: len(images), *places], images[:, *elements]

    def _pieces_along(self, axis: int) -> Iterator[tuple[int, slice, slice]]:
        """Say for each phase which of its places lie in the images, and on which elements."""
        before, phases = self._windows[axis].before, self._phases[axis]
        stop = min(self._size[axis], self._extents[axis] - before)
        for phase in range(phases):
            start = (phase - before) % phases
            place = (start + before) // phases
            count = len(range(start, stop, phases))
            if count:
                yield phase, slice(place, place + count), slice(start, stop, phases)

    def _shift(self, axis: int, number: int) -> int:
        places = number * self._windows[axis].dilation // self._phases[axis]
        return places * prod(self._grid[axis + 2 :])
