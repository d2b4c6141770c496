"""The header of a backbone's file: a network without a head, and the images it takes, read without trust."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from striate.classifier.header import FILE_NAME as MODEL_FILE_NAME
from striate.classifier.header import check_format, json_value, model_file
from striate.classifier.preprocessing import Preprocessing
from striate.core import tensors
from striate.core.errors import ModelFileError, ShapeError

FORMAT = "striate.backbone"
FORMAT_VERSION = 1
FILE_NAME = "backbone.safetensors"
"""The backbone of a run directory that holds no classifier."""

_LONGEST = 200  # of names and of words for layers


@dataclass(frozen=True, kw_only=True)
class BackboneHeader:
    """What a backbone's file says before its tensors.

    Args:
        model: the network's name in `striate.models.CATALOGUE`.
        layers: the words for what the network consists of; ``None`` where it has no choice of them.
        preprocessing: how a picture becomes what the network takes.
        tensors: type and shape of each tensor, by name.
    """

    model: str
    layers: str | None
    preprocessing: Preprocessing
    tensors: Mapping[str, tensors.Entry] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, str]:
        """Give the texts for a safetensors header.

        Returns:
            Texts by name; all but the format and its version are JSON.
        """
        return {
            "format": FORMAT,
            "format_version": str(FORMAT_VERSION),
            "model": json.dumps(self.model),
            "layers": json.dumps(self.layers or ""),
            "preprocessing": json.dumps(self.preprocessing.to_dict()),
        }


def weights_file(path: Path | str) -> Path:
    """Give the file that a path means from which a training can start.

    Args:
        path: a file, the run directory of a classifier, or one with a backbone, as a generator's training
            leaves.

    Returns:
        The path of the file; where a directory has both, the classifier's.

    Raises:
        ModelFileError: where there is nothing at the path, or the directory has neither.
    """
    folder = Path(path)
    if (folder / FILE_NAME).is_file() and not (folder / MODEL_FILE_NAME).exists():
        return folder / FILE_NAME
    return model_file(path)


def read_backbone_header(file: Path | str) -> BackboneHeader:
    """Read what a backbone's file says before its tensors, without torch.

    Args:
        file: a safetensors file.

    Returns:
        The header, each value checked but not yet held against the network that it names.

    Raises:
        ModelFileError: where the file is missing, damaged, not ours, or of a newer format.
    """
    file = Path(file)
    header = tensors.read_header(file)
    check_format(header.metadata, file, name=FORMAT, newest=FORMAT_VERSION, what="a backbone")
    model, layers = (json_value(header.metadata, name, str, file) for name in ("model", "layers"))
    if max(len(model), len(layers)) > _LONGEST:
        raise ModelFileError(f"{file} is damaged: its network is '{model[:80]}' of {layers[:80]!r}")
    try:
        preprocessing = Preprocessing.from_dict(json_value(header.metadata, "preprocessing", dict, file))
    except ShapeError as error:
        raise ModelFileError(f"{file} is damaged: {error}") from error
    return BackboneHeader(
        model=model, layers=layers or None, preprocessing=preprocessing, tensors=header.tensors
    )
