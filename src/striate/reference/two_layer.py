"""The network of one hidden layer, trained by its own formulas; every line can be done by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from striate.core.errors import LayerError, ShapeError
from striate.reference.activations import activation_named, sigmoid
from striate.reference.inputs import Array, as_numbers, of_shape, spelled
from striate.reference.losses import binary_cross_entropy


class TwoLayerGradients(NamedTuple):
    """The gradients of the loss by everything that a two-layer network learns, each of its shape."""

    weights1: Array
    bias1: Array
    weights2: Array
    bias2: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class TwoLayerNetwork:
    """A network of one hidden layer and logistic units as outputs.

    With one sample a column, ``Z1 = W1 X + b1``, ``A1 = g1(Z1)``, ``Z2 = W2 A1 + b2`` and
    ``A2 = sigmoid(Z2)``. Each output says how probable one property of the sample is; the loss is their
    binary cross entropy, summed over the outputs and averaged over the samples.

    Args:
        weights1: W1, hidden x inputs.
        bias1: b1, hidden.
        weights2: W2, outputs x hidden.
        bias2: b2, outputs.
        activation: name of g1, a key of `ACTIVATIONS`.

    Raises:
        ShapeError: where the weights and biases do not fit each other.
        LayerError: for an unknown activation.
    """

    weights1: Array
    bias1: Array
    weights2: Array
    bias2: Array
    activation: str = "tanh"

    def __post_init__(self) -> None:
        activation_named(self.activation)
        for name in ("weights1", "weights2"):
            shape = np.shape(getattr(self, name))
            if len(shape) != 2:
                raise ShapeError(f"{name} of shape {spelled(shape)} is no matrix; outputs x inputs is needed")
        hidden = len(self.weights1)
        of_shape(self.bias1, (hidden,), "bias1")
        of_shape(self.weights2, (len(self.weights2), hidden), "weights2")
        of_shape(self.bias2, (len(self.weights2),), "bias2")

    def probabilities(self, inputs: ArrayLike) -> Array:
        """Say how probable each property of each sample is.

        Args:
            inputs: samples x inputs.

        Returns:
            samples x outputs, from 0 to 1.

        Raises:
            ShapeError: where a sample has another number of inputs than the weights take.
        """
        _, _, z2 = self._forward(self._columns(inputs))
        return sigmoid(z2).T

    def loss(self, inputs: ArrayLike, targets: ArrayLike) -> float:
        """Give the mean over the samples of ``-sum(y log a + (1 - y) log(1 - a))``, in nats.

        Args:
            inputs: samples x inputs.
            targets: y, samples x outputs, from 0 to 1.

        Returns:
            At least 0.

        Raises:
            ShapeError: where the inputs or targets do not fit the network.
            LayerError: where a target is out of range.
        """
        x = self._columns(inputs)
        y = self._targets(targets, x)
        _, _, z2 = self._forward(x)
        return binary_cross_entropy(z2, y) * len(self.weights2)

    def gradients(self, inputs: ArrayLike, targets: ArrayLike) -> TwoLayerGradients:
        """Compute the gradients of the loss by the formulas of backpropagation.

        Args:
            inputs: samples x inputs.
            targets: samples x outputs, from 0 to 1.

        Returns:
            Those of the weights and biases of both layers.

        Raises:
            ShapeError: where the inputs or targets do not fit the network.
        """
        x = self._columns(inputs)
        y = self._targets(targets, x)
        m = x.shape[1]
        z1, a1, z2 = self._forward(x)
        a2 = sigmoid(z2)
        dz2 = a2 - y
        dw2 = dz2 @ a1.T / m
        db2 = dz2.sum(axis=1) / m
        dz1 = (self.weights2.T @ dz2) * activation_named(self.activation).derivative(z1)
        dw1 = dz1 @ x.T / m
        db1 = dz1.sum(axis=1) / m
        return TwoLayerGradients(weights1=dw1, bias1=db1, weights2=dw2, bias2=db2)

    def step(self, inputs: ArrayLike, targets: ArrayLike, *, rate: float) -> TwoLayerNetwork:
        """Go one step down the gradient: ``W - rate dW`` for all weights and biases.

        Args:
            inputs: samples x inputs.
            targets: samples x outputs, from 0 to 1.
            rate: the learning rate, above 0.

        Returns:
            A new network.

        Raises:
            ShapeError: where the inputs or targets do not fit the network.
        """
        slopes = self.gradients(inputs, targets)
        return replace(
            self,
            weights1=self.weights1 - rate * slopes.weights1,
            bias1=self.bias1 - rate * slopes.bias1,
            weights2=self.weights2 - rate * slopes.weights2,
            bias2=self.bias2 - rate * slopes.bias2,
        )

    def _forward(self, x: Array) -> tuple[Array, Array, Array]:
        z1 = self.weights1 @ x + self.bias1[:, np.newaxis]
        a1 = activation_named(self.activation).function(z1)
        z2 = self.weights2 @ a1 + self.bias2[:, np.newaxis]
        return z1, a1, z2

    def _columns(self, inputs: ArrayLike) -> Array:
        samples = as_numbers(inputs, "inputs")
        wanted = self.weights1.shape[1]
        if samples.ndim != 2 or samples.shape[1] != wanted or len(samples) == 0:
            raise ShapeError(
                f"inputs of shape {spelled(samples.shape)} do not fit a network of {wanted} inputs; "
                f"samples x {wanted} do"
            )
        return samples.T

    def _targets(self, targets: ArrayLike, x: Array) -> Array:
        return of_shape(targets, (x.shape[1], len(self.weights2)), "targets").T


def new_two_layer_network(
    inputs: int, hidden: int, outputs: int, *, activation: str = "tanh", seed: int = 0
) -> TwoLayerNetwork:
    """Make a network to be trained: normal weights of variance 1/inputs of their layer, and no biases.

    Args:
        inputs: values of a sample, at least 1.
        hidden: units of the hidden layer, at least 1.
        outputs: logistic units, at least 1.
        activation: name of the hidden layer's activation, a key of `ACTIVATIONS`.
        seed: of the weights.

    Returns:
        The network; the same for the same seed.

    Raises:
        ShapeError: where a layer would be empty.
        LayerError: for an unknown activation.

    >>> new_two_layer_network(2, 5, 1).probabilities([[0, 0]]).tolist()
    [[0.5]]
    """
    if min(inputs, hidden, outputs) < 1:
        raise ShapeError(
            f"layers of {inputs}, {hidden} and {outputs} units make no network; each needs at least 1"
        )
    generator = np.random.default_rng(seed)
    return TwoLayerNetwork(
        weights1=generator.normal(scale=inputs**-0.5, size=(hidden, inputs)),
        bias1=np.zeros(hidden),
        weights2=generator.normal(scale=hidden**-0.5, size=(outputs, hidden)),
        bias2=np.zeros(outputs),
        activation=activation,
    )


def train_two_layer_network(
    network: TwoLayerNetwork, inputs: ArrayLike, targets: ArrayLike, *, steps: int, rate: float
) -> tuple[TwoLayerNetwork, list[float]]:
    """Train a network by gradient descent on all samples at once.

    Args:
        network: to begin with; it is not changed.
        inputs: samples x inputs.
        targets: samples x outputs, from 0 to 1.
        steps: how many, at least 0.
        rate: the learning rate, above 0.

    Returns:
        The trained network, and the loss before each step and after the last.

    Raises:
        ShapeError: where the inputs or targets do not fit the network.
        LayerError: where the rate is not above 0, or a target is out of range.

    >>> xor, either = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    >>> trained, losses = train_two_layer_network(
    ...     new_two_layer_network(2, 8, 1), xor, either, steps=500, rate=1.0
    ... )
    >>> trained.probabilities(xor).round().tolist()
    [[0.0], [1.0], [1.0], [0.0]]
    """
    if not rate > 0:
        raise LayerError(f"a learning rate of {rate} learns nothing; it must be above 0")
    losses = [network.loss(inputs, targets)]
    for _ in range(steps):
        network = network.step(inputs, targets, rate=rate)
        losses.append(network.loss(inputs, targets))
    return network, losses
