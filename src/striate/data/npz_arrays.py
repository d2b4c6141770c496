"""The arrays of an .npz file: read into memory, or where they are too large for it, mapped."""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError
from striate.data import memory

MOST_MEMORY = 0.8
"""The share of the free memory that compressed arrays may take, which cannot be mapped."""

_LOCAL_HEAD = 30
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class NpzArrays(Mapping[str, npt.NDArray[Any]]):
    """The arrays of an open .npz file by name.

    Args:
        file: as `numpy.load` opens it.
        path: where it lies.
    """

    def __init__(self, file: np.lib.npyio.NpzFile, path: Path) -> None:
        self._file = file
        self._path = path

    def __contains__(self, name: object) -> bool:
        return name in self._file.files

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.files)

    def __len__(self) -> int:
        return len(self._file.files)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Give an array: a memory map where it would take over a quarter of the free memory.

        Args:
            name: one of those that there are.

        Returns:
            The array.

        Raises:
            KeyError: where there is none of that name.
            DataError: where it is too large for the memory, and compressed.
        """
        member = self._member(name)
        if member is None or memory.fits_memory(member.file_size):
            array: npt.NDArray[Any] = self._file[name]
            return array
        if member.compress_type == zipfile.ZIP_STORED:
            return map_member(self._path, member)
        if member.file_size > MOST_MEMORY * memory.available_memory():
            raise DataError(
                f"{self._path} holds {name!r} compressed, which takes {member.file_size / 1e9:.1f} GB, where "
                f"{memory.available_memory() / 1e9:.1f} GB of memory are free; saved by numpy.savez, which "
                "does not "
                "compress, it is read piece by piece"
            )
        return self._file[name]

    def _member(self, name: str) -> zipfile.ZipInfo | None:
        members = (
            {} if self._file.zip is None else {each.filename: each for each in self._file.zip.infolist()}
        )
        return members.get(f"{name}.npy", members.get(name))


def map_member(path: Path, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """Map an array that lies uncompressed in an archive, reading nothing but its head.

    Args:
        path: the archive.
        member: the array's .npy file in it.

    Returns:
        A read-only memory map.

    Raises:
        OSError: where the archive cannot be read.
        ValueError: where the member is no .npy file, or is damaged.
        DataError: where it holds Python objects.
    """
    with path.open("rb") as file:
        # The length of what comes before the content stands in the member's own head only.
        file.seek(member.header_offset)
        lengths = struct.unpack("<HH", file.read(_LOCAL_HEAD)[-4:])
        start = member.header_offset + _LOCAL_HEAD + sum(lengths)
        file.seek(start)
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{member.filename} is of version {version}, which is not read")
        shape, by_columns, dtype = _HEADERS[version](file)
        if dtype.hasobject:
            raise DataError(
                f"{path} holds Python objects, which can run code when read; save plain arrays of numbers"
            )
        offset = file.tell()
    if offset - start + math.prod(shape) * dtype.itemsize > member.file_size:
        raise ValueError(f"{member.filename} is too short for its shape {shape}")
    order = "F" if by_columns else "C"
    mapped: npt.NDArray[Any] = np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape, order=order)  # type: ignore[call-overload]
    return mapped
