"""Confident learning: which labels are likely wrong, by probabilities from a model that had not seen them."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.core.errors import ShapeError
from striate.metrics.inputs import checked_labels

TOLERANCE = 1e-6
"""How far a probability may lie under the threshold and still reach it."""


def confident_joint(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Estimate how many images of each label are of each class in truth.

    An image counts as of class j where its probability of j reaches the mean that images labelled j have; of
    several such classes the likeliest counts, and without any the image does not. The counts
    are then scaled so that each label has as many images as there are, and rounded so that this stays so.

    Args:
        probabilities: (N, C), of each class, from a model that did not learn from the image.
        labels: (N), the labels given, 0 to C - 1.

    Returns:
        int64 (C, C): images by given label (rows) and true class (columns).

    Raises:
        ShapeError: where the shapes do not fit, there is no image, a label names no class, or what is given
            are no probabilities.

    Source: Northcutt, Jiang and Chuang, Confident learning: estimating uncertainty in dataset labels, JAIR
    2021, sections 3.1 and 3.2.

    >>> sure = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8], [0.9, 0.1]])
    >>> confident_joint(sure, torch.tensor([0, 0, 1, 1, 1])).tolist()
    [[2, 0], [1, 2]]
    """
    probabilities, labels = _checked(probabilities, labels)
    classes = probabilities.shape[1]
    counts = labels.bincount(minlength=classes).double()
    own = probabilities.gather(1, labels[:, None])[:, 0]
    sums = torch.zeros(classes, dtype=torch.float64).index_add(0, labels, own)
    thresholds = torch.where(counts > 0, sums / counts.clamp(min=1), torch.inf)
    reached = probabilities >= thresholds - TOLERANCE
    likeliest = probabilities.masked_fill(~reached, -1).argmax(dim=1)
    sure = reached.any(dim=1)
    pairs = labels[sure] * classes + likeliest[sure]
    joint = pairs.bincount(minlength=classes**2).view(classes, classes).double()
    joint.diagonal().clamp_(min=1)  # of every class there is one that is what it is said to be
    return _rounded(joint / joint.sum(dim=1, keepdim=True) * counts[:, None])


def suspect_labels(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Name the images whose labels are likely wrong, the likeliest first.

    For each label i and class j, as many images as the confident joint says to be labelled i and to be j are
    taken: those whose probability of j exceeds that of i by most. Images whose label is the likeliest class
    are left out, as are labels that one image alone has. They are ordered by the probability of their label.

    Args:
        probabilities: as for `confident_joint`.
        labels: as for `confident_joint`.

    Returns:
        int64, the rows of these images.

    Raises:
        ShapeError: as `confident_joint`.

    Source: as `confident_joint`, section 3.3, "prune by noise rate".

    >>> sure = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8], [0.9, 0.1]])
    >>> suspect_labels(sure, torch.tensor([0, 0, 1, 1, 1])).tolist()
    [4]
    """
    joint = confident_joint(probabilities, labels)
    probabilities, labels = _checked(probabilities, labels)
    suspect = torch.zeros(len(labels), dtype=torch.bool)
    for given, true in joint.nonzero().tolist():
        rows = (labels == given).nonzero()[:, 0]
        if given != true and len(rows) > 1:
            margins = probabilities[rows, true] - probabilities[rows, given]
            suspect[rows[margins.topk(int(joint[given, true])).indices]] = True
    own = probabilities.gather(1, labels[:, None])[:, 0]
    suspect &= own + TOLERANCE < probabilities.amax(dim=1)
    found = suspect.nonzero()[:, 0]
    return found[own[found].argsort(stable=True)]


def _rounded(counts: Tensor) -> Tensor:
    """Round so that each row keeps its sum, at the least cost."""
    whole = counts.round()
    for row in range(len(counts)):
        lacking = int((counts[row].sum() - whole[row].sum()).round())
        if lacking:
            off = counts[row] - whole[row]
            chosen = off.argsort(descending=lacking > 0, stable=True)[: abs(lacking)]
            whole[row, chosen] += 1 if lacking > 0 else -1
    return whole.long()


def _checked(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    shape = tuple(probabilities.shape)
    if probabilities.ndim != 2 or not probabilities.is_floating_point() or not probabilities.numel():
        raise ShapeError(f"probabilities have the shape {shape}, where floats of the shape (N, C) are wanted")
    if labels.ndim != 1 or len(labels) != len(probabilities):
        raise ShapeError(
            f"labels have the shape {tuple(labels.shape)}; to probabilities {shape} fits ({shape[0]},)"
        )
    labels = checked_labels(labels, shape[1], "the probabilities have")
    probabilities = probabilities.detach().to("cpu").double()
    sums = probabilities.sum(dim=1)
    wrong = ~((probabilities >= 0).all(dim=1) & ((sums - 1).abs() < 1e-3))  # also where one is not a number
    if wrong.any():
        raise ShapeError(
            f"{int(wrong.sum())} of {shape[0]} rows are no probabilities, the first with the sum "
            f"{float(sums[wrong][0]):.4g}; softmax makes them of logits"
        )
    return probabilities, labels
