"""What is measured and drawn of a classifier at the end of a training with several labels an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from striate.classifier import Classifier
from striate.data import Split
from striate.metrics import (
    MultiLabelEvaluation,
    choose_thresholds,
    evaluate_label_logits,
    fit_label_temperature,
)
from striate.plots import label_bars, label_sheet
from striate.training.reporting import Reported, Reporting, rows_shown


class LabelReporting(Reporting):
    """The reporting where images may have several labels: average precision of each, thresholds and F1."""

    pictures = ("labels.png", "predictions.png")
    figure = "mean_average_precision"

    def __init__(self, classifier: Classifier) -> None:
        super().__init__(classifier)
        self._found: dict[str, MultiLabelEvaluation] = {}

    def calibrate(self, logits: Tensor, labels: Tensor) -> None:
        """Fit the temperature, then choose the thresholds."""
        self.classifier.temperature = fit_label_temperature(logits, labels)
        self.classifier.thresholds = choose_thresholds(self._probabilities(logits), labels).tolist()

    def measure(self, part: str, logits: Tensor, labels: Tensor) -> None:
        """Measure the classifier on a part."""
        self._found[part] = evaluate_label_logits(
            logits,
            labels,
            self.classifier.classes,
            temperature=self.classifier.temperature,
            thresholds=self.classifier.thresholds or (),
        )

    def reported(self) -> list[Reported]:
        """Give the mean average precisions."""
        return [
            Reported(part, self.figure, found.mean_average_precision, found.interval, found.images)
            for part, found in self._found.items()
        ]

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Give the evaluations."""
        return {part: found.to_dict() for part, found in self._found.items()}

    def draw(self, folder: Path, shown: Split, logits: Tensor) -> None:
        """Draw a bar for each label, and a sheet of predictions."""
        title = str(self.reported()[-1])
        label_bars(list(self._found.values())[-1], folder / "labels.png", title=title)
        rows = rows_shown(shown)
        thresholds = torch.tensor(self.classifier.thresholds, dtype=torch.float64)
        said = self._probabilities(logits[rows]) >= thresholds
        label_sheet(
            shown.images[rows],
            shown.labels[rows],
            said.numpy(),
            self.classifier.classes,
            folder / "predictions.png",
            title=title,
        )

    def _probabilities(self, logits: Tensor) -> Tensor:
        return torch.sigmoid(logits.double() / self.classifier.temperature)
