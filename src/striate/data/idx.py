"""Read the idx format of MNIST and its relatives, gzipped, with its sizes checked."""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError

MOST_BYTES = 1 << 30
_UNSIGNED_BYTE = 0x08


def gunzip(content: bytes, name: str) -> bytes:
    """Decompress gzip, up to 1 GiB.

    Args:
        content: one gzip member.
        name: what the file is called in an error.

    Returns:
        What it holds.

    Raises:
        DataError: where it is no gzip, damaged, truncated, or holds more.

    >>> import gzip
    >>> gunzip(gzip.compress(b"abc"), "x")
    b'abc'
    """
    stream = zlib.decompressobj(wbits=31)  # 31: a gzip head and trailer, whose checksum is verified
    try:
        unzipped = stream.decompress(content, MOST_BYTES + 1)
    except zlib.error as error:
        raise DataError(f"{name} is no gzip file, or is damaged: {error}") from error
    if len(unzipped) > MOST_BYTES:
        raise DataError(f"{name} holds more than {MOST_BYTES >> 20} MiB")
    if not stream.eof:
        raise DataError(f"{name} is truncated")
    return unzipped


def parse_idx(content: bytes, name: str) -> npt.NDArray[np.uint8]:
    """Read an array of unsigned bytes from the content of an idx file.

    Args:
        content: two zero bytes, the type, the number of dimensions, each dimension as a big-endian
            32-bit number, then the values.
        name: what the file is called in an error.

    Returns:
        The array, read-only.

    Raises:
        DataError: where it is another format, or its length is not its shape's.

    Source: LeCun, Cortes and Burges, "The MNIST database", section on file formats.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 6]), "x").tolist()
    [5, 6]
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[3] == 0:
        raise DataError(f"{name} is no idx file")
    kind, dimensions = content[2], content[3]
    if kind != _UNSIGNED_BYTE:
        raise DataError(f"{name} holds idx values of type 0x{kind:02x}, where unsigned bytes (0x08) are read")
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DataError(f"{name} is truncated in its head")
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    if len(content) - start != math.prod(shape):
        raise DataError(
            f"{name} holds {len(content) - start} values, where its shape {shape} has {math.prod(shape)}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
