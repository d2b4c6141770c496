"""What a source becomes: splits of images, series or volumes with labels, class names and a content hash."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from striate.core.events import OnEvent, ignore
from striate.data.progress import Progress

Pixels: TypeAlias = npt.NDArray[Any]
Labels: TypeAlias = npt.NDArray[np.int64]

PARTS = ("train", "validation", "test")

_BLOCK_BYTES = 1 << 25


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a dataset: images and what is on each of them.

    Args:
        images: uint8 of shape (N, C, H, W): an array, maybe a read-only memory map; or, where they are too
            many for the memory, what reads like one (`striate.data.stored.StoredImages`).
            Of series (N, C, L) and of volumes and clips (N, C, D, H, W), where uint8 are pixels of 0 to 255
            and float32 are any numbers.
        labels: the class of each, int64 of shape (N,); or, where images may have several, uint8 of shape
            (N, K): 1 for each class that an image has.
        names: where each image came from, for lists and pictures; ``None`` for arrays.

    >>> len(Split(np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1])))
    2
    """

    images: Pixels
    labels: Labels
    names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Rejected:
    """A file that was left out, and why.

    >>> Rejected("cats/3.jpg", "the file is empty").reason
    'the file is empty'
    """

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images to learn from, split into parts that never mix.

    Args:
        name: short name, such as ``fashion-mnist`` or the folder's name.
        source: what `open_dataset` can open again; ``None`` for arrays in memory.
        classes: names of the classes; a label is an index into them, or they are the columns of the labels.
        train: what is learnt from.
        validation: what every choice is made on.
        test: what is read once at the end; ``None`` where the source has no such part.
        rejected: files that could not be read.
        notes: what was decided or noticed, one sentence each.
        flip: whether an image means the same when mirrored.
        fit: how images of another shape become the dataset's: ``pad``, ``crop`` or ``stretch``.
        fill: colour of padding, a uint8 value per channel: the mean colour of the training part.
    """

    name: str
    source: str | None
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split | None
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()
    flip: bool = True
    fit: str = "pad"
    fill: tuple[int, ...] = (0,)

    @property
    def size(self) -> tuple[int, ...]:
        """Height and width of every image, pixels; of series their length, of volumes all three axes."""
        return tuple(int(side) for side in self.train.images.shape[2:])

    @property
    def channels(self) -> int:
        """Channels of every image: 1 for grey, 3 for colour; series and volumes have any number."""
        return int(self.train.images.shape[1])

    @property
    def dims(self) -> int:
        """Spatial axes: 1 of series, 2 of images, 3 of volumes and clips."""
        return self.train.images.ndim - 2

    @property
    def multi_label(self) -> bool:
        """Whether an image may have several labels, or none; else it is of one class."""
        return self.train.labels.ndim == 2

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content: classes, pixels and labels of every part, not names or paths."""
        return self.hash_content()

    def hash_content(self, on_event: OnEvent = ignore) -> str:
        """Compute the fingerprint, which reads all images once, and remember it.

        Args:
            on_event: told of the progress.

        Returns:
            The fingerprint.
        """
        known = vars(self).get("fingerprint")
        if known is not None:
            return str(known)
        parts = (self.train, self.validation, self.test)
        total = sum(len(part) for part in parts if part is not None)
        progress = Progress(on_event, "hashing images", total, "images")
        digest = hashlib.blake2b(repr(self.classes).encode("utf-8", "backslashreplace"), digest_size=16)
        for part in parts:
            if part is None:
                digest.update(b"absent")
                continue
            digest.update(repr(part.images.shape).encode())
            if part.images.dtype != np.uint8:
                digest.update(str(part.images.dtype).encode())
            digest.update(np.ascontiguousarray(part.labels, dtype="<i8").data)
            rows = max(1, _BLOCK_BYTES // (math.prod(part.images.shape[1:]) * part.images.dtype.itemsize))
            for start in range(0, len(part), rows):
                block = part.images[start : start + rows]
                digest.update(np.ascontiguousarray(block).data)
                progress.advance(len(block))
        progress.finish()
        vars(self)["fingerprint"] = digest.hexdigest()
        return digest.hexdigest()
