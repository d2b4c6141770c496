"""The dense layer by its definition: every output is a weighted sum of all inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from striate.core.errors import ShapeError
from striate.reference.inputs import Array, as_numbers, bias_or_zeros, of_shape, spelled


def dense(inputs: ArrayLike, weights: ArrayLike, bias: ArrayLike | None = None) -> Array:
    """Weigh all inputs for each output: ``y_o = b_o + sum_i W_oi x_i``.

    Args:
        inputs: N x inputs.
        weights: outputs x inputs.
        bias: one number an output; zeros where None.

    Returns:
        N x outputs.

    Raises:
        ShapeError: where the weights are for another number of inputs.

    >>> dense([[1, 2]], [[10, 1], [0, 3]], [100, 0]).tolist()
    [[112.0, 6.0]]
    """
    inputs, weights = _checked(inputs, weights)
    bias = bias_or_zeros(bias, (len(weights),))
    out = np.zeros((len(inputs), len(weights)))
    for sample, values in enumerate(inputs):
        for output, row in enumerate(weights):
            out[sample, output] = (row * values).sum() + bias[output]
    return out


def dense_backward(gradient: ArrayLike, inputs: ArrayLike, weights: ArrayLike) -> tuple[Array, Array, Array]:
    """Bring a gradient back through `dense`: ``dx = dy W``, ``dW = dy^T x`` and ``db = sum dy``.

    Args:
        gradient: of the loss by the output, N x outputs.
        inputs: what `dense` was given.
        weights: what it was given.

    Returns:
        The gradients of the loss by the inputs, the weights and the bias.

    Raises:
        ShapeError: as `dense`, and where the gradient has another shape than the output.

    >>> d_inputs, d_weights, d_bias = dense_backward([[1, 2]], [[3, 4]], [[10, 1], [0, 5]])
    >>> d_inputs.tolist(), d_weights.tolist(), d_bias.tolist()
    ([[10.0, 11.0]], [[3.0, 4.0], [6.0, 8.0]], [1.0, 2.0])
    """
    inputs, weights = _checked(inputs, weights)
    gradient = of_shape(gradient, (len(inputs), len(weights)), "gradient")
    return gradient @ weights, gradient.T @ inputs, gradient.sum(axis=0)


def _checked(inputs: ArrayLike, weights: ArrayLike) -> tuple[Array, Array]:
    samples, matrix = as_numbers(inputs, "inputs"), as_numbers(weights, "weights")
    for array, name, wanted in ((samples, "inputs", "N x inputs"), (matrix, "weights", "outputs x inputs")):
        if array.ndim != 2:
            raise ShapeError(f"{name} of shape {spelled(array.shape)} are no matrix: {wanted} is needed")
    if samples.shape[1] != matrix.shape[1]:
        raise ShapeError(f"the weights take {matrix.shape[1]} inputs, and each sample has {samples.shape[1]}")
    return samples, matrix
