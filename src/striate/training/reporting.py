"""What is measured and drawn of a classifier at the end of its training, where an image is of one class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.classifier import Classifier
from striate.data import Split
from striate.metrics import Evaluation, evaluate_logits, fit_temperature
from striate.plots import confusion_matrix, prediction_sheet

SHEET_IMAGES = 40
"""How many images the picture of predictions shows."""

SHEET_BYTES = 2**28
FEWEST_SHOWN = 4
"""Of large volumes as many as take so many bytes, but at least so many."""


@dataclass(frozen=True)
class Reported:
    """The figure that a training reports.

    Args:
        part: what it was measured on: ``test``, or where there is none ``validation``.
        name: what it is, such as ``accuracy``.
        value: in [0, 1].
        interval: its 95 % interval.
        images: on how many images it was measured.
    """

    part: str
    name: str
    value: float
    interval: tuple[float, float]
    images: int

    def __str__(self) -> str:
        low, high = self.interval
        said = f"{self.part} {self.name.replace('_', ' ')} {self.value:.2%}"
        return f"{said} (95 % interval {low:.2%} to {high:.2%}, {self.images:,} images)"


class Reporting(ABC):
    """Calibrates a classifier, measures it on parts of the data, and draws what came out.

    Args:
        classifier: with the network of the best epoch.
    """

    pictures: ClassVar[tuple[str, ...]]
    figure: ClassVar[str]

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    @abstractmethod
    def calibrate(self, logits: Tensor, labels: Tensor) -> None:
        """Choose all that is chosen on validation.

        Args:
            logits: N x classes, of the validation part.
            labels: of its images.
        """

    @abstractmethod
    def measure(self, part: str, logits: Tensor, labels: Tensor) -> None:
        """Measure the classifier on a part; the last one is reported.

        Args:
            part: its name.
            logits: N x classes.
            labels: of its images.
        """

    @abstractmethod
    def reported(self) -> list[Reported]:
        """Give the figure of each part that was measured.

        Returns:
            The figures, that which is reported last.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Give all that was measured, by part, ready for JSON.

        Returns:
            Plain values.
        """

    @abstractmethod
    def draw(self, folder: Path, shown: Split, logits: Tensor) -> None:
        """Draw the pictures.

        Args:
            folder: where they are written.
            shown: the part that is reported.
            logits: of its images.
        """


def rows_shown(shown: Split) -> NDArray[np.int64]:
    """Choose the images of the picture of predictions.

    Args:
        shown: the part that is reported.

    Returns:
        Their numbers, evenly through the part, since files come sorted by class.
    """
    each = shown.images.nbytes // max(1, len(shown))
    most = min(len(shown), SHEET_IMAGES, max(FEWEST_SHOWN, SHEET_BYTES // max(1, each)))
    return np.linspace(0, len(shown) - 1, most).astype(np.int64)


class ClassReporting(Reporting):
    """The reporting where an image is of one class: accuracy, confusion and predictions."""

    pictures = ("confusion.png", "predictions.png")
    figure = "accuracy"

    def __init__(self, classifier: Classifier) -> None:
        super().__init__(classifier)
        self._found: dict[str, Evaluation] = {}

    def calibrate(self, logits: Tensor, labels: Tensor) -> None:
        """Fit the temperature."""
        self.classifier.temperature = fit_temperature(logits, labels)

    def measure(self, part: str, logits: Tensor, labels: Tensor) -> None:
        """Measure the classifier on a part."""
        classifier = self.classifier
        self._found[part] = evaluate_logits(logits, labels, classifier.classes, classifier.temperature)

    def reported(self) -> list[Reported]:
        """Give the accuracies."""
        found = self._found.items()
        return [Reported(part, self.figure, it.accuracy, it.interval, it.images) for part, it in found]

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Give the evaluations."""
        return {part: found.to_dict() for part, found in self._found.items()}

    def draw(self, folder: Path, shown: Split, logits: Tensor) -> None:
        """Draw the confusion matrix and a sheet of predictions."""
        evaluation = list(self._found.values())[-1]
        confusion_matrix(evaluation.confusion, evaluation.classes, folder / "confusion.png")
        confidences, predicted = torch.softmax(logits / self.classifier.temperature, dim=1).max(dim=1)
        rows = rows_shown(shown)
        prediction_sheet(
            shown.images[rows],
            shown.labels[rows],
            predicted[rows].numpy(),
            confidences[rows].numpy(),
            self.classifier.classes,
            folder / "predictions.png",
            title=str(self.reported()[-1]),
        )
