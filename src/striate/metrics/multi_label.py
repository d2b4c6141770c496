"""What is chosen where images may have several labels: a temperature, and from where on each is said."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from striate.metrics.calibration import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE
from striate.metrics.ranking import Ranking, checked_tables

FEWEST = 5
"""From how many images that have a label on, it has a threshold of its own."""


def fit_label_temperature(logits: Tensor, labels: Tensor) -> float:
    """Find the one temperature by which to divide all logits so that their probabilities can be believed.

    Minimises the binary cross entropy of ``sigmoid(logits / T)`` over all images and labels, in float64 by
    bisection over ``log T``: it is convex in ``1/T``. Each image gives ``1 / (N + 1)`` of each of its labels
    to both answers alike, as in `striate.metrics.fit_temperature`.

    Args:
        logits: (N, K), of images that were not trained on.
        labels: (N, K), 0 or 1.

    Returns:
        A temperature in [0.05, 20], clipped where the best one lies beyond; 1 where all logits are 0.

    Raises:
        ShapeError: where the shapes do not fit, there is no image, or a label is neither 0 nor 1.
        TrainingError: where a logit is not a finite number.

    Source: Guo et al., On calibration of modern neural networks, ICML 2017, section 4.2, for two classes.

    >>> logits = torch.tensor([[4.0]]).repeat(400, 1)
    >>> round(fit_label_temperature(logits, torch.tensor([[0], [1], [1], [1]]).repeat(100, 1)), 1)
    3.7
    """
    logits, labels = checked_tables(logits, labels)
    if not logits.any():
        return 1.0
    share = 1 / (len(labels) + 1)
    wanted = (logits * ((1 - share) * labels + share / 2)).mean()
    low, high = math.log(LOWEST_TEMPERATURE), math.log(HIGHEST_TEMPERATURE)
    for _ in range(40):
        middle = (low + high) / 2
        if (torch.sigmoid(logits / math.exp(middle)) * logits).mean() > wanted:  # too sure of itself: hotter
            low = middle
        else:
            high = middle
    return min(max(math.exp((low + high) / 2), LOWEST_TEMPERATURE), HIGHEST_TEMPERATURE)


def choose_thresholds(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Choose for each label the probability from which on it is said, so that its F1 is highest.

    It lies in the middle between the last image that is said to have the label and the next one. Labels of
    fewer than 5 images, where that is chance, have the threshold in common that is best for all labels
    together, by the F1 of all their answers.

    Args:
        probabilities: (N, K), of images that were not trained on.
        labels: (N, K), 0 or 1.

    Returns:
        float64 (K), in [0, 1]; 0.5 where no image has any label.

    Raises:
        ShapeError: where the shapes do not fit, there is no image, or a label is neither 0 nor 1.
        TrainingError: where a probability is not a finite number.

    >>> labels = torch.tensor([[1], [1], [0]]).repeat(5, 1)
    >>> choose_thresholds(torch.tensor([[0.9], [0.8], [0.2]]).repeat(5, 1), labels)
    tensor([0.5000], dtype=torch.float64)
    """
    probabilities, labels = checked_tables(probabilities, labels)
    counts = labels.sum(dim=0)
    if not counts.any():
        return torch.full(counts.shape, 0.5, dtype=torch.float64)
    together = _best(probabilities.reshape(-1, 1), labels.reshape(-1, 1))
    return torch.where(counts >= FEWEST, _best(probabilities, labels), together)


def label_f1(said: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give precision, recall and F1 of each label, as `striate.metrics.per_class` does of classes.

    Args:
        said: (N, K) booleans: which labels are said of which image.
        labels: (N, K), 0 or 1.

    Returns:
        Precision, recall and F1, each float64 (K) in [0, 1]; 0 where undefined.

    >>> precision, recall, f1 = label_f1(torch.tensor([[True], [True]]), torch.tensor([[1], [0]]))
    >>> precision.item(), recall.item()
    (0.5, 1.0)
    """
    right = (said & (labels > 0)).sum(dim=0).double()
    answers, images = said.sum(dim=0), (labels > 0).sum(dim=0)
    f1 = 2 * right / (answers + images).clamp(min=1)
    return right / answers.clamp(min=1), right / images.clamp(min=1), f1


def _best(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Give the threshold of the highest F1 for each column; of several the highest."""
    ranking = Ranking.of(probabilities, labels)
    f1 = 2 * ranking.found / (ranking.counted + labels.sum(dim=0))
    place = f1.argmax(dim=0, keepdim=True)
    # The place may be inside a group of equal ones, of which all are said.
    after = ranking.counted.gather(0, place).long()
    ordered = probabilities.sort(dim=0, descending=True).values
    ordered = torch.cat([ordered, torch.zeros_like(ordered[:1])])
    return ((ordered.gather(0, place) + ordered.gather(0, after)) / 2)[0]
