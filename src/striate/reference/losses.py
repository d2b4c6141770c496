"""Losses by their definitions, safe for any scores, and their gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import LayerError, ShapeError
from striate.reference.activations import sigmoid
from striate.reference.inputs import Array, as_numbers, of_shape, spelled


def softmax(logits: ArrayLike) -> Array:
    """Turn each row of logits into probabilities: ``p_c = exp(z_c) / sum_k exp(z_k)``.

    Args:
        logits: N x classes. The largest of each row is subtracted first, which changes nothing but the
            danger of overflow.

    Returns:
        N x classes; each row sums to 1.

    Raises:
        ShapeError: where the logits are no rows, or empty.

    >>> softmax([[1000, 1000], [0, -1000]]).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    logits = _as_rows(logits)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def softmax_cross_entropy(logits: ArrayLike, labels: ArrayLike) -> float:
    """Give the mean of ``-log p(true class)`` over the rows, in nats, where p is the softmax of the logits.

    ``-log p_y = log sum_k exp(z_k) - z_y``.

    Args:
        logits: N x classes.
        labels: the true classes, N whole numbers from 0.

    Returns:
        At least 0.

    Raises:
        ShapeError: where the logits are no rows, or there is not one label a row.
        LayerError: where a label names no class.

    >>> round(softmax_cross_entropy([[0, 0], [0, 0]], [0, 1]), 4)  # log 2
    0.6931
    """
    logits = _as_rows(logits)
    labels = _as_labels(labels, logits)
    largest = logits.max(axis=1)
    log_sums = largest + np.log(np.exp(logits - largest[:, np.newaxis]).sum(axis=1))
    losses = [log_sums[row] - logits[row, label] for row, label in enumerate(labels)]
    return float(np.mean(losses))


def softmax_cross_entropy_backward(logits: ArrayLike, labels: ArrayLike) -> Array:
    """Give the gradient of `softmax_cross_entropy` by the logits: ``(p - y)/N``, y a one among zeros.

    Args:
        logits: N x classes.
        labels: the true classes, N whole numbers from 0.

    Returns:
        N x classes.

    Raises:
        ShapeError: as `softmax_cross_entropy`.
        LayerError: as `softmax_cross_entropy`.

    >>> softmax_cross_entropy_backward([[0, 0]], [1]).tolist()
    [[0.5, -0.5]]
    """
    gradient = softmax(logits)
    for row, label in enumerate(_as_labels(labels, gradient)):
        gradient[row, label] -= 1
    return gradient / len(gradient)


def binary_cross_entropy(scores: ArrayLike, targets: ArrayLike) -> float:
    """Give the mean of ``-(y log a + (1 - y) log(1 - a))``, in nats, where ``a = sigmoid(z)``.

    Computed from the scores as ``max(z, 0) - z y + log(1 + exp(-|z|))``, which is the same and never the
    logarithm of 0.

    Args:
        scores: z, any shape.
        targets: y, from 0 to 1, of the same shape.

    Returns:
        At least 0.

    Raises:
        ShapeError: where the shapes differ or are empty.
        LayerError: where a target is out of range.

    >>> binary_cross_entropy([1000], [0])  # by the first formula: log 0
    1000.0
    """
    scores, targets = _as_scores(scores, targets)
    losses = np.maximum(scores, 0) - scores * targets + np.log1p(np.exp(-np.abs(scores)))
    return float(losses.mean())


def binary_cross_entropy_backward(scores: ArrayLike, targets: ArrayLike) -> Array:
    """Give the gradient of `binary_cross_entropy` by the scores: ``(a - y)/N``, N the number of scores.

    Args:
        scores: z, any shape.
        targets: y, from 0 to 1, of the same shape.

    Returns:
        An array of the same shape.

    Raises:
        ShapeError: as `binary_cross_entropy`.
        LayerError: as `binary_cross_entropy`.

    >>> binary_cross_entropy_backward([0, 0], [1, 0]).tolist()
    [-0.25, 0.25]
    """
    scores, targets = _as_scores(scores, targets)
    return (sigmoid(scores) - targets) / scores.size


def squared_error(predictions: ArrayLike, targets: ArrayLike) -> float:
    """Give the mean of ``(p - t)^2``.

    Args:
        predictions: p, any shape.
        targets: t, of the same shape.

    Returns:
        At least 0.

    Raises:
        ShapeError: where the shapes differ or are empty.

    >>> squared_error([1, 2], [1, 4])
    2.0
    """
    predictions, targets = _alike(predictions, targets)
    return float(((predictions - targets) ** 2).mean())


def squared_error_backward(predictions: ArrayLike, targets: ArrayLike) -> Array:
    """Give the gradient of `squared_error` by the predictions: ``2 (p - t)/N``, N the number of them.

    Args:
        predictions: p, any shape.
        targets: t, of the same shape.

    Returns:
        An array of the same shape.

    Raises:
        ShapeError: as `squared_error`.

    >>> squared_error_backward([1, 2], [1, 4]).tolist()
    [0.0, -2.0]
    """
    predictions, targets = _alike(predictions, targets)
    return 2 * (predictions - targets) / predictions.size


def _as_rows(logits: ArrayLike) -> Array:
    array = as_numbers(logits, "logits")
    if array.ndim != 2 or array.size == 0:
        raise ShapeError(f"logits of shape {spelled(array.shape)} are no rows: N x classes is needed")
    return array


def _as_labels(labels: ArrayLike, logits: Array) -> NDArray[np.int64]:
    numbers = of_shape(labels, (len(logits),), "labels")
    classes = logits.shape[1]
    for label in numbers:
        if label not in range(classes):
            raise LayerError(f"label {label:g} names none of {classes} classes; 0 to {classes - 1} do")
    return numbers.astype(np.int64)


def _as_scores(scores: ArrayLike, targets: ArrayLike) -> tuple[Array, Array]:
    scores, targets = _alike(scores, targets)
    impossible = targets[~((targets >= 0) & (targets <= 1))]
    if impossible.size:
        raise LayerError(f"target {impossible[0]:g} is no probability; 0 to 1 is")
    return scores, targets


def _alike(predictions: ArrayLike, targets: ArrayLike) -> tuple[Array, Array]:
    numbers = as_numbers(predictions, "predictions")
    if numbers.size == 0:
        raise ShapeError("there is no prediction to take a mean of; at least 1 is needed")
    return numbers, of_shape(targets, numbers.shape, "targets")
