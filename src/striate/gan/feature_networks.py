"""The networks through whose features generated images are scored: embedded, published or the user's own.

A score is a score by its network, and bears its name. Those with a version in their name never change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from striate.classifier.pretrained import head_of
from striate.classifier.published import Published, read_published, weights_of
from striate.core.device import choose_policy
from striate.core.errors import ModelFileError, ShapeError, unknown_name
from striate.core.events import OnEvent, ignore
from striate.data.progress import Progress
from striate.data.stored import Images
from striate.engine.borrowing import borrowed
from striate.gan.embedded_networks import EMBEDDED, EmbeddedNetwork, read_embedded
from striate.models import build
from striate.models.inception import inception_v3

INCEPTION = "inception-v3"

NAMES = (*EMBEDDED, INCEPTION)
"""The feature networks that have a name of their own."""

INCEPTION_WEIGHTS = Published(
    # Apache-2.0: the network of TensorFlow, converted for pytorch-fid.
    file="pt_inception-2015-12-05-6726825d.pth",
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    size=299,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    address="https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/",
)

CPU_PIXELS, GPU_PIXELS = 2**18, 2**24
"""So many pixels are computed at once, of the size that the network takes."""


@dataclass(frozen=True, eq=False)
class Features:
    """What a feature network says of images.

    Args:
        features: N x D, float32 on the CPU.
        probabilities: N x C, of each class; ``None`` from a network that names no classes.
    """

    features: Tensor
    probabilities: Tensor | None


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """A network that gives the features of images, and what its scores are called by.

    Args:
        name: of the network.
        module: takes images in [0, 1], N x C x H x W, and gives features, N x D; or features and logits.
        size: side in pixels that images are brought to; ``None``: they stay as they are.
        channels: that it takes, grey images being given to three alike; ``None``: as many as images have.
        classes: the names of its classes.
        device: where the module is; ``None``: the CPU.

    >>> network = FeatureNetwork("pixels", nn.Flatten())
    >>> network.features(torch.zeros(3, 1, 4, 4)).features.shape
    torch.Size([3, 16])
    """

    name: str
    module: nn.Module
    size: int | None = None
    channels: int | None = None
    classes: tuple[str, ...] = ()
    device: str | None = None

    def features(self, images: Images | Tensor, *, on_event: OnEvent = ignore) -> Features:
        """Compute the features of images, in float32 wherever they are computed, so that scores agree.

        Args:
            images: N x C x H x W, uint8 or in [0, 1], at least one; in memory or on the disk.
            on_event: is told of the progress.

        Returns:
            The features, and probabilities where the network has classes.

        Raises:
            ShapeError: where the images are of other channels, or no numbers in [0, 1]; or where the module
                gives something else than a row of features for each.
        """
        _check_shape(self, images)
        side = self.size or max(images.shape[2:])
        pixels = GPU_PIXELS if (self.device or "cpu").startswith("cuda") else CPU_PIXELS
        batch = max(8, pixels // (side * side))
        progress = Progress(on_event, f"computing features by {self.name}", len(images), "images")
        parts: list[Features] = []
        with torch.no_grad(), borrowed(self.module):
            for start in range(0, len(images), batch):
                parts.append(self._of(_block(self.name, images[start : start + batch])))
                progress.advance(len(parts[-1].features))
        progress.finish()
        found = [part.probabilities for part in parts if part.probabilities is not None]
        return Features(torch.cat([part.features for part in parts]), torch.cat(found) if found else None)

    def _of(self, images: Tensor) -> Features:
        given = self.module(self._fitted(images.to(self.device or "cpu")))
        features, logits = given if isinstance(given, tuple) else (given, None)
        for what, rows in (("features", features), ("logits", logits)):
            if rows is not None and (rows.ndim != 2 or len(rows) != len(images)):
                raise ShapeError(
                    f"{self.name} gives {what} of the shape {tuple(rows.shape)} for {len(images)} images, "
                    f"where ({len(images)}, D) is wanted"
                )
        probabilities = None if logits is None else logits.float().softmax(dim=1).cpu()
        return Features(features.float().cpu(), probabilities)

    def _fitted(self, images: Tensor) -> Tensor:
        images = images.float() / 255 if images.dtype == torch.uint8 else images.float()
        if self.channels is not None and images.shape[1] != self.channels:
            images = images.expand(-1, self.channels, -1, -1)
        if self.size is not None and tuple(images.shape[2:]) != (self.size, self.size):
            # Smoothed where it makes smaller: without, what is left depends on where pixels happen to lie.
            wanted = (self.size, self.size)
            images = nn.functional.interpolate(images, wanted, mode="bilinear", antialias=True)
        return images.contiguous(memory_format=torch.channels_last)


class Tapped(nn.Module):
    """A classifier that gives what its head is given, beside its logits.

    Args:
        network: takes normalised images, and ends with a dense layer.
        mean: per channel, of images in [0, 1]; subtracted.
        std: per channel, of images in [0, 1]; divided by.

    Raises:
        LayerError: where the network has no dense layer.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
        _, self._head = head_of(network)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Give features, N x D, and logits, N x classes, of images in [0, 1], N x C x H x W."""
        given: list[Tensor] = []
        handle = self._head.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
        try:
            logits = self.network((images - self.mean) / self.std)
        finally:
            handle.remove()
        return given[-1].flatten(1), logits


def find_feature_network(
    name: str | Path | nn.Module | FeatureNetwork,
    *,
    device: str | None = None,
    on_event: OnEvent = ignore,
) -> FeatureNetwork:
    """Find a feature network.

    Args:
        name: one of `NAMES`; the published ``.pth`` file of inception-v3, where it is not in the cache and
            cannot be fetched; a run or model file of a classifier, whose features are what its head takes; or
            a module, as `FeatureNetwork` says.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses. A module stays where it is.
        on_event: is told of the progress where weights are fetched.

    Returns:
        The network, ready to be used.

    Raises:
        ModelFileError: where there is no such network, its weights cannot be had, or are others than those
            that were published.
        DeviceError: where this machine does not have the device.

    >>> find_feature_network("striate-fashion-v1", device="cpu").size
    28
    """
    if isinstance(name, FeatureNetwork):
        return name
    if isinstance(name, nn.Module):
        place = next((str(parameter.device) for parameter in name.parameters()), None)
        return FeatureNetwork(type(name).__name__, name, device=place)
    if name == INCEPTION:
        return _inception(weights_of(INCEPTION, INCEPTION_WEIGHTS, on_event=on_event), device)
    if name in EMBEDDED:
        return _embedded(str(name), read_embedded(str(name)), device)
    if Path(name).suffix == ".pth":
        return _inception(read_published(Path(name), sha256=INCEPTION_WEIGHTS.sha256), device)
    if Path(name).exists():
        return _of_classifier(name, device)
    raise ModelFileError(f"{unknown_name('feature network', str(name), NAMES)}, and no run of that name")


def _check_shape(network: FeatureNetwork, images: Images | Tensor) -> None:
    if len(images.shape) != 4 or 0 in images.shape:
        raise ShapeError(f"images have the shape {tuple(images.shape)}, where N x C x H x W is wanted")
    channels = images.shape[1]
    if network.channels is not None and channels not in (1, network.channels):
        raise ShapeError(
            f"the images have {channels} channels and {network.name} takes {network.channels}; {INCEPTION} "
            "or a run of your own that takes such images can be named"
        )


def _block(name: str, images: Images | Tensor) -> Tensor:
    """Give some images as a tensor, uint8 or in [0, 1]."""
    # An array is copied: a read-only map of a file cannot be a tensor.
    block = images if isinstance(images, Tensor) else torch.from_numpy(np.array(images))
    if block.dtype == torch.uint8:
        return block
    low, high = block.amin().item(), block.amax().item()
    if not block.is_floating_point() or low < 0 or high > 1:
        kind = str(block.dtype).removeprefix("torch.")
        raise ShapeError(
            f"{name} takes images of uint8, or floats in [0, 1], and these are {kind} from {low:.4g} to "
            f"{high:.4g}"
        )
    return block


def _embedded(name: str, found: EmbeddedNetwork, device: str | None) -> FeatureNetwork:
    with torch.random.fork_rng(devices=[]):
        network = build(found.model, **found.arguments)
    network.load_state_dict({key: tensor.float() for key, tensor in found.tensors.items()})
    tapped = Tapped(network, mean=found.mean, std=found.std)
    return _ready(
        name, tapped, size=found.size, channels=found.channels, classes=found.classes, device=device
    )


def _inception(tensors: dict[str, Tensor], device: str | None) -> FeatureNetwork:
    published = INCEPTION_WEIGHTS
    with torch.device("meta"):
        network = inception_v3()
    network.load_state_dict(tensors, assign=True)
    # The Inception Score was defined without the biases of the head.
    head_of(network)[1].bias.detach().zero_()
    tapped = Tapped(network, mean=published.mean, std=published.std)
    return _ready(INCEPTION, tapped, size=published.size, channels=3, classes=(), device=device)


def _of_classifier(path: Path | str, device: str | None) -> FeatureNetwork:
    from striate.classifier import load

    classifier = load(path, device="cpu", precision="float32")
    shown = classifier.preprocessing
    if shown.size[0] != shown.size[1]:
        raise ShapeError(
            f"{path} takes images of {shown.size[0]}x{shown.size[1]}, and a feature network takes squares"
        )
    tapped = Tapped(classifier.network, mean=shown.mean, std=shown.std)
    return _ready(
        Path(path).name,
        tapped,
        size=shown.size[0],
        channels=shown.channels,
        classes=classifier.classes,
        device=device,
    )


def _ready(
    name: str, module: nn.Module, *, size: int, channels: int, classes: Sequence[str], device: str | None
) -> FeatureNetwork:
    place = choose_policy(device, "float32").device
    module.eval().requires_grad_(False).to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return FeatureNetwork(name, module, size, channels, tuple(classes), place)
