"""What a training starts from instead of chance: published weights, another run, or a file of a backbone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from striate.classifier.backbone_file import FORMAT as BACKBONE_FORMAT
from striate.classifier.backbone_file import read_backbone_header, weights_file
from striate.classifier.fitting import check_fit, entries_of
from striate.classifier.header import FORMAT, read_header
from striate.classifier.published import PUBLISHED, published_weights
from striate.core import tensors as tensor_files
from striate.core.errors import LayerError, ModelFileError, RecipeError, StriateError, unknown_name
from striate.core.events import OnEvent, ignore
from striate.models import CATALOGUE, build, is_known, takes_layers
from striate.models.hub import hub_images, hub_weights, is_of_hub

_COUNTERS = "num_batches_tracked"


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A network that is trained already, before its weights are read.

    Args:
        name: what was asked for: a key of `PUBLISHED`, or the path of a file.
        model: the network's name in `striate.models.CATALOGUE`.
        channels: that it takes; ``None``: as many as the data have.
        size: height and width in pixels of the images that it was trained on; ``None``: not known.
        mean: per channel, of images in [0, 1], that it was trained with; ``None``: that of the data.
        std: per channel, of images in [0, 1]; ``None``: that of the data.
        layers: the words for what the network consists of, where it has a choice of them, as ``stacked`` and
            trunks have; ``None`` for every other.
    """

    name: str
    model: str
    channels: int | None = None
    size: tuple[int, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    layers: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give all fields by name, ready for JSON.

        Returns:
            A dictionary of plain values; `from_dict` makes the same of it again.
        """
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Pretrained:
        """Make it from fields by name.

        Args:
            values: what `to_dict` gave, maybe by way of JSON.

        Returns:
            The same as it was.

        >>> lite = find_pretrained("efficientnet-lite0")
        >>> Pretrained.from_dict(json.loads(json.dumps(lite.to_dict()))) == lite
        True
        """
        fields: dict[str, Any] = {
            name: tuple(each) if isinstance(each, list) else each for name, each in values.items()
        }
        return cls(**fields)

    def tensors(self, *, on_event: OnEvent = ignore) -> dict[str, Tensor]:
        """Read the weights.

        Args:
            on_event: is told of the progress where they are fetched.

        Returns:
            The tensors by name, on the CPU.

        Raises:
            ModelFileError: where they cannot be had, or are damaged.
        """
        if self.name in PUBLISHED:
            return published_weights(self.name, on_event=on_event)
        if is_of_hub(self.name):
            return hub_weights(self.name)
        found, _ = tensor_files.load_tensors(weights_file(self.name))
        return found


def find_pretrained(name: str, *, model: str | None = None) -> Pretrained:
    """Find out what a training is to start from, without reading its weights.

    Args:
        name: a key of `PUBLISHED`; a network of timm behind ``timm:``; a run directory or model file of
            striate; the run directory of a generator, whose backbone is meant, or a backbone's file; or a
            safetensors file of a network's tensors, which may say in its metadata, under ``model``, of which.
        model: the network that was asked for; ``None``: the one that the weights are of.

    Returns:
        What is known of it.

    Raises:
        ModelFileError: where there are no such weights, or they do not say of which network they are.
        RecipeError: where they are of another network than the one that was asked for.

    >>> find_pretrained("efficientnet-lite2").size
    (260, 260)
    """
    if name in PUBLISHED:
        published = PUBLISHED[name]
        found = Pretrained(
            name=name,
            model=name,
            channels=len(published.mean),
            size=(published.size, published.size),
            mean=published.mean,
            std=published.std,
        )
    elif is_of_hub(name):
        (channels, height, width), mean, std = hub_images(name)
        found = Pretrained(name=name, model=name, channels=channels, size=(height, width), mean=mean, std=std)
    elif os.path.exists(name):
        found = _of_file(name, model)
    else:
        raise ModelFileError(
            f"{unknown_name('pre-trained network', name, PUBLISHED)}, and no file of that name"
        )
    if model is not None and model != found.model:
        raise RecipeError(
            f"the model is to be '{model}', and {name} is a '{found.model}': leave one of them out, or name "
            "weights of the same network"
        )
    if not is_known(found.model):
        raise ModelFileError(f"{name}: {unknown_name('model', found.model[:80], CATALOGUE)}")
    return found


def _of_file(name: str, model: str | None) -> Pretrained:
    file = weights_file(name)
    metadata = tensor_files.read_header(file).metadata
    if metadata.get("format") == BACKBONE_FORMAT:
        return _of_backbone(name, file)
    if metadata.get("format") == FORMAT:
        header = read_header(file)
        shown = header.preprocessing
        return Pretrained(
            name=name,
            model=header.model,
            channels=shown.channels,
            size=shown.size,
            mean=shown.mean,
            std=shown.std,
            layers=header.arguments.get("layers"),
        )
    told = _plain(metadata.get("model", "")) or model
    if not told:
        raise ModelFileError(f"{file} does not say of which network its tensors are; name it by the model")
    return Pretrained(name=name, model=told)


def _of_backbone(name: str, file: Path) -> Pretrained:
    header = read_backbone_header(file)
    shown = header.preprocessing
    if header.model not in CATALOGUE:
        raise ModelFileError(f"{file}: {unknown_name('model', header.model[:80], CATALOGUE)}")
    if takes_layers(header.model) != (header.layers is not None):
        raise ModelFileError(f"{file} is damaged: the layers of its '{header.model}' are {header.layers!r}")
    options = {} if header.layers is None else {"layers": header.layers}
    try:
        with torch.device("meta"):  # without memory, so that a file can ask for no more than its own size
            network = build(header.model, classes=2, channels=shown.channels, size=shown.size, **options)
    except (StriateError, TypeError, ValueError, RuntimeError, LookupError, ArithmeticError) as error:
        raise ModelFileError(
            f"{file} is damaged: the network '{header.model}' cannot be built as its header says: {error}"
        ) from error
    head, _ = head_of(network)
    own = {key: value for key, value in network.state_dict().items() if not key.startswith(f"{head}.")}
    check_fit(entries_of(own), header.tensors, file=file, model=header.model)
    return Pretrained(
        name=name,
        model=header.model,
        channels=shown.channels,
        size=shown.size,
        mean=shown.mean,
        std=shown.std,
        layers=header.layers,
    )


def _plain(text: str) -> str:
    """Give a name that is written plainly, or as JSON as in our own headers."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else ""


def head_of(network: nn.Module) -> tuple[str, nn.Linear]:
    """Give the dense layer that a network ends with, which is what its classes depend on.

    Args:
        network: one of the catalogue, or another that ends with a dense layer.

    Returns:
        Its name in the network, and itself.

    Raises:
        LayerError: where there is no dense layer.

    >>> head_of(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)))
    ('2', Linear(in_features=3, out_features=2, bias=True))
    """
    found = [(name, part) for name, part in network.named_modules() if isinstance(part, nn.Linear)]
    if not found:
        raise LayerError(f"{type(network).__name__} ends with no dense layer, which transfer would replace")
    return found[-1]


@torch.no_grad()
def load_backbone(network: nn.Module, tensors: Mapping[str, Tensor], *, name: str, model: str) -> None:
    """Set all of a network but its head to weights that were trained before.

    Args:
        network: changed in place; memory formats stay.
        tensors: by the names of the network's own; those of a head are not looked at, and counts of batches
            may be missing, as in older files.
        name: of the weights, for errors.
        model: the network's name, for errors.

    Raises:
        ModelFileError: where they are those of another architecture, naming the first that does not fit.
    """
    head, _ = head_of(network)
    own = {key: value for key, value in network.state_dict().items() if not key.startswith(f"{head}.")}
    given = {key: value for key, value in tensors.items() if not key.startswith(f"{head}.")}
    own = {key: value for key, value in own.items() if key in given or not key.endswith(_COUNTERS)}
    check_fit(entries_of(own), entries_of(given), file=name, model=model)
    for key, value in own.items():
        value.copy_(given[key])
