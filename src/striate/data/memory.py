"""Room for decoded images that no cache keeps: in memory, or where they are too many, in an unnamed file."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

import numpy as np

from striate.core.errors import DataError
from striate.core.files import cache_directory
from striate.data.dataset import Pixels

MEMORY_SHARE = 0.25
"""The share of the free memory that decoded images may take."""

_BLOCK = 1 << 20


def allocate(shape: tuple[int, ...]) -> Pixels:
    """Make an array of zeros: in memory, or where it would take over a quarter of it, in a file.

    The file lies in the cache directory and has no name, so that nothing is left when the process ends.

    Args:
        shape: the array's shape.

    Returns:
        uint8 zeros.

    Raises:
        DataError: where the file cannot be made.
    """
    amount = math.prod(shape)
    if fits_memory(amount):
        return np.zeros(shape, np.uint8)
    folder = cache_directory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            reserve(file.fileno(), amount)
            return np.memmap(file, dtype=np.uint8, mode="r+", shape=shape)
    except OSError as error:
        raise DataError(
            f"cannot keep {amount / 1e9:.1f} GB of decoded images in {folder}: {error.strerror or error}; "
            "give a smaller size, or set STRIATE_CACHE to a larger disk"
        ) from error


def reserve(descriptor: int, amount: int) -> None:
    """Make an empty file as large as it will be; a mapped file whose disk fills up later ends the process.

    Args:
        descriptor: the file, open for writing.
        amount: bytes, at least 1.

    Raises:
        OSError: where there is no room.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, amount)
        return
    for start in range(0, amount, _BLOCK):
        os.write(descriptor, bytes(min(_BLOCK, amount - start)))


def fits_memory(amount: int) -> bool:
    """Say whether decoded images may lie in memory.

    Args:
        amount: their bytes.

    Returns:
        Whether that is at most a quarter of what is free.
    """
    return amount <= MEMORY_SHARE * available_memory()


def available_memory() -> float:
    """Give the memory that is free or can be made so.

    Returns:
        Bytes; 8e9 where the system does not say.
    """
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except OSError:
        pass
    return 8e9
