"""Whether the tensors of a file are those of a network: by their names, types and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from striate.core.errors import ModelFileError
from striate.core.tensors import Entry

_DTYPE_NAMES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.float32: "F32",
    torch.float64: "F64",
}


def entries_of(tensors: Mapping[str, Tensor]) -> dict[str, Entry]:
    """Describe tensors as the header of a file does.

    Args:
        tensors: by name, with or without memory.

    Returns:
        Type and shape of each.

    >>> entries_of({"bias": torch.zeros(3)})["bias"]
    Entry(dtype='F32', shape=(3,))
    """
    return {
        name: Entry(_DTYPE_NAMES.get(tensor.dtype, str(tensor.dtype)), tuple(tensor.shape))
        for name, tensor in tensors.items()
    }


def check_fit(
    wanted: Mapping[str, Entry], found: Mapping[str, Entry], *, file: Path | str, model: str
) -> None:
    """Refuse tensors that are not those of a network.

    Args:
        wanted: what the network has.
        found: what the file has.
        file: its name, for errors.
        model: the network's name, for errors.

    Raises:
        ModelFileError: naming the first tensor that does not fit.
    """
    missing = sorted(wanted.keys() - found.keys())
    extra = sorted(found.keys() - wanted.keys())
    if missing or extra:
        odd = f"lacks the tensor '{missing[0]}'" if missing else f"has a tensor '{extra[0][:80]}' too many"
        count = len(missing) + len(extra)
        others = f" (and {count - 1} more do not fit)" if count > 1 else ""
        raise ModelFileError(f"{file} does not fit the network '{model}': it {odd}{others}")
    for name, entry in wanted.items():
        if found[name] != entry:
            raise ModelFileError(
                f"{file} does not fit the network '{model}': its tensor '{name}' is {_said(found[name])}, "
                f"where {_said(entry)} is wanted"
            )


def _said(entry: Entry) -> str:
    return f"{entry.dtype} {'x'.join(map(str, entry.shape)) or 'scalar'}"
