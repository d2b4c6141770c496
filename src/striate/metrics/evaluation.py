"""The evaluation: everything measured of one classifier on one set of images, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from striate.core.errors import RunError, ShapeError
from striate.core.intervals import wilson
from striate.metrics.calibration import brier_score, expected_calibration_error, negative_log_likelihood
from striate.metrics.classification import top_k_accuracy
from striate.metrics.confusion import confusion_matrix, macro_f1, per_class
from striate.metrics.inputs import checked


@dataclass(frozen=True)
class Evaluation:
    """What was measured of a classifier on a set of images.

    Args:
        images: how many images it was measured on.
        classes: the names of the classes.
        accuracy: share of images predicted correctly.
        interval: 95 % Wilson interval of the accuracy.
        top5: share of images whose class is among the five likeliest; ``None`` up to five classes.
        negative_log_likelihood: in nats, of the calibrated probabilities.
        brier: Brier score over all classes, of the calibrated probabilities.
        calibration_error: expected calibration error (15 bins) of the calibrated probabilities.
        calibration_error_uncalibrated: the same at temperature 1.
        temperature: what logits are divided by to calibrate them.
        confusion: counts, rows true, columns predicted.
        precision: per class; 0 where a class was never predicted.
        recall: per class; 0 where a class does not occur.
        f1: per class; 0 where neither.
        support: how many images of each class there are.
    """

    images: int
    classes: tuple[str, ...]
    accuracy: float
    interval: tuple[float, float]
    top5: float | None
    negative_log_likelihood: float
    brier: float
    calibration_error: float
    calibration_error_uncalibrated: float
    temperature: float
    confusion: list[list[int]]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    support: tuple[int, ...]

    @property
    def macro_f1(self) -> float:
        """The mean of the classes' F1, over those that occur or were predicted."""
        return macro_f1(torch.tensor(self.confusion))

    def to_dict(self) -> dict[str, Any]:
        """Give all figures by name, ready for JSON.

        Returns:
            A dictionary of plain values; `from_dict` makes the evaluation of it again.
        """
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Evaluation:
        """Make an evaluation from figures by name; names that are not known are passed over.

        Args:
            values: what `to_dict` gave, maybe by way of JSON.

        Returns:
            The evaluation.

        Raises:
            RunError: where a figure is missing or something else than figures is in its place.
        """
        names = [field.name for field in fields(cls)]
        missing = [name for name in names if name not in values]
        if missing:
            raise RunError(f"the evaluation lacks {', '.join(missing)}; evaluate the classifier again")
        found = {name: values[name] for name in names}
        try:
            for name in ("classes", "interval", "precision", "recall", "f1", "support"):
                found[name] = tuple(found[name])
            found["confusion"] = [[int(count) for count in row] for row in found["confusion"]]
        except (TypeError, ValueError) as error:
            raise RunError(f"the evaluation is damaged ({error}); evaluate the classifier again") from error
        return cls(**found)


def evaluate_logits(
    logits: Tensor, labels: Tensor, classes: Sequence[str], temperature: float = 1.0
) -> Evaluation:
    """Measure everything there is to measure of logits against the true labels.

    Args:
        logits: (N, C), one row an image, before any temperature.
        labels: (N), the true classes, 0 to C - 1.
        classes: the C names.
        temperature: what the logits are divided by to calibrate them, over 0; fitted on other images.

    Returns:
        The evaluation.

    Raises:
        ShapeError: where the shapes do not fit, there is no image, a label names no class, or the
            temperature is not over 0.
        TrainingError: where a logit is not a finite number.

    >>> import torch
    >>> evaluate_logits(torch.tensor([[2.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]), ["cat", "dog"]).accuracy
    0.5
    """
    logits, labels = checked(logits, labels)
    count = logits.shape[1]
    if len(classes) != count:
        raise ShapeError(f"there are {len(classes)} class names for {count} columns of logits; give {count}")
    if not 0 < temperature < float("inf"):
        raise ShapeError(f"the temperature is {temperature}, where a number over 0 is wanted")
    calibrated = logits / temperature
    confusion = confusion_matrix(logits.argmax(dim=1), labels, count)
    precision, recall, f1 = per_class(confusion)
    right = int(confusion.trace())
    return Evaluation(
        images=len(labels),
        classes=tuple(classes),
        accuracy=right / len(labels),
        interval=wilson(right, len(labels)),
        top5=top_k_accuracy(logits, labels, 5) if count > 5 else None,
        negative_log_likelihood=negative_log_likelihood(calibrated, labels),
        brier=brier_score(calibrated, labels),
        calibration_error=expected_calibration_error(calibrated, labels),
        calibration_error_uncalibrated=expected_calibration_error(logits, labels),
        temperature=float(temperature),
        confusion=confusion.tolist(),
        precision=tuple(precision.tolist()),
        recall=tuple(recall.tolist()),
        f1=tuple(f1.tolist()),
        support=tuple(confusion.sum(dim=1).tolist()),
    )
