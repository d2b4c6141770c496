"""What is known of the files of a source once they are decoded, kept in a file whose damage is noticed."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.core.files import atomic_path
from striate.data.dataset import Labels, Pixels

MAGIC = b"striate decoded images 1\n"
MOST_SIDE = 1 << 16
MOST_BYTES = 8 << 30

COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("stamps", "<i8", 3),
    ("contents", "<u1", 32),
    ("measures", "<i4", 3),
    ("boxes", "<i4", 4),
    ("sums", "<i8", 3),
    ("checksums", "<u4", 1),
)


@dataclass(eq=False)
class Facts:
    """What is known of each file of a listing, in its order.

    Args:
        keys: what tells a file from the others: its path.
        reasons: why a file could not be decoded; empty where it could.
        stamps: size and times of change of each file, (N, 3); see `stamp`.
        contents: SHA-256 of each file, (N, 32); zeros where it is not known.
        measures: height, width and channels of each picture, (N, 3); zeros where nobody looked.
        boxes: top, left, height and width of what is no padding, (N, 4).
        sums: of the values of each channel without the padding, (N, 3).
        checksums: of the bytes of each image that was made, (N, 1).
    """

    keys: tuple[str, ...]
    reasons: list[str]
    stamps: npt.NDArray[np.int64]
    contents: npt.NDArray[np.uint8]
    measures: npt.NDArray[np.int32]
    boxes: npt.NDArray[np.int32]
    sums: npt.NDArray[np.int64]
    checksums: npt.NDArray[np.uint32]

    @classmethod
    def unknown(cls, keys: Sequence[str]) -> Facts:
        """Give facts of files of which nothing is known.

        Args:
            keys: of the files.

        Returns:
            Zeros in every column.
        """
        columns: dict[str, Any] = {name: np.zeros((len(keys), width), kind) for name, kind, width in COLUMNS}
        return cls(tuple(keys), [""] * len(keys), **columns)

    @property
    def good(self) -> Labels:
        """Positions of the files that are decoded: the n-th of them is the n-th image."""
        return np.array([index for index, reason in enumerate(self.reasons) if not reason], np.int64)

    def take_over(self, positions: Labels, other: Facts, origins: Labels) -> None:
        """Take over what other facts know of some files, but not their stamps.

        Args:
            positions: of the files here.
            other: the facts that know them.
            origins: their positions there.
        """
        for position, origin in zip(positions.tolist(), origins.tolist(), strict=True):
            self.reasons[position] = other.reasons[origin]
        for name, _, _ in COLUMNS[1:]:
            getattr(self, name)[positions] = getattr(other, name)[origins]


@dataclass(frozen=True, eq=False)
class Index:
    """What a set of decoded images is: everything but the images.

    Args:
        source: path of the folder, table or archive.
        images: name of the file that holds them, beside the index.
        shape: channels, height and width of each.
        fill: colour of their padding.
        facts: what is known of each file.
        archive: what the archive is and what its members are; empty for files that lie by themselves.
    """

    source: str
    images: str
    shape: tuple[int, int, int]
    fill: tuple[int, ...]
    facts: Facts
    archive: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the index to a file, atomically.

        Args:
            path: the file to be made or replaced.

        Raises:
            OSError: where it cannot be written.
        """
        head = {
            "source": self.source,
            "images": self.images,
            "shape": self.shape,
            "fill": self.fill,
            "archive": self.archive,
            "keys": self.facts.keys,
            "reasons": {str(row): reason for row, reason in enumerate(self.facts.reasons) if reason},
        }
        text = json.dumps(head).encode("ascii")
        columns = [getattr(self.facts, name).astype(kind).tobytes() for name, kind, _ in COLUMNS]
        body = b"".join([len(text).to_bytes(8, "little"), text, *columns])
        with atomic_path(path) as temporary:
            temporary.write_bytes(MAGIC + _checksum(body) + body)

    @classmethod
    def read(cls, path: Path) -> Index | None:
        """Read an index.

        Args:
            path: a file, which anybody may have damaged.

        Returns:
            The index; ``None`` where there is none that is whole and makes sense.
        """
        try:
            if path.stat().st_size > MOST_BYTES:
                return None
            content = path.read_bytes()
        except OSError:
            return None
        body = content[len(MAGIC) + 32 :]
        if not content.startswith(MAGIC) or content[len(MAGIC) : len(MAGIC) + 32] != _checksum(body):
            return None
        try:
            return _parse(body)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


def stamp(path: Path, now: int) -> tuple[int, int, int]:
    """Give what a file cannot be changed without changing, short of its content.

    Args:
        path: the file.
        now: the time in nanoseconds.

    Returns:
        Its bytes, and the times of change of its content and of its inode; -1 for both times where the file
        is younger than the coarsest clock of file systems ticks, so that a further change may not show,
        and for all where there is no such file.
    """
    try:
        status = path.stat()
    except OSError:
        return -1, -1, -1
    if max(status.st_mtime_ns, status.st_ctime_ns) > now - 2 * 10**9:
        return status.st_size, -1, -1
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def image_checksum(image: Pixels) -> int:
    """Give the CRC-32 of an image, so that damage to it is noticed.

    Args:
        image: uint8 of any shape, contiguous.

    Returns:
        32 bits.
    """
    return zlib.crc32(image.data)


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=32).digest()


def _parse(body: bytes) -> Index:
    length = int.from_bytes(body[:8], "little")
    head = json.loads(body[8 : 8 + length])
    keys = tuple(head["keys"])
    columns: dict[str, Any] = {}
    start = 8 + length
    for name, kind, width in COLUMNS:
        end = start + len(keys) * width * np.dtype(kind).itemsize
        values = np.frombuffer(body[start:end], kind).reshape(len(keys), width)
        columns[name], start = values.copy(), end
    shape, fill = tuple(head["shape"]), tuple(head["fill"])
    reasons = [head["reasons"].get(str(row), "") for row in range(len(keys))]
    sensible = (
        start == len(body)
        and keys
        and all(isinstance(text, str) for text in (*keys, *reasons, head["source"]))
        and re.fullmatch(r"images-[0-9a-f]{16}", head["images"])
        and len(shape) == 3
        and all(type(side) is int and 1 <= side <= MOST_SIDE for side in shape)
        and shape[0] in (1, 3)
        and len(fill) in (1, shape[0])
        and all(type(value) is int and 0 <= value <= 255 for value in fill)
        and isinstance(head["archive"], dict)
    )
    if not sensible:
        raise ValueError("the index does not make sense")
    return Index(
        head["source"], head["images"], shape, fill, Facts(keys, reasons, **columns), head["archive"]
    )
