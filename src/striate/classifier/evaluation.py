"""Measure a classifier on a set of labelled images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.core.errors import DataError, ShapeError
from striate.core.events import Event, OnEvent, ignore
from striate.metrics import Evaluation, MultiLabelEvaluation, evaluate_label_logits, evaluate_logits

if TYPE_CHECKING:
    from striate.classifier.classifier import Classifier
    from striate.data import Split


def evaluate(classifier: Classifier, split: Split, on_event: OnEvent = ignore) -> Evaluation:
    """Measure a classifier on a set of labelled images, with its temperature.

    Args:
        classifier: who is measured; images are of one class each.
        split: images of the classifier's size, and labels in the order of its classes.
        on_event: is given the progress.

    Returns:
        All that is measured.

    Raises:
        DataError: where there is no image.
        ShapeError: where the images or labels do not fit the classifier, or it says several labels an image.
    """
    if classifier.multi_label:
        raise ShapeError("this classifier says several labels an image; evaluate_labels measures it")
    if split.labels.ndim != 1:
        raise ShapeError(
            f"the images may have several of {split.labels.shape[1]} labels, where this classifier knows one "
            "class an image"
        )
    labels = torch.tensor(split.labels, dtype=torch.int64)
    logits = _logits(classifier, split, on_event)
    return evaluate_logits(logits, labels, classifier.classes, classifier.temperature)


def evaluate_labels(classifier: Classifier, split: Split, on_event: OnEvent = ignore) -> MultiLabelEvaluation:
    """Measure a classifier whose images may have several labels, with its temperature and thresholds.

    Args:
        classifier: who is measured.
        split: images of the classifier's size, and a table of labels in the order of its classes; or the
            class of each, which is then its one label.
        on_event: is given the progress.

    Returns:
        All that is measured.

    Raises:
        DataError: where there is no image.
        ShapeError: where the images or labels do not fit the classifier, or it says one class an image.
    """
    if classifier.thresholds is None:
        raise ShapeError("this classifier says one class an image; evaluate measures it")
    labels = torch.tensor(split.labels, dtype=torch.int64)
    if labels.ndim == 1 and len(labels):
        labels = F.one_hot(labels, len(classifier.classes))
    logits = _logits(classifier, split, on_event)
    return evaluate_label_logits(
        logits,
        labels,
        classifier.classes,
        temperature=classifier.temperature,
        thresholds=classifier.thresholds,
    )


def _logits(classifier: Classifier, split: Split, on_event: OnEvent) -> Tensor:
    count = len(split.labels)
    if count == 0:
        raise DataError("there is no image to evaluate on")
    parts = []
    for start in range(0, count, classifier.batch):
        parts.append(classifier.logits(split.images[start : start + classifier.batch]))
        done = min(count, start + classifier.batch)
        data = {"what": "evaluating", "done": done, "total": count, "unit": "images"}
        on_event(Event("prepare", data))
    return torch.cat(parts)
