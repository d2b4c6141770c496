"""Activation functions and their derivatives, by their definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from striate.core.errors import LayerError, unknown_name
from striate.reference.inputs import Array, as_numbers

LEAKY_SLOPE = 0.01


class Activation(NamedTuple):
    """An activation function with its derivative, both of the scores before it."""

    function: Callable[[ArrayLike], Array]
    derivative: Callable[[ArrayLike], Array]


def sigmoid(scores: ArrayLike) -> Array:
    """Compute ``1/(1 + exp(-z))``, without overflow for any z.

    Args:
        scores: z, any shape.

    Returns:
        Values from 0 to 1, of the same shape.

    >>> sigmoid([0, -1000, 1000]).tolist()
    [0.5, 0.0, 1.0]
    """
    scores = as_numbers(scores, "scores")
    small = np.exp(-np.abs(scores))  # at most 1; 1/(1 + exp(-z)) = exp(z)/(1 + exp(z))
    return np.where(scores >= 0, 1 / (1 + small), small / (1 + small))


def sigmoid_derivative(scores: ArrayLike) -> Array:
    """Compute ``a (1 - a)`` with ``a = sigmoid(z)``: at most 1/4, at z = 0.

    Args:
        scores: z, any shape.

    Returns:
        The derivative by each score, of the same shape.

    >>> sigmoid_derivative([0]).tolist()
    [0.25]
    """
    scores = as_numbers(scores, "scores")
    return sigmoid(scores) * sigmoid(-scores)  # 1 - a = sigmoid(-z), without the loss of digits


def tanh(scores: ArrayLike) -> Array:
    """Compute the hyperbolic tangent, ``(exp(z) - exp(-z))/(exp(z) + exp(-z))``.

    Args:
        scores: z, any shape.

    Returns:
        Values from -1 to 1, of the same shape.

    >>> tanh([0, 1000]).tolist()
    [0.0, 1.0]
    """
    return np.asarray(np.tanh(as_numbers(scores, "scores")))


def tanh_derivative(scores: ArrayLike) -> Array:
    """Compute ``1 - a^2`` with ``a = tanh(z)``: at most 1, at z = 0.

    Args:
        scores: z, any shape.

    Returns:
        The derivative by each score, of the same shape.

    >>> tanh_derivative([0]).tolist()
    [1.0]
    """
    return np.asarray(1 - tanh(scores) ** 2)


def relu(scores: ArrayLike) -> Array:
    """Compute ``max(0, z)``.

    Args:
        scores: z, any shape.

    Returns:
        Values of at least 0, of the same shape.

    >>> relu([-2, 0, 3]).tolist()
    [0.0, 0.0, 3.0]
    """
    return np.maximum(as_numbers(scores, "scores"), 0)


def relu_derivative(scores: ArrayLike) -> Array:
    """Compute 1 where ``z > 0`` and 0 elsewhere; at 0, where there is none, it is set to 0.

    Args:
        scores: z, any shape.

    Returns:
        The derivative by each score, of the same shape.

    >>> relu_derivative([-2, 0, 3]).tolist()
    [0.0, 0.0, 1.0]
    """
    return np.where(as_numbers(scores, "scores") > 0, 1.0, 0.0)


def leaky_relu(scores: ArrayLike) -> Array:
    """Compute ``z`` where it is over 0 and ``0.01 z`` elsewhere.

    Args:
        scores: z, any shape.

    Returns:
        An array of the same shape.

    Source: Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models (2013).

    >>> leaky_relu([-2, 0, 3]).tolist()
    [-0.02, 0.0, 3.0]
    """
    scores = as_numbers(scores, "scores")
    return np.where(scores > 0, scores, LEAKY_SLOPE * scores)


def leaky_relu_derivative(scores: ArrayLike) -> Array:
    """Compute 1 where ``z > 0`` and 0.01 elsewhere; at 0, where there is none, it is set to 0.01.

    Args:
        scores: z, any shape.

    Returns:
        The derivative by each score, of the same shape.

    >>> leaky_relu_derivative([-2, 0, 3]).tolist()
    [0.01, 0.01, 1.0]
    """
    return np.where(as_numbers(scores, "scores") > 0, 1.0, LEAKY_SLOPE)


ACTIVATIONS = {
    "leaky-relu": Activation(leaky_relu, leaky_relu_derivative),
    "relu": Activation(relu, relu_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "tanh": Activation(tanh, tanh_derivative),
}
"""Name -> the function and its derivative."""


def activation_named(name: str) -> Activation:
    """Find an activation function by its name.

    Args:
        name: a key of `ACTIVATIONS`.

    Returns:
        The function and its derivative.

    Raises:
        LayerError: for an unknown name, naming the nearest.

    >>> activation_named("relu").function([-1]).tolist()
    [0.0]
    """
    if name not in ACTIVATIONS:
        raise LayerError(unknown_name("activation", name, ACTIVATIONS))
    return ACTIVATIONS[name]
