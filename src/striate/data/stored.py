"""Images that are too many for the memory: read from a mapped file, or decoded, when some are asked for."""

from __future__ import annotations

import math
import mmap
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError
from striate.data.dataset import Labels, Pixels
from striate.data.decoding import decode_into_box, quiet_pillow
from striate.data.listing import LabelledFile
from striate.data.pictures import paint_padding
from striate.data.working import BLOCK, in_threads

BYTES: np.dtype[Any] = np.dtype(np.uint8)


class StoredImages(ABC):
    """Images that are not in memory: as far as asking for some of them goes, an array of uint8.

    As of an array, ``images[10:20]`` is a view, which reads nothing, and ``images[[4, 1]]`` and ``images[3]``
    are copies, here from the disk. Nothing reads all of them but what makes an array of them.

    Args:
        shape: channels, height and width of each image; of series and volumes their own axes.
        rows: which of the images of the store these are, in order.
        dtype: of their values; numbers of series and volumes are float32.
    """

    def __init__(self, shape: tuple[int, ...], rows: Labels, dtype: np.dtype[Any] = BYTES) -> None:
        self._rows = rows
        self.shape = (len(rows), *shape)
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        """How many axes they have: their own and one for all of them."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """What they would take in memory, bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> Any:
        chosen = self._rows[key]
        if isinstance(key, slice):
            return self._with_rows(chosen)
        if chosen.ndim > 1:
            raise IndexError(f"images on the disk are asked for by their numbers, not by {key!r}")
        read = self._read_new(np.atleast_1d(chosen))
        return read if chosen.ndim else read[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("images on the disk cannot be an array without a copy")
        return np.asarray(self._read_new(self._rows), dtype=dtype)

    def read(self, rows: Labels, into: Pixels) -> None:
        """Read some images into an array, each with one copy.

        Args:
            rows: which, counted from 0.
            into: a contiguous array for them.
        """
        self._read(self._rows[rows], into)

    def pick(self, rows: Labels) -> Self:
        """Give some of the images, without reading them.

        Args:
            rows: which, counted from 0.

        Returns:
            What reads these.
        """
        return self._with_rows(self._rows[rows])

    def _read_new(self, rows: Labels) -> Pixels:
        images = np.empty((len(rows), *self.shape[1:]), self.dtype)
        self._read(rows, images)
        return images

    @abstractmethod
    def _read(self, rows: Labels, into: Pixels) -> None:
        """Read rows of the store."""

    @abstractmethod
    def _with_rows(self, rows: Labels) -> Self:
        """Give the same store with other rows."""


class MappedImages(StoredImages):
    """Images one after the other in a file.

    Args:
        content: the file, mapped, of at least the length of all images.
        shape: channels, height and width of each image.
        rows: which of the images in the file these are, in order.
    """

    def __init__(self, content: mmap.mmap, shape: tuple[int, ...], rows: Labels) -> None:
        super().__init__(shape, rows)
        self._content = content
        count = len(content) // math.prod(shape)
        self._images = np.frombuffer(content, np.uint8, count * math.prod(shape)).reshape(count, *shape)

    @classmethod
    def open(cls, path: Path, shape: tuple[int, int, int, int]) -> MappedImages:
        """Map the images of a file.

        Args:
            path: the file.
            shape: of all images that it holds: N, C, H, W.

        Returns:
            The images.

        Raises:
            OSError: where it cannot be read or is too short.
        """
        with path.open("rb") as file:
            try:
                content = mmap.mmap(file.fileno(), math.prod(shape), access=mmap.ACCESS_READ)
            except ValueError as error:  # the file is shorter
                raise OSError(f"{path} is too short for its images") from error
        return cls(content, shape[1:], np.arange(shape[0], dtype=np.int64))

    def _read(self, rows: Labels, into: Pixels) -> None:
        self._ask_for(rows)
        np.take(self._images, rows, axis=0, out=into, mode="clip")  # which alone writes straight into `into`

    def _ask_for(self, rows: Labels) -> None:
        # The disk reads them side by side while the first is copied; one after the other they would wait.
        if not hasattr(mmap, "MADV_WILLNEED"):
            return
        length = math.prod(self.shape[1:])
        for row in rows.tolist():
            start = row * length // mmap.PAGESIZE * mmap.PAGESIZE
            self._content.madvise(mmap.MADV_WILLNEED, start, (row + 1) * length - start)

    def _with_rows(self, rows: Labels) -> Self:
        return type(self)(self._content, self.shape[1:], rows)


class StreamedImages(StoredImages):
    """Images that are decoded anew each time they are asked for, in threads.

    Args:
        files: what to decode.
        shape: channels, height and width that each becomes.
        fit: ``pad``, ``crop`` or ``stretch``.
        fill: colour of the padding.
        rows: which of the files these are; ``None``: all.
    """

    def __init__(
        self,
        files: Sequence[LabelledFile],
        shape: tuple[int, ...],
        *,
        fit: str,
        fill: tuple[int, ...],
        rows: Labels | None = None,
    ) -> None:
        super().__init__(shape, np.arange(len(files), dtype=np.int64) if rows is None else rows)
        self._files = files
        self._fit = fit
        self._fill = fill

    def _read(self, rows: Labels, into: Pixels) -> None:
        def work(position: int) -> None:
            into[position] = self._decode(self._files[int(rows[position])])

        blocks = [range(len(rows))[first : first + BLOCK] for first in range(0, len(rows), BLOCK)]
        with quiet_pillow():
            for _ in in_threads(work, blocks):
                pass

    def _decode(self, file: LabelledFile) -> Pixels:
        channels, height, width = self.shape[1:]
        try:
            with file.open() as content:
                pixels, box = decode_into_box(content, size=(height, width), channels=channels, fit=self._fit)
        except (DataError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DataError(f"{file.name} could be read when the data were opened; now: {reason}") from error
        return paint_padding(pixels, box, self._fill)

    def _with_rows(self, rows: Labels) -> Self:
        return type(self)(self._files, self.shape[1:], fit=self._fit, fill=self._fill, rows=rows)


Images: TypeAlias = Pixels | StoredImages


def as_pixels(images: Images) -> Pixels:
    """Let what reads as an array pass for one, to those who check types.

    Args:
        images: an array, or images on the disk.

    Returns:
        The same.
    """
    return cast(Pixels, images)


def read_rows(images: Images, rows: Labels, into: Pixels) -> None:
    """Copy some images into an array, each once.

    Args:
        images: an array, maybe a memory map, or images on the disk.
        rows: which.
        into: a contiguous array for them.
    """
    if isinstance(images, StoredImages):
        images.read(rows, into)
    else:
        np.take(images, rows, axis=0, out=into, mode="clip")


def pick_rows(images: Images, rows: Labels) -> Pixels:
    """Give some images: a copy of those in memory, a view of those on the disk.

    Args:
        images: an array, or images on the disk.
        rows: which.

    Returns:
        The chosen ones, in that order.
    """
    if isinstance(images, StoredImages):
        return as_pixels(images.pick(rows))
    return images[rows]
