"""The evaluation of a classifier whose images may have several labels, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.core.errors import RunError, ShapeError
from striate.core.intervals import wilson
from striate.metrics.multi_label import label_f1
from striate.metrics.ranking import (
    average_precision,
    checked_tables,
    mean_interval,
    precision_interval,
    telling,
)

BINS = 15


@dataclass(frozen=True)
class MultiLabelEvaluation:
    """What was measured of a classifier on images that may have several labels.

    Args:
        images: how many images it was measured on.
        classes: the names of the labels.
        mean_average_precision: over the labels that some of these images have and others have not.
        interval: its 95 % interval.
        average_precision: of each label; ``None`` where no image has it.
        average_precision_intervals: 95 % intervals of these.
        thresholds: the probability from which on each label is said; chosen on validation.
        precision: of each label, as it is said; 0 where it never is.
        recall: of each label; 0 where no image has it.
        f1: of each label; 0 where neither.
        support: how many images have each label.
        macro_f1: the mean of F1 over the labels that some image has.
        micro_f1: F1 of all answers together.
        exact_match: share of images of which all labels are said, and no others.
        exact_match_interval: its 95 % Wilson interval.
        negative_log_likelihood: of an answer, in nats, calibrated; the mean over images and labels.
        brier: mean squared distance of the calibrated probability of a label from 0 or 1.
        calibration_error: expected calibration error (15 bins) of the calibrated probabilities of all labels.
        calibration_error_uncalibrated: the same at temperature 1.
        temperature: what logits are divided by to calibrate them.
    """

    images: int
    classes: tuple[str, ...]
    mean_average_precision: float
    interval: tuple[float, float]
    average_precision: tuple[float | None, ...]
    average_precision_intervals: tuple[tuple[float, float] | None, ...]
    thresholds: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    support: tuple[int, ...]
    macro_f1: float
    micro_f1: float
    exact_match: float
    exact_match_interval: tuple[float, float]
    negative_log_likelihood: float
    brier: float
    calibration_error: float
    calibration_error_uncalibrated: float
    temperature: float

    def to_dict(self) -> dict[str, Any]:
        """Give all figures by name, ready for JSON.

        Returns:
            A dictionary of plain values; `from_dict` makes the evaluation of it again.
        """
        return {name: _plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MultiLabelEvaluation:
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
        for field in fields(cls):
            if isinstance(values[field.name], list | tuple) != str(field.type).startswith("tuple"):
                raise RunError(f"the evaluation is damaged in {field.name}; evaluate the classifier again")
        return cls(**{name: _frozen(values[name]) for name in names})


def evaluate_label_logits(
    logits: Tensor,
    labels: Tensor,
    classes: Sequence[str],
    *,
    temperature: float = 1.0,
    thresholds: Sequence[float],
) -> MultiLabelEvaluation:
    """Measure everything there is to measure of logits against tables of labels.

    Args:
        logits: (N, K), one row an image, before any temperature.
        labels: (N, K), 1 where the image has the label, else 0.
        classes: the K names.
        temperature: what the logits are divided by to calibrate them, over 0; fitted on other images.
        thresholds: the K calibrated probabilities from which on a label is said; chosen on other images.

    Returns:
        The evaluation.

    Raises:
        ShapeError: where the shapes do not fit, there is no image, a label is neither 0 nor 1, or the
            temperature is not over 0.
        TrainingError: where a logit is not a finite number.

    >>> logits, labels = torch.tensor([[2.0, -1.0], [-2.0, 1.0]]), torch.tensor([[1, 0], [0, 1]])
    >>> evaluate_label_logits(logits, labels, ["cat", "dog"], thresholds=[0.5, 0.5]).exact_match
    1.0
    """
    logits, labels = checked_tables(logits, labels)
    count, width = logits.shape
    if len(classes) != width or len(thresholds) != width:
        raise ShapeError(
            f"there are {len(classes)} names and {len(thresholds)} thresholds for {width} columns of logits; "
            f"give {width} of both"
        )
    if not 0 < temperature < float("inf"):
        raise ShapeError(f"the temperature is {temperature}, where a number over 0 is wanted")
    calibrated = torch.sigmoid(logits / temperature)
    said = calibrated >= torch.tensor(thresholds, dtype=torch.float64)
    precision, recall, f1 = label_f1(said, labels)
    support, tells = labels.sum(dim=0), telling(labels)
    found = average_precision(logits, labels)
    mean = float(found[tells].mean()) if tells.any() else 0.0
    exact = int((said == (labels > 0)).all(dim=1).sum())
    there = [
        (value, images) if images else None
        for value, images in zip(found.tolist(), support.tolist(), strict=True)
    ]
    return MultiLabelEvaluation(
        images=count,
        classes=tuple(classes),
        mean_average_precision=mean,
        interval=mean_interval(logits, labels),
        average_precision=tuple(each and each[0] for each in there),
        average_precision_intervals=tuple(each and precision_interval(*each) for each in there),
        thresholds=tuple(map(float, thresholds)),
        precision=tuple(precision.tolist()),
        recall=tuple(recall.tolist()),
        f1=tuple(f1.tolist()),
        support=tuple(support.tolist()),
        macro_f1=float(f1[support > 0].mean()) if support.any() else 0.0,
        micro_f1=float(label_f1(said.reshape(-1, 1), labels.reshape(-1, 1))[2]),
        exact_match=exact / count,
        exact_match_interval=wilson(exact, count),
        negative_log_likelihood=float(
            F.binary_cross_entropy_with_logits(logits / temperature, labels.double())
        ),
        brier=float((calibrated - labels).square().mean()),
        calibration_error=label_calibration_error(calibrated, labels),
        calibration_error_uncalibrated=label_calibration_error(torch.sigmoid(logits), labels),
        temperature=float(temperature),
    )


def label_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """Give the mean gap between the probability of labels and the share of images that have them.

    ``sum_b (n_b / NK) |share_b - probability_b|`` over bins of equal width that the answers for all images
    and labels are put into.

    Args:
        probabilities: (N, K), in [0, 1].
        labels: (N, K), 0 or 1.
        bins: how many [0, 1] is cut into, at least 1.

    Returns:
        A figure in [0, 1].

    >>> label_calibration_error(torch.tensor([[0.75], [0.75]]), torch.tensor([[1], [0]]))
    0.25
    """
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    index = torch.bucketize(probabilities.double(), edges[1:-1], right=True).flatten()
    gaps = (labels - probabilities).double().flatten()
    sums = torch.zeros(bins, dtype=torch.float64).index_add(0, index, gaps)
    return float(sums.abs().sum() / max(1, len(gaps)))


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(each) for each in value) if isinstance(value, list | tuple) else value
