"""The header of a generator's file: what it is and how to rebuild it, read without torch or trust."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from striate.classifier.header import check_format, json_value
from striate.core import tensors
from striate.core.errors import ModelFileError

FORMAT = "striate.generator"
FORMAT_VERSION = 1
FILE_NAME = "generator.safetensors"
"""The generator's file in a run directory."""

MOST = {"size": 4096, "channels": 64, "latent_size": 4096, "width": 4096, "classes": 1 << 20}
"""The arguments of a generator's network, and the largest value of each that is read."""

_LONGEST_NAME = 1000


@dataclass(frozen=True)
class GeneratorHeader:
    """What a generator's file says before its weights.

    Args:
        family: a name of `striate.models.GAN_FAMILIES`.
        arguments: what remakes the network, with the keys of `MOST`; ``classes`` may be ``None``.
        class_names: of the classes that it can make; empty where it is told none.
        class_shares: of the images that it learnt from, by class; as many.
        details: what is known of its making: recipe, source, fingerprint, versions.
        tensors: type and shape of each tensor, by name.
    """

    family: str
    arguments: dict[str, int | None]
    class_names: tuple[str, ...]
    class_shares: tuple[float, ...]
    details: dict[str, Any]
    tensors: Mapping[str, tensors.Entry] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, str]:
        """Give the texts for a safetensors header.

        Returns:
            Texts by name; all but the format and its version are JSON.
        """
        return {
            "format": FORMAT,
            "format_version": str(FORMAT_VERSION),
            "family": json.dumps(self.family),
            "arguments": json.dumps(self.arguments),
            "class_names": json.dumps(self.class_names),
            "class_shares": json.dumps(self.class_shares),
            "details": json.dumps(self.details),
        }


def generator_path(path: Path | str) -> Path:
    """Give the generator's file that a path means.

    Args:
        path: such a file, or the directory of a run.

    Returns:
        The path of the file.

    Raises:
        ModelFileError: where there is nothing at the path, or the directory has no generator.
    """
    found = Path(path)
    if not found.exists():
        raise ModelFileError(f"there is no generator or run directory {found}")
    if not found.is_dir():
        return found
    if not (found / FILE_NAME).exists():
        raise ModelFileError(
            f"the directory {found} is no finished run of a generator: it has no {FILE_NAME}"
        )
    return found / FILE_NAME


def read_generator_header(path: Path | str) -> GeneratorHeader:
    """Read what a generator's file says before its weights, without torch.

    Args:
        path: such a file, or the directory of a run.

    Returns:
        The header, each value checked.

    Raises:
        ModelFileError: where the file is missing, damaged, not ours, or of a newer format.
    """
    file = generator_path(path)
    header = tensors.read_header(file)
    check_format(header.metadata, file, name=FORMAT, newest=FORMAT_VERSION, what="a generator")
    values = {name: json_value(header.metadata, name, kind, file) for name, kind in _KINDS.items()}
    arguments = _arguments(values["arguments"], file)
    names, shares = values["class_names"], values["class_shares"]
    if not all(isinstance(name, str) and len(name) <= _LONGEST_NAME for name in names):
        raise ModelFileError(f"{file} is damaged: its class names are not texts")
    if len(names) != (arguments["classes"] or 0):
        raise ModelFileError(
            f"{file} is damaged: it names {len(names)} classes for a network of {arguments['classes'] or 0}"
        )
    if not _are_shares(shares, len(names)):
        raise ModelFileError(f"{file} is damaged: its shares of the classes are no shares")
    return GeneratorHeader(
        family=values["family"],
        arguments=arguments,
        class_names=tuple(names),
        class_shares=tuple(map(float, shares)),
        details=values["details"],
        tensors=header.tensors,
    )


_KINDS: dict[str, type] = {
    "family": str,
    "arguments": dict,
    "class_names": list,
    "class_shares": list,
    "details": dict,
}


def _arguments(values: dict[str, Any], file: Path) -> dict[str, int | None]:
    if values.keys() != MOST.keys():
        raise ModelFileError(
            f"{file} is damaged: the arguments of its network are not {', '.join(MOST)}, all of them"
        )
    for name, value in values.items():
        absent = name == "classes" and value is None
        if not absent and not (type(value) is int and 1 <= value <= MOST[name]):
            raise ModelFileError(
                f"{file} asks for a network whose {name} is {str(value)[:20]}, which is not from 1 to "
                f"{MOST[name]:,}"
            )
    return dict(values)


def _are_shares(values: list[Any], count: int) -> bool:
    numbers = all(type(value) in (int, float) and math.isfinite(value) and value >= 0 for value in values)
    return numbers and len(values) == count and (count == 0 or 0 < sum(values) < math.inf)
