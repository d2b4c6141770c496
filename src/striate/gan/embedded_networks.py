"""The feature networks that striate brings along: which there are, and their files, read once they are known.

`scripts/train_feature_networks.py` trains them. A network that judges generators takes no part in training
any: `WATCHERS` are for looking at a training while it runs, and no score is computed by them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from torch import Tensor

from striate.core.errors import ModelFileError
from striate.core.tensors import load_tensors

FORMAT = "striate.features"

EMBEDDED: dict[str, str] = {
    "striate-digits-v1": "127340eb6177275f29e250d501b66707811a6065da1d44cb0fce8720ed078617",
    "striate-fashion-v1": "143b676e4f345a4ad6835d59f39b5f52240aa23108a3fa0edc1583431e281387",
    "striate-fashion-watch-v1": "1bb9e7bb409378a3d2892606d10da2ab23fea3a853fbf8deb15c108f2a44b56c",
}
"""Name -> SHA-256 of its file. A file never changes under its name: scores by it must stay comparable."""

WATCHERS = ("striate-fashion-watch-v1",)
"""Those that watch trainings."""


@dataclass(frozen=True, eq=False)
class EmbeddedNetwork:
    """A feature network as its file describes it.

    Args:
        model: its name in `striate.models.CATALOGUE`.
        arguments: what remakes it: ``build(model, **arguments)``.
        classes: the names of its classes.
        mean, std: per channel, of images in [0, 1], that it was trained with.
        size: side of its images in pixels.
        channels: of its images.
        test_accuracy: of the classifier that it is, with the weights of the file, on images that it was not
            trained on.
        trained: how, in one sentence.
        tensors: its weights, in half precision.
    """

    model: str
    arguments: dict[str, Any]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    channels: int
    test_accuracy: float
    trained: str
    tensors: Mapping[str, Tensor]

    def to_metadata(self) -> dict[str, str]:
        """Give the texts for a safetensors header.

        Returns:
            Texts by name; all but ``format`` are JSON.
        """
        fields = {name: value for name, value in vars(self).items() if name != "tensors"}
        return {"format": FORMAT, **{name: json.dumps(value) for name, value in fields.items()}}


def read_embedded(name: str) -> EmbeddedNetwork:
    """Read a feature network that striate brings along, once its file is known to be the one.

    Args:
        name: a key of `EMBEDDED`.

    Returns:
        The network's description and weights.

    Raises:
        ModelFileError: where the file is missing or another one.

    >>> read_embedded("striate-fashion-v1").test_accuracy > 0.92
    True
    """
    with resources.as_file(resources.files("striate.gan") / "weights" / f"{name}.safetensors") as path:
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelFileError(
                f"cannot read the feature network {path}: {error.strerror or error}; install striate again"
            ) from error
        if digest != EMBEDDED[name]:
            raise ModelFileError(
                f"{path} is not the file that striate came with: its SHA-256 begins with {digest[:8]}, where "
                f"{EMBEDDED[name][:8]} is wanted; install striate again"
            )
        tensors, metadata = load_tensors(path)
    values = {key: json.loads(text) for key, text in metadata.items() if key != "format"}
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return EmbeddedNetwork(tensors=tensors, **plain)
