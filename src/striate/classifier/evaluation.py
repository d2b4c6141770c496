"""Measure a classifier on a set of labelled images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from striate.core.errors import DataError
from striate.core.events import Event, OnEvent, ignore
from striate.metrics import Evaluation, evaluate_logits

if TYPE_CHECKING:
    from striate.classifier.classifier import Classifier
    from striate.data import Split


def evaluate(classifier: Classifier, split: Split, on_event: OnEvent = ignore) -> Evaluation:
    """Measure a classifier on a set of labelled images, with its temperature.

    Args:
        classifier: who is measured.
        split: images of the classifier's size, and labels in the order of its classes.
        on_event: is given the progress.

    Returns:
        All that is measured.

    Raises:
        DataError: where there is no image.
        ShapeError: where the images or labels do not fit the classifier.
    """
    count = len(split.labels)
    if count == 0:
        raise DataError("there is no image to evaluate on")
    parts = []
    for start in range(0, count, classifier.batch):
        parts.append(classifier.logits(split.images[start : start + classifier.batch]))
        done = min(count, start + classifier.batch)
        data = {"what": "evaluating", "done": done, "total": count, "unit": "images"}
        on_event(Event("prepare", data))
    labels = torch.tensor(split.labels, dtype=torch.int64)
    return evaluate_logits(torch.cat(parts), labels, classifier.classes, classifier.temperature)
