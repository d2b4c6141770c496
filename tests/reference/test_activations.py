"""Activation functions and their derivatives against torch and central differences."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import LayerError
from striate.reference import (
    ACTIVATIONS,
    activation_named,
    leaky_relu_derivative,
    relu_derivative,
    sigmoid,
    sigmoid_derivative,
    tanh,
)

TORCH = {
    "leaky-relu": lambda scores: F.leaky_relu(scores, 0.01),
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
names = pytest.mark.parametrize("name", sorted(ACTIVATIONS))


@names
@given(scores=st.lists(st.floats(-800, 800), min_size=1, max_size=8))
def test_function_and_derivative_are_torchs(name, scores, agree):
    tensor = torch.tensor(scores, dtype=torch.double, requires_grad=True)
    theirs = TORCH[name](tensor)
    function, derivative = activation_named(name)
    agree(function(scores), theirs)
    theirs.sum().backward()
    agree(derivative(scores), tensor.grad)


@names
@given(scores=st.lists(st.floats(-5, 5).filter(lambda score: abs(score) > 0.001), min_size=1, max_size=4))
def test_the_derivative_is_the_central_difference(name, scores, agree, slopes):
    function, derivative = activation_named(name)
    agree(derivative(scores), slopes(lambda array: float(function(array).sum()), scores)[0], 1e-7)


@names
@pytest.mark.parametrize("shape", [(), (3,), (2, 1, 3)])
def test_every_shape_is_kept(name, shape):
    function, derivative = activation_named(name)
    assert np.shape(function(np.ones(shape))) == shape
    assert np.shape(derivative(np.ones(shape))) == shape


def test_no_score_is_too_large():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sigmoid([-1e308, 1e308]).tolist() == [0, 1]
        assert sigmoid_derivative([-1e308, 1e308]).tolist() == [0, 0]
        assert tanh([-1e308, 1e308]).tolist() == [-1, 1]


def test_the_tail_of_the_sigmoid_keeps_its_digits():
    assert sigmoid_derivative([40.0])[0] == pytest.approx(np.exp(-40), rel=1e-12)
    assert sigmoid_derivative([40.0]) == sigmoid_derivative([-40.0])


def test_derivatives_where_there_is_none_are_those_of_the_left():
    assert relu_derivative([0.0]).tolist() == [0]
    assert leaky_relu_derivative([0.0]).tolist() == [0.01]


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(LayerError, match="no activation 'rellu'; did you mean 'relu'"):
        activation_named("rellu")
