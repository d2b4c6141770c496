"""How often the class with the highest logit, or one of the k highest, is the true one."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.core.errors import ShapeError
from striate.metrics.inputs import checked


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Give the share of images whose highest logit is that of the true class.

    Where classes tie, the first of them counts as predicted, as with ``argmax``.

    Args:
        logits: (N, C), one row an image.
        labels: (N), the true classes, 0 to C - 1.

    Returns:
        A share in [0, 1].

    Raises:
        ShapeError: where the shapes do not fit, there is no image, or a label names no class.
        TrainingError: where a logit is not a finite number.

    >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0]]), torch.tensor([0, 1, 1]))
    0.6666666666666666
    """
    return top_k_accuracy(logits, labels, 1)


def top_k_accuracy(logits: Tensor, labels: Tensor, k: int) -> float:
    """Give the share of images whose true class is among the k highest logits.

    Where classes tie, the first of them stands higher, so that ``k = 1`` is `accuracy` and a network
    that gives every class the same logit earns no more than k classes are worth.

    Args:
        logits: (N, C), one row an image.
        labels: (N), the true classes, 0 to C - 1.
        k: how many of the highest logits count, 1 to C.

    Returns:
        A share in [0, 1].

    Raises:
        ShapeError: as `accuracy` does, and where k is not in 1 to C.
        TrainingError: where a logit is not a finite number.

    >>> top_k_accuracy(torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]), torch.tensor([1, 0]), 2)
    0.5
    """
    logits, labels = checked(logits, labels)
    classes = logits.shape[1]
    if not 1 <= k <= classes:
        raise ShapeError(f"top {k} of {classes} classes cannot be counted; k can be 1 to {classes}")
    own = logits.gather(1, labels[:, None])
    before = torch.arange(classes) < labels[:, None]
    rank = ((logits > own) | ((logits == own) & before)).sum(dim=1)
    return int((rank < k).sum()) / len(labels)
