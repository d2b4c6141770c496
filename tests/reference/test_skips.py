"""Skip connections and chains of units against torch and central differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import LayerError, ShapeError
from striate.reference import (
    chain_of_units,
    convolution,
    convolution_backward,
    layer_factor,
    skip,
    skip_backward,
)

TORCH = {
    "leaky-relu": lambda scores: F.leaky_relu(scores, 0.01),
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
numbers = st.floats(-3, 3).filter(lambda number: abs(number) > 1e-3)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_skip_around_a_convolution_equals_torch(dims, agree, slopes):
    generator = np.random.default_rng(dims)
    images = generator.normal(size=(2, 2, *(4, 3, 2)[:dims]))
    weights = generator.normal(size=(2, 2, *(3,) * dims))
    tensor = torch.tensor(images, requires_grad=True)
    convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[dims]
    theirs = tensor + convolve(tensor, torch.tensor(weights), padding=1)

    def forward(array):
        return skip(array, lambda inner: convolution(inner, weights, padding=1))

    agree(forward(images), theirs)
    probe = generator.normal(size=theirs.shape)
    theirs.backward(torch.tensor(probe))
    ours = skip_backward(probe, lambda inner: convolution_backward(inner, images, weights, padding=1)[0])
    agree(ours, tensor.grad)
    agree(ours, slopes(lambda array: float((forward(array) * probe).sum()), images)[0], 1e-7)


@given(
    value=numbers,
    units=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6),
    activation=st.sampled_from(sorted(TORCH)),
    skips=st.booleans(),
)
def test_a_chain_equals_torch(value, units, activation, skips, agree):
    weights, biases = zip(*units, strict=True)
    ours = chain_of_units(value, weights, biases, activation=activation, skips=skips)
    start = torch.tensor(value, dtype=torch.double, requires_grad=True)
    tensors = [torch.tensor(weight, dtype=torch.double, requires_grad=True) for weight in weights]
    activations = [start]
    for weight, bias in zip(tensors, biases, strict=True):
        activated = TORCH[activation](weight * activations[-1] + bias)
        activations.append(activations[-1] + activated if skips else activated)
    agree(np.array(ours.activations), torch.stack(activations))
    gradients = torch.autograd.grad(activations[-1], [start, *tensors], retain_graph=True)
    agree(ours.input_gradient, gradients[0])
    agree(np.array(ours.weight_gradients), torch.stack(gradients[1:]))
    for before, after, factor in zip(activations, activations[1:], ours.factors, strict=False):
        agree(factor, torch.autograd.grad(after, before, retain_graph=True)[0])


@given(weight=numbers, score=numbers)
def test_the_factor_is_the_central_difference(weight, score, agree, slopes):
    bias = 0.25
    value = (score - bias) / weight
    for skips in (False, True):

        def unit(array, skips=skips):
            return chain_of_units(float(array), [weight], [bias], skips=skips).activations[1]

        (slope,) = slopes(unit, value)
        agree(layer_factor(weight, score, skips=skips), slope, 1e-6)


def test_without_units_nothing_changes():
    chain = chain_of_units(2.0, [])
    assert chain.activations == (2.0,)
    assert chain.input_gradient == 1
    assert chain.weight_gradients == ()


def test_a_body_that_changes_the_shape_is_refused():
    with pytest.raises(ShapeError, match="what came in, 2x3, to what the body made of it, 2x1"):
        skip(np.zeros((2, 3)), lambda inputs: inputs[:, :1])
    with pytest.raises(ShapeError, match=r"2x3, .* 3x2"):
        skip_backward(np.zeros((2, 3)), np.transpose)


def test_what_is_no_chain_is_refused():
    with pytest.raises(ShapeError, match="2 units have as many biases, not 1"):
        chain_of_units(1.0, [1.0, 2.0], [0.0])
    with pytest.raises(LayerError, match="no activation 'sigmoyd'; did you mean 'sigmoid'"):
        chain_of_units(1.0, [1.0], activation="sigmoyd")
    with pytest.raises(LayerError, match="no activation"):
        layer_factor(1.0, 1.0, activation="step")
