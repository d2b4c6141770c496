"""Tensor files: safetensors with each tensor's memory layout kept, written atomically, read as hostile.

A safetensors file holds contiguous tensors only, but a channels-last tensor computes with other
roundings than a channels-first one. The strides of every tensor that is not plainly contiguous are
therefore kept in the header, under `LAYOUTS`, and restored when the file is read.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeGuard

from striate.core.errors import ModelFileError
from striate.core.files import atomic_path

if TYPE_CHECKING:
    import torch

LAYOUTS = "layouts"
"""The key of the metadata that holds the strides, as JSON: tensor name -> strides."""

HEADER_LIMIT = 16 * 2**20
"""The longest header that is read, bytes."""

DTYPE_BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "U16": 2,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
    "U32": 4,
    "I32": 4,
    "F32": 4,
    "U64": 8,
    "I64": 8,
    "F64": 8,
}
"""The element types that are read, as safetensors names them, and their sizes."""

_MOST_DIMENSIONS = 16


@dataclass(frozen=True)
class Entry:
    """What a header says about one tensor.

    Args:
        dtype: the element type, a key of `DTYPE_BYTES`.
        shape: the size of each dimension.
    """

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """What a tensor file says before its tensors.

    Args:
        metadata: the texts that were saved with it.
        tensors: what each tensor is, by name.
    """

    metadata: dict[str, str]
    tensors: dict[str, Entry]


def save_tensors(path: Path | str, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and texts to one safetensors file, atomically.

    Args:
        path: the file to be made or replaced.
        tensors: what is to be kept, on any device; tensors that share memory are written apart.
        metadata: texts for the header; the key `LAYOUTS` is ours.

    Raises:
        OSError: where the file cannot be written; ``path`` is then as it was.

    >>> import tempfile, torch
    >>> filters = torch.rand(4, 3, 5, 5).contiguous(memory_format=torch.channels_last)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_tensors(Path(folder, "a.safetensors"), {"filters": filters}, {"made": "today"})
    ...     tensors, metadata = load_tensors(Path(folder, "a.safetensors"))
    >>> tensors["filters"].stride() == filters.stride(), metadata
    (True, {'made': 'today'})
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    layouts = {name: tensor.stride() for name, tensor in tensors.items() if _is_layout(tensor)}
    plain: dict[str, torch.Tensor] = {}
    taken: set[int] = set()
    for name, tensor in tensors.items():
        copy = tensor.detach().cpu().contiguous()
        if copy.untyped_storage().data_ptr() in taken:
            copy = copy.clone()
        taken.add(copy.untyped_storage().data_ptr())
        plain[name] = copy
    texts = {**metadata, LAYOUTS: json.dumps(layouts)}
    with atomic_path(path) as temporary:
        try:
            save_file(plain, temporary, metadata=texts)
        except SafetensorError as error:
            raise OSError(f"cannot write {path}: {error}") from error


def load_tensors(path: Path | str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read the tensors and texts of a file that `save_tensors` wrote, or another safetensors file.

    Args:
        path: the file.

    Returns:
        The tensors by name, on the CPU, in memory of their own with the strides they were saved
        with; and the metadata without `LAYOUTS`.

    Raises:
        ModelFileError: where there is no such file, it is damaged, or it is not a safetensors file.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    header = read_header(path)
    layouts = _layouts(header, path)
    tensors: dict[str, torch.Tensor] = {}
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            for name, entry in header.tensors.items():
                stored = file.get_tensor(name)
                strides = layouts.get(name, _contiguous_strides(entry.shape))
                # A copy: what safetensors gives is a view of the file, gone wrong if that is cut.
                tensors[name] = torch.empty_strided(entry.shape, strides, dtype=stored.dtype).copy_(stored)
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{path} is damaged: {error}") from error
    return tensors, {key: text for key, text in header.metadata.items() if key != LAYOUTS}


def read_header(path: Path | str) -> Header:
    """Read what a safetensors file says before its tensors, without torch.

    The header is held against the file: its length before it is read, and every tensor's type,
    shape and place, so that a file that was cut short is found here.

    Args:
        path: the file.

    Returns:
        The metadata (`LAYOUTS` among it) and what each tensor is.

    Raises:
        ModelFileError: where there is no such file, it is damaged, or it is not a safetensors file.
    """
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            text = _header_text(file, size, path)
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged: its header is not JSON") from error
    if not isinstance(values, dict):
        raise ModelFileError(f"{path} is damaged: its header is not a table of tensors")
    metadata = values.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ModelFileError(f"{path} is damaged: the metadata of its header are not texts")
    return Header(metadata, _entries(values, size - 8 - len(text), path))


def _header_text(file: BinaryIO, size: int, path: Path | str) -> bytes:
    start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    if start[8:] != b"{":
        if start[:4] == b"PK\x03\x04" or start[:1] == b"\x80":
            raise ModelFileError(
                f"{path} is a pickle or zip archive, as torch.save writes; such files can run code, and "
                "striate reads safetensors files only"
            )
        raise ModelFileError(f"{path} is not a safetensors file")
    if length > HEADER_LIMIT:
        raise ModelFileError(
            f"{path} is not a safetensors file of ours: its header claims {length:,} bytes, and at most "
            f"{HEADER_LIMIT:,} are read"
        )
    if length > size - 8:
        raise ModelFileError(f"{path} is cut short: it ends within its header")
    return b"{" + file.read(length - 1)


def _entries(values: dict[str, Any], data_bytes: int, path: Path | str) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    places: list[tuple[int, int]] = []
    for name, value in values.items():
        entry, begin, end = _entry(name, value, path)
        entries[name] = entry
        places.append((begin, end))
    position = 0
    for begin, end in sorted(places):
        if begin != position:
            raise ModelFileError(f"{path} is damaged: its tensors do not lie one after another")
        position = end
    if position > data_bytes:
        raise ModelFileError(
            f"{path} is cut short: its tensors need {position:,} bytes and {data_bytes:,} are there"
        )
    if position < data_bytes:
        raise ModelFileError(f"{path} is damaged: {data_bytes - position:,} bytes follow its last tensor")
    return entries


def _entry(name: str, value: Any, path: Path | str) -> tuple[Entry, int, int]:
    wrong = ModelFileError(f"{path} is damaged: what its header says of tensor {name[:80]!r} makes no sense")
    if not isinstance(value, dict):
        raise wrong
    dtype, shape, offsets = value.get("dtype"), value.get("shape"), value.get("data_offsets")
    if not isinstance(dtype, str) or not _sizes(shape, _MOST_DIMENSIONS) or not _sizes(offsets, 2):
        raise wrong
    if dtype not in DTYPE_BYTES:
        raise ModelFileError(f"{path} holds elements of type {dtype[:20]}, which striate does not read")
    if len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * DTYPE_BYTES[dtype]:
        raise wrong
    return Entry(dtype, tuple(shape)), offsets[0], offsets[1]


def _sizes(value: Any, most: int) -> TypeGuard[list[int]]:
    return (
        isinstance(value, list)
        and len(value) <= most
        and all(type(number) is int and 0 <= number < 2**63 for number in value)
    )


def _layouts(header: Header, path: Path | str) -> dict[str, tuple[int, ...]]:
    try:
        layouts = json.loads(header.metadata.get(LAYOUTS, "{}"))
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged: its memory layouts are not JSON") from error
    if not isinstance(layouts, dict):
        raise ModelFileError(f"{path} is damaged: its memory layouts are not a table")
    for name, strides in layouts.items():
        entry = header.tensors.get(name)
        if entry is None or not _sizes(strides, _MOST_DIMENSIONS) or not _is_dense(entry.shape, strides):
            raise ModelFileError(
                f"{path} is damaged: the memory layout of tensor {name[:80]!r} makes no sense"
            )
    return {name: tuple(strides) for name, strides in layouts.items()}


def _is_layout(tensor: torch.Tensor) -> bool:
    shape, strides = tuple(tensor.shape), tensor.stride()
    return _is_dense(shape, strides) and strides != _contiguous_strides(shape)


def _is_dense(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Say whether the strides lay the elements side by side, each once, in some order."""
    if len(shape) != len(strides) or 0 in shape:
        return False
    expected = 1
    # The stride of a dimension of one element is never stepped along; yet torch reads a memory
    # format from it, and so it is kept as it was.
    for stride, size in sorted(
        (stride, size) for stride, size in zip(strides, shape, strict=True) if size > 1
    ):
        if stride != expected:
            return False
        expected *= size
    return True


def _contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = [1]
    for size in reversed(shape[1:]):
        strides.append(strides[-1] * max(size, 1))
    return tuple(reversed(strides)) if shape else ()
