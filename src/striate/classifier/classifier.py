"""The classifier: a network together with everything needed to use it on a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from striate.classifier.preprocessing import Preprocessing
from striate.classifier.views import views
from striate.core.device import Policy, choose_policy
from striate.core.errors import DataError, ShapeError
from striate.core.events import OnEvent, ignore

if TYPE_CHECKING:
    from striate.classifier.prediction import Inputs, Prediction

LARGEST_BATCH = 256
"""How many images are computed at once, at most."""

BATCH_BYTES = 64 * 2**20
"""How many bytes of decoded pixels a batch holds, at most, unless one image alone has more."""


class Classifier(nn.Module):
    """A network with its preprocessing, class names and calibration.

    Args:
        network: takes normalised images (N, C, H, W), gives logits (N, classes).
        model: the network's name in `striate.models.CATALOGUE`.
        arguments: what `striate.models.build` was given besides the name, as JSON can hold it.
        classes: the names of the classes, in the order of the logits.
        preprocessing: how a picture becomes what the network takes.
        temperature: what logits are divided by to calibrate them, over 0.
        policy: where and how to compute; ``None`` chooses.
        details: what is known of its making: recipe, data fingerprint, source, accuracy, versions.

    Raises:
        ShapeError: where there is no class or the temperature is not over 0.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        model: str,
        arguments: Mapping[str, Any],
        classes: Sequence[str],
        preprocessing: Preprocessing,
        temperature: float = 1.0,
        policy: Policy | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if len(classes) < 1:
            raise ShapeError("a classifier needs at least one class, and 0 were given")
        if not 0 < temperature < float("inf"):
            raise ShapeError(f"the temperature is {temperature}, where a number over 0 is wanted")
        self.network = network
        self.model = model
        self.arguments = dict(arguments)
        self.classes = tuple(classes)
        self.preprocessing = preprocessing
        self.temperature = float(temperature)
        self.policy = policy or choose_policy()
        self.details = dict(details or {})
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, -1, 1, 1), persistent=False)
        self.to(self.policy.device)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the network takes, pixels."""
        return self.preprocessing.size

    @property
    def channels(self) -> int:
        """How many channels the network takes."""
        return self.preprocessing.channels

    @property
    def fit(self) -> str:
        """How a picture of another shape is fitted."""
        return self.preprocessing.fit

    @property
    def fill(self) -> tuple[int, ...]:
        """Colour of the padding, 0 to 255 per channel."""
        return self.preprocessing.fill

    @property
    def batch(self) -> int:
        """How many images are computed at once."""
        pixels = self.channels * self.size[0] * self.size[1]
        return max(1, min(LARGEST_BATCH, BATCH_BYTES // pixels))

    def forward(self, images: Tensor) -> Tensor:
        """Normalise images and give the network's logits.

        Args:
            images: (N, C, H, W) in [0, 1].

        Returns:
            (N, classes), before the temperature; in evaluation mode the mean over the views that the
            preprocessing names.
        """
        normalised = (images - self.mean) / self.std
        if self.training:
            logits: Tensor = self.network(normalised)
            return logits
        mirrored, shifted = self.preprocessing.average_mirrored, self.preprocessing.average_shifted
        seen = views(normalised, mirrored=mirrored, shifted=shifted)
        return torch.stack([share * self.network(view) for share, view in seen]).sum(dim=0)

    def logits(self, images: np.ndarray | Tensor) -> Tensor:
        """Compute the logits of many images in batches, without gradients, in evaluation mode.

        Args:
            images: (N, C, H, W), uint8, or floating point in [0, 1]; maybe a memory map.

        Returns:
            (N, classes), float32 on the CPU, before the temperature.

        Raises:
            ShapeError: where the images are not of the size and channels that the network takes.
            DataError: where they are neither uint8 nor numbers in [0, 1].
        """
        self._check_shape(images)
        parts: list[Tensor] = []
        with torch.no_grad(), _evaluating(self):
            for start in range(0, len(images), self.batch):
                batch = _unit_range(images[start : start + self.batch], self.policy)
                with self.policy.autocast():
                    parts.append(self(batch).float().cpu())
        return torch.cat(parts) if parts else torch.empty(0, len(self.classes))

    def probabilities(self, images: np.ndarray | Tensor) -> Tensor:
        """Compute the calibrated probabilities of many images.

        Args:
            images: as for `logits`.

        Returns:
            (N, classes), float32 on the CPU; each row sums to 1.
        """
        return torch.softmax(self.logits(images) / self.temperature, dim=1)

    def predict(
        self, inputs: Inputs, *, top: int = 5, on_event: OnEvent = ignore
    ) -> Prediction | list[Prediction]:
        """Say what is to be seen in one picture or many.

        Args:
            inputs: one picture (a file's path, a PIL image, an array or tensor of HxW, HxWxC or CxHxW),
                or many (a folder's path, a list of any of these, an array or tensor of four dimensions).
                Arrays hold uint8, or floating point in [0, 1].
            top: how many of the likeliest classes to name, at least 1.
            on_event: is given the progress.

        Returns:
            A prediction for one picture, a list of predictions for many. A file that cannot be read
            has a prediction that holds the error.

        Raises:
            DataError: where there is no such path or no picture in it, or where a single picture
                that is not a file is of a wrong kind.
        """
        from striate.classifier.prediction import predict

        return predict(self, inputs, top=top, on_event=on_event)

    def save(self, path: Path | str) -> None:
        """Write the classifier to one safetensors file, atomically.

        Args:
            path: the file to be made or replaced.

        Raises:
            RunError: where the file cannot be written; what was there is then untouched.
        """
        from striate.classifier.file import save

        save(self, path)

    def _check_shape(self, images: np.ndarray | Tensor) -> None:
        wanted = (self.channels, *self.size)
        if images.ndim != 4 or tuple(images.shape[1:]) != wanted:
            shape = "x".join(map(str, images.shape))
            raise ShapeError(
                f"the images are {shape}, where this classifier takes Nx{'x'.join(map(str, wanted))}; "
                "predict() fits pictures of any shape"
            )


def _unit_range(images: np.ndarray | Tensor, policy: Policy) -> Tensor:
    """Move images to the device as numbers in [0, 1]."""
    # An array is copied: a read-only memory map cannot be a tensor.
    batch = images.detach() if isinstance(images, Tensor) else torch.from_numpy(np.array(images))
    batch = batch.to(policy.device)
    if batch.dtype == torch.uint8:
        batch = batch.float().div_(255)
    elif batch.is_floating_point():
        low, high = batch.amin().item(), batch.amax().item()
        if not (low >= 0 and high <= 1):  # a NaN fails too
            raise DataError(f"the images are numbers from {low:g} to {high:g}, where [0, 1] is wanted")
        batch = batch.float()
    else:
        kind = str(batch.dtype).removeprefix("torch.")
        raise DataError(f"the images are of type {kind}, where uint8 or numbers in [0, 1] are wanted")
    return batch.contiguous(memory_format=policy.memory_format)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and each of its parts back into the mode it was in."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
