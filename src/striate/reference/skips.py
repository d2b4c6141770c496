"""The skip connection by its definition, and what it does to gradients along a chain of units."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from striate.core.errors import ShapeError
from striate.reference.activations import activation_named
from striate.reference.inputs import Array, as_numbers, spelled


def skip(inputs: ArrayLike, body: Callable[[Array], Array]) -> Array:
    """Add to what a body of layers makes of its input the input itself: ``y = f(x) + x``.

    Args:
        inputs: x, any shape.
        body: f, which keeps the shape.

    Returns:
        An array of the same shape.

    Raises:
        ShapeError: where the body changes the shape.

    Source: He et al., Deep residual learning for image recognition (2015), equation 1.

    >>> skip([1, 2], lambda values: 10 * values).tolist()
    [11.0, 22.0]
    """
    values = as_numbers(inputs, "inputs")
    return _added(body(values), values)


def skip_backward(gradient: ArrayLike, body_backward: Callable[[Array], Array]) -> Array:
    """Bring a gradient back through `skip`: ``dx = f'(x) dy + dy``, through the body and beside it.

    Args:
        gradient: of the loss by the output, of the shape of the input.
        body_backward: from the gradient by the body's output to that by its input.

    Returns:
        The gradient of the loss by the inputs.

    Raises:
        ShapeError: where the body changes the shape.

    >>> skip_backward([1, 1], lambda gradient: 10 * gradient).tolist()
    [11.0, 11.0]
    """
    errors = as_numbers(gradient, "gradient")
    return _added(body_backward(errors), errors)


def layer_factor(weight: float, score: float, *, activation: str = "sigmoid", skips: bool = False) -> float:
    """Compute by how much one unit multiplies the gradient that goes back through it.

    Of ``a_L = sigma(w_L a_(L-1) + b_L)`` it is ``w_L sigma'(z_L)``, and of ``a_L = a_(L-1) + sigma(z_L)``
    it is ``1 + w_L sigma'(z_L)``: about 1 where the plain one is about 0.

    Args:
        weight: w_L.
        score: z_L, what the activation is given.
        activation: name of sigma, a key of `ACTIVATIONS`.
        skips: whether there is a skip connection around the unit.

    Returns:
        The derivative of its output by its input.

    Raises:
        LayerError: for an unknown activation.

    >>> layer_factor(0.4, 0.0), layer_factor(0.4, 0.0, skips=True)
    (0.1, 1.1)
    """
    (slope,) = activation_named(activation).derivative([score])
    return float(weight * slope) + (1.0 if skips else 0.0)


@dataclass(frozen=True, kw_only=True)
class UnitChain:
    """What a chain of single units computes, forward and backward.

    Args:
        activations: a_0, the input, to a_L, the output.
        factors: the derivative of each unit's output by its input.
        weight_gradients: the derivative of the output a_L by each unit's weight.
    """

    activations: tuple[float, ...]
    factors: tuple[float, ...]
    weight_gradients: tuple[float, ...]

    @property
    def input_gradient(self) -> float:
        """The derivative of the output by the input: the product of all factors."""
        return math.prod(self.factors)


def chain_of_units(
    value: float,
    weights: Sequence[float],
    biases: Sequence[float] | None = None,
    *,
    activation: str = "sigmoid",
    skips: bool = False,
) -> UnitChain:
    """Send a value through single units, one after the other, and its gradient back.

    ``z_l = w_l a_(l-1) + b_l``, then ``a_l = sigma(z_l)``, or ``a_l = a_(l-1) + sigma(z_l)`` with skips.
    The derivative of the output by ``w_l`` is ``sigma'(z_l) a_(l-1)``, with skips or without, times the
    factors of all later units. Small factors make it vanish, factors over 1 make it explode.

    Args:
        value: a_0, the input of the first unit.
        weights: one a unit.
        biases: one a unit; zeros where None.
        activation: name of sigma, a key of `ACTIVATIONS`.
        skips: whether there is a skip connection around every unit.

    Returns:
        The activations, the factors and the gradients.

    Raises:
        ShapeError: where there is not one bias a unit.
        LayerError: for an unknown activation.

    >>> chain_of_units(1.0, [2.0, 2.0, 2.0], activation="relu").input_gradient
    8.0
    """
    biases = [0.0] * len(weights) if biases is None else biases
    if len(biases) != len(weights):
        raise ShapeError(f"{len(weights)} units have as many biases, not {len(biases)}")
    sigma = activation_named(activation)
    activations, factors, own_gradients = [float(value)], [], []
    for weight, bias in zip(weights, biases, strict=True):
        before = activations[-1]
        score = weight * before + bias
        activated = float(sigma.function([score])[0])
        activations.append(before + activated if skips else activated)
        factors.append(layer_factor(weight, score, activation=activation, skips=skips))
        own_gradients.append(float(sigma.derivative([score])[0]) * before)
    gradients = [own * math.prod(factors[unit + 1 :]) for unit, own in enumerate(own_gradients)]
    return UnitChain(
        activations=tuple(activations), factors=tuple(factors), weight_gradients=tuple(gradients)
    )


def _added(changed: ArrayLike, values: Array) -> Array:
    branch = as_numbers(changed, "output of the body")
    if branch.shape != values.shape:
        raise ShapeError(
            f"a skip connection adds what came in, {spelled(values.shape)}, to what the body made of it, "
            f"{spelled(branch.shape)}; the body must keep the shape"
        )
    return branch + values
