"""Which class was taken for which, and what that says about each class."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.core.errors import ShapeError
from striate.metrics.inputs import checked_labels


def confusion_matrix(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Count how often each true class was predicted as each class.

    Args:
        predicted: (N), the predicted classes, 0 to ``classes`` - 1.
        labels: (N), the true classes, likewise.
        classes: how many classes there are, at least 1.

    Returns:
        Counts, int64 (classes, classes) on the CPU; rows are true, columns predicted.

    Raises:
        ShapeError: where the shapes do not fit, there is no class, or a number names none.

    >>> confusion_matrix(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    if classes < 1:
        raise ShapeError(f"a confusion matrix of {classes} classes has no cell; at least 1 class is needed")
    if predicted.ndim != 1 or predicted.shape != labels.shape:
        raise ShapeError(
            f"predictions have the shape {tuple(predicted.shape)} and labels {tuple(labels.shape)}, "
            f"where one shape (N,) for both is wanted"
        )
    rows = checked_labels(labels, classes, "there are")
    columns = checked_labels(predicted, classes, "there are")
    return torch.bincount(rows * classes + columns, minlength=classes * classes).view(classes, classes)


def per_class(confusion: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give precision, recall and F1 of each class.

    Precision is the share of what was predicted as a class that is of it, recall the share of a class
    that was predicted as it, F1 their harmonic mean. What is undefined, because a class was never
    predicted or never occurs, is 0; the row sums of the matrix say on how many images a recall rests.

    Args:
        confusion: counts (C, C), rows true, columns predicted.

    Returns:
        Precision, recall and F1, each float64 (C) in [0, 1].

    Raises:
        ShapeError: where the matrix is not square.

    >>> precision, recall, f1 = per_class(torch.tensor([[1, 1], [0, 1]]))
    >>> precision.tolist(), recall.tolist()
    ([1.0, 0.5], [0.5, 1.0])
    """
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ShapeError(f"a confusion matrix is square, which {tuple(confusion.shape)} is not")
    counts = confusion.detach().to("cpu").double()
    right = counts.diagonal()
    precision = right / counts.sum(dim=0).clamp(min=1)
    recall = right / counts.sum(dim=1).clamp(min=1)
    f1 = 2 * right / (counts.sum(dim=0) + counts.sum(dim=1)).clamp(min=1)
    return precision, recall, f1


def macro_f1(confusion: Tensor) -> float:
    """Give the mean of the classes' F1, in which a rare class counts as much as a frequent one.

    Args:
        confusion: counts (C, C), rows true, columns predicted.

    Returns:
        The mean over the classes that occur or were predicted, in [0, 1]; 0 where none is.

    Raises:
        ShapeError: where the matrix is not square.

    >>> macro_f1(torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 0]]))  # 2/3 and 2/3; the third is not there
    0.6666666666666666
    """
    _, _, f1 = per_class(confusion)
    there = (confusion.sum(dim=0) + confusion.sum(dim=1)).to(f1.device) > 0
    return float(f1[there].mean()) if there.any() else 0.0
