"""The header of a model file: what a classifier is, as texts, read without torch and without trust."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from striate.classifier.preprocessing import Preprocessing
from striate.core import tensors
from striate.core.errors import ModelFileError, ShapeError

FORMAT = "striate.classifier"
FORMAT_VERSION = 2
MULTI_LABEL_VERSION = 2
"""Of files with several labels an image, or of series and volumes: version 1 would misread them."""

FILE_NAME = "model.safetensors"
"""The model file of a run directory."""

LARGEST_ARGUMENT = 2**20
"""The largest number that an argument of a network may be: none is meant to come near it."""

_MOST_ARGUMENTS = 64


@dataclass(frozen=True)
class ModelHeader:
    """What a model file says before its weights.

    Args:
        model: the network's name in `striate.models.CATALOGUE`.
        arguments: what remakes the network: ``build(model, **arguments)``.
        classes: the names of the classes.
        preprocessing: how a picture becomes what the network takes.
        temperature: what logits are divided by to calibrate them.
        details: what is known of its making: recipe, fingerprint, source, accuracy, versions.
        tensors: type and shape of each tensor, by name.
        thresholds: the probability from which on each label is said, where images may have several;
            ``None``: an image is of one class.
    """

    model: str
    arguments: dict[str, Any]
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    temperature: float
    details: dict[str, Any]
    tensors: Mapping[str, tensors.Entry] = field(default_factory=dict)
    thresholds: tuple[float, ...] | None = None

    @property
    def _is_plain(self) -> bool:
        """Whether it takes images of one class each."""
        return self.thresholds is None and self.preprocessing.dims == 2

    def to_metadata(self) -> dict[str, str]:
        """Give the texts for a safetensors header.

        Returns:
            Texts by name; all but ``format`` are JSON.
        """
        several = {} if self.thresholds is None else {"thresholds": json.dumps(self.thresholds)}
        return {
            "format": FORMAT,
            "format_version": str(1 if self._is_plain else MULTI_LABEL_VERSION),
            "multi_label": json.dumps(self.thresholds is not None),
            **several,
            "model": json.dumps(self.model),
            "arguments": json.dumps(self.arguments),
            "classes": json.dumps(self.classes),
            "preprocessing": json.dumps(self.preprocessing.to_dict()),
            "temperature": json.dumps(self.temperature),
            "details": json.dumps(self.details),
        }


def model_file(path: Path | str) -> Path:
    """Give the model file that a path means.

    Args:
        path: a model file, or a run directory.

    Returns:
        The path of the file.

    Raises:
        ModelFileError: where there is nothing at the path, or the directory has no model file.
    """
    found = Path(path)
    if not found.exists():
        raise ModelFileError(f"there is no model file or run directory {found}")
    if not found.is_dir():
        return found
    if not (found / FILE_NAME).exists():
        raise ModelFileError(f"the directory {found} is no finished run: it has no {FILE_NAME}")
    return found / FILE_NAME


def read_header(path: Path | str) -> ModelHeader:
    """Read what a model file says before its weights, without torch.

    Args:
        path: a model file, or a run directory.

    Returns:
        The header, each value checked.

    Raises:
        ModelFileError: where the file is missing, damaged, not ours, or of a newer format.
    """
    file = model_file(path)
    header = tensors.read_header(file)
    check_format(header.metadata, file, name=FORMAT, newest=FORMAT_VERSION, what="a classifier")
    values = {name: json_value(header.metadata, name, kind, file) for name, kind in _KINDS.items()}
    _check_arguments(values["arguments"], file)
    classes = values["classes"]
    if not classes or not all(isinstance(name, str) for name in classes):
        raise ModelFileError(f"{file} is damaged: its class names are not texts")
    if values["arguments"].get("classes", len(classes)) != len(classes):
        raise ModelFileError(
            f"{file} is damaged: it names {len(classes)} classes for a network of "
            f"{values['arguments']['classes']}"
        )
    temperature = values["temperature"]
    if not (math.isfinite(temperature) and temperature > 0):
        raise ModelFileError(f"{file} is damaged: its temperature is {temperature}")
    try:
        preprocessing = Preprocessing.from_dict(values["preprocessing"])
    except ShapeError as error:
        raise ModelFileError(f"{file} is damaged: {error}") from error
    thresholds = _thresholds(header.metadata, len(classes), file)
    given = {"channels": preprocessing.channels, "size": list(preprocessing.size)}
    for name, value in given.items():
        if values["arguments"].get(name, value) != value:
            raise ModelFileError(f"{file} is damaged: its network and its preprocessing differ in {name}")
    return ModelHeader(
        model=values["model"],
        arguments=values["arguments"],
        classes=tuple(classes),
        preprocessing=preprocessing,
        temperature=float(temperature),
        details=values["details"],
        tensors=header.tensors,
        thresholds=thresholds,
    )


def check_thresholds(values: Sequence[Any], classes: int) -> None:
    """Refuse what cannot be thresholds of labels.

    Args:
        values: the probability from which on each label is said.
        classes: how many labels there are.

    Raises:
        ShapeError: where there is not one in [0, 1] for each.
    """
    if len(values) != classes:
        raise ShapeError(f"there are {len(values)} thresholds for {classes} labels")
    for value in values:
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise ShapeError(f"a threshold is {value!r}, where a probability in [0, 1] is wanted")


_KINDS: dict[str, type | tuple[type, ...]] = {
    "model": str,
    "arguments": dict,
    "classes": list,
    "preprocessing": dict,
    "temperature": (int, float),
    "details": dict,
}


def _thresholds(metadata: Mapping[str, str], classes: int, file: Path) -> tuple[float, ...] | None:
    if metadata.get("multi_label", "false") == "false":
        return None
    values = json_value(metadata, "thresholds", list, file)
    try:
        check_thresholds(values, classes)
    except ShapeError as error:
        raise ModelFileError(f"{file} is damaged: {error}") from error
    return tuple(map(float, values))


def check_format(metadata: Mapping[str, str], file: Path, *, name: str, newest: int, what: str) -> None:
    """Refuse a file of another format than one of ours, or of a newer version of it.

    Args:
        metadata: the texts of its header.
        file: its path, for errors.
        name: of the format that is wanted.
        newest: the version up to which it can be read.
        what: such a file holds, for errors.

    Raises:
        ModelFileError: where it is another format, newer, or damaged.
    """
    if metadata.get("format") != name:
        raise ModelFileError(
            f"{file} is a safetensors file, but not {what} that striate saved: its header does not "
            f"name the format '{name}'"
        )
    version = metadata.get("format_version", "")
    if not (version.isascii() and version.isdigit() and len(version) < 10 and int(version) >= 1):
        raise ModelFileError(f"{file} is damaged: its format version is {version[:20]!r}")
    if int(version) > newest:
        raise ModelFileError(
            f"{file} is of format {version}, which is newer than this striate, which reads up to "
            f"{newest}; a newer striate will read it"
        )


def json_value(metadata: Mapping[str, str], name: str, kind: type | tuple[type, ...], file: Path) -> Any:
    """Read one value of the texts of a header.

    Args:
        metadata: the texts, each JSON.
        name: of the value.
        kind: what it must be; a boolean is no number.
        file: the path of the file, for errors.

    Returns:
        The value.

    Raises:
        ModelFileError: where it is missing, no JSON, or of another kind.
    """
    if name not in metadata:
        raise ModelFileError(f"{file} is damaged: its header lacks '{name}'")
    try:
        value = json.loads(metadata[name])
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{file} is damaged: '{name}' in its header is not JSON") from error
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ModelFileError(f"{file} is damaged: '{name}' in its header is of a wrong kind")
    return value


def _check_arguments(arguments: dict[str, Any], file: Path) -> None:
    parts: list[Any] = []
    for value in arguments.values():
        parts.extend(value if isinstance(value, list) else [value])
    if len(parts) > _MOST_ARGUMENTS:
        raise ModelFileError(f"{file} is damaged: its network has {len(parts)} arguments")
    for part in parts:
        if isinstance(part, int | float):
            if not abs(part) <= LARGEST_ARGUMENT:  # a NaN fails too
                raise ModelFileError(
                    f"{file} asks for a network with an argument of {part:.6g}; at most "
                    f"{LARGEST_ARGUMENT:,} is accepted"
                )
        elif part is not None and not isinstance(part, str):
            raise ModelFileError(f"{file} is damaged: an argument of its network is of a wrong kind")
