"""The classifier: a network together with everything needed to use it on a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from striate.classifier.batches import images_at_a_time
from striate.classifier.header import check_thresholds
from striate.classifier.preprocessing import Preprocessing
from striate.classifier.views import views
from striate.core.device import Policy, choose_policy
from striate.core.errors import DataError, ShapeError
from striate.core.events import OnEvent, ignore

if TYPE_CHECKING:
    from striate.classifier.prediction import Inputs, Prediction


class Classifier(nn.Module):
    """A network with its preprocessing, class names and calibration.

    Args:
        network: takes normalised images (N, C, H, W), series (N, C, L) or volumes (N, C, D, H, W), gives
            logits (N, classes).
        model: the network's name in `striate.models.CATALOGUE`.
        arguments: what `striate.models.build` was given besides the name, as JSON can hold it.
        classes: the names of the classes, in the order of the logits.
        preprocessing: how a picture becomes what the network takes.
        temperature: what logits are divided by to calibrate them, over 0.
        policy: where and how to compute; ``None`` chooses.
        details: what is known of its making: recipe, data fingerprint, source, accuracy, versions.

    An image is of one class, until `thresholds` are set.

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
        self._thresholds: tuple[float, ...] | None = None
        for_each_channel = (1, -1, *(1 for _ in preprocessing.size))
        for name in ("mean", "std"):
            values = torch.tensor(getattr(preprocessing, name)).view(for_each_channel)
            self.register_buffer(name, values, persistent=False)
        self.to(self.policy.device)

    @property
    def multi_label(self) -> bool:
        """Whether an image may have several labels, or none; else it is of one class."""
        return self._thresholds is not None

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """The probability from which on each label is said; ``None`` where an image is of one class."""
        return self._thresholds

    @thresholds.setter
    def thresholds(self, values: Sequence[float] | None) -> None:
        """Let an image have several labels, or be of one class again.

        Args:
            values: a probability in [0, 1] for each label; ``None``: an image is of one class.

        Raises:
            ShapeError: where they are not that.
        """
        if values is not None:
            check_thresholds(values, len(self.classes))
        self._thresholds = None if values is None else tuple(map(float, values))

    @property
    def size(self) -> tuple[int, ...]:
        """Height and width that the network takes, pixels; or the length of series, all axes of volumes."""
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
        bytes_each = 4 if self.preprocessing.numbers else 1
        return images_at_a_time(self.policy, self.size, channels=self.channels, bytes_each=bytes_each)

    def forward(self, images: Tensor) -> Tensor:
        """Normalise images and give the network's logits.

        Args:
            images: (N, C, H, W) in [0, 1], or (N, C, spatial) of whatever the preprocessing names.

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
            images: (N, C, H, W), uint8, or floating point in [0, 1]; maybe a memory map. Where any numbers
                are taken, (N, C, spatial) of any type.

        Returns:
            (N, classes), float32 on the CPU, before the temperature.

        Raises:
            ShapeError: where the images are not of the size and channels that the network takes.
            DataError: where they are neither uint8 nor numbers in [0, 1], or not finite.
        """
        self._check_shape(images)
        parts: list[Tensor] = []
        with torch.no_grad(), _evaluating(self):
            for start in range(0, len(images), self.batch):
                batch = self._taken(images[start : start + self.batch])
                with self.policy.autocast():
                    parts.append(self(batch).float().cpu())
        return torch.cat(parts) if parts else torch.empty(0, len(self.classes))

    def probabilities(self, images: np.ndarray | Tensor) -> Tensor:
        """Compute the calibrated probabilities of many images.

        Args:
            images: as for `logits`.

        Returns:
            (N, classes), float32 on the CPU; each row sums to 1, unless images may have several labels.
        """
        logits = self.logits(images) / self.temperature
        return torch.sigmoid(logits) if self.multi_label else torch.softmax(logits, dim=1)

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

    def _taken(self, images: np.ndarray | Tensor) -> Tensor:
        """Move images to the device as the numbers that `forward` takes."""
        # An array is copied: a read-only memory map cannot be a tensor.
        batch = images.detach() if isinstance(images, Tensor) else torch.from_numpy(np.array(images))
        batch = batch.to(self.policy.device)
        batch = _finite(batch) if self.preprocessing.numbers else _unit_range(batch)
        return batch.contiguous(memory_format=self.policy.memory_format_of(self.preprocessing.dims))

    def _check_shape(self, images: np.ndarray | Tensor) -> None:
        wanted = (self.channels, *self.size)
        if tuple(images.shape[1:]) != wanted:
            shape = "x".join(map(str, images.shape))
            raise ShapeError(
                f"the images are {shape}, where this classifier takes Nx{'x'.join(map(str, wanted))}; "
                "predict() fits what is of another shape"
            )


def _unit_range(batch: Tensor) -> Tensor:
    """Give images as numbers in [0, 1]."""
    if batch.dtype == torch.uint8:
        batch = batch.float().div_(255)
    elif batch.is_floating_point():
        low, high = batch.amin().item(), batch.amax().item()
        if not (low >= 0 and high <= 1):  # a NaN fails too
            raise DataError(f"the images are numbers from {low:g} to {high:g}, where [0, 1] is wanted")
        return batch.float()
    else:
        kind = str(batch.dtype).removeprefix("torch.")
        raise DataError(f"the images are of type {kind}, where uint8 or numbers in [0, 1] are wanted")
    return batch


def _finite(batch: Tensor) -> Tensor:
    """Give any numbers as they are, where all of them are some."""
    batch = batch.float()
    if not bool(torch.isfinite(batch).all()):
        raise DataError("there are values that are no finite numbers; fill them, or leave these items out")
    return batch


@contextmanager
def unshifted(classifier: Classifier) -> Iterator[None]:
    """Let a classifier average over no shifted views within the block, which takes a third of the time.

    Args:
        classifier: afterwards as before, also after an exception.
    """
    before = classifier.preprocessing
    classifier.preprocessing = replace(before, average_shifted=0)
    try:
        yield
    finally:
        classifier.preprocessing = before


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
