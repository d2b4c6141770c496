"""Checks of what the metrics are given, so that a wrong shape is a sentence and never a wrong figure."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.core.errors import ShapeError, TrainingError


def checked(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Check that logits and labels belong together, and bring them to the CPU at full precision.

    Args:
        logits: (N, C), one row an image, any floating type on any device.
        labels: (N), whole numbers from 0 to C - 1.

    Returns:
        The logits as float64 (N, C) and the labels as int64 (N), both on the CPU.

    Raises:
        ShapeError: where the shapes do not fit, there is no image, or a label names no class.
        TrainingError: where a logit is not a finite number.

    >>> checked(torch.zeros(2, 3), torch.tensor([0, 3]))
    Traceback (most recent call last):
    striate.core.errors.ShapeError: labels run from 0 to 3, but the logits have 3 classes, which are 0 to 2
    """
    if logits.ndim != 2 or not logits.is_floating_point():
        raise ShapeError(f"logits are {_described(logits)}, where floats of the shape (N, C) are wanted")
    shape = tuple(logits.shape)
    if labels.ndim != 1 or len(labels) != len(logits):
        raise ShapeError(f"labels have the shape {tuple(labels.shape)}; to logits {shape} fits ({shape[0]},)")
    if logits.numel() == 0:
        raise ShapeError(f"logits have the shape {shape}; at least one image and one class are needed")
    labels = checked_labels(labels, shape[1], "the logits have")
    logits = logits.detach().to("cpu").double()
    broken = int((~torch.isfinite(logits).all(dim=1)).sum())
    if broken:
        raise TrainingError(
            f"the network's outputs for {broken} of {shape[0]} images are not finite numbers, as after "
            f"a training that diverged; a lower learning rate usually cures it"
        )
    return logits, labels


def checked_labels(labels: Tensor, classes: int, source: str) -> Tensor:
    """Check that labels are whole numbers that name classes, and bring them to the CPU.

    Args:
        labels: any number of whole numbers, (N).
        classes: how many classes there are.
        source: who says that there are so many, with its verb, for the message.

    Returns:
        The labels as int64 on the CPU.

    Raises:
        ShapeError: where they are no whole numbers or out of range.
    """
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ShapeError(f"labels are {_described(labels)}, where whole numbers are wanted")
    labels = labels.detach().to("cpu").long()
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ShapeError(
            f"labels run from {int(labels.min())} to {int(labels.max())}, but {source} {classes} "
            f"{'class, which is 0' if classes == 1 else f'classes, which are 0 to {classes - 1}'}"
        )
    return labels


def _described(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of the shape {tuple(tensor.shape)}"
