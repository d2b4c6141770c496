"""Losses and their gradients against torch and central differences, at any scores."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import LayerError, ShapeError
from striate.reference import (
    binary_cross_entropy,
    binary_cross_entropy_backward,
    softmax,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    squared_error,
    squared_error_backward,
)

drawn = given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 6),
    scale=st.sampled_from([0.1, 1.0, 10.0, 1000.0]),
    seed=st.integers(0, 999),
)


@drawn
def test_softmax_with_cross_entropy_equals_torch(rows, columns, scale, seed, agree):
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=scale, size=(rows, columns))
    labels = generator.integers(0, columns, size=rows)
    tensor = torch.tensor(logits, requires_grad=True)
    theirs = F.cross_entropy(tensor, torch.tensor(labels))
    agree(softmax(logits), tensor.softmax(dim=1))
    agree(softmax_cross_entropy(logits, labels), theirs)
    theirs.backward()
    agree(softmax_cross_entropy_backward(logits, labels), tensor.grad)


@drawn
def test_binary_cross_entropy_equals_torch(rows, columns, scale, seed, agree):
    generator = np.random.default_rng(seed)
    scores, targets = generator.normal(scale=scale, size=(rows, columns)), generator.random((rows, columns))
    tensor = torch.tensor(scores, requires_grad=True)
    theirs = F.binary_cross_entropy_with_logits(tensor, torch.tensor(targets))
    agree(binary_cross_entropy(scores, targets), theirs)
    theirs.backward()
    agree(binary_cross_entropy_backward(scores, targets), tensor.grad)


@drawn
def test_squared_error_equals_torch(rows, columns, scale, seed, agree):
    generator = np.random.default_rng(seed)
    predictions, targets = generator.normal(scale=scale, size=(2, rows, columns))
    tensor = torch.tensor(predictions, requires_grad=True)
    theirs = F.mse_loss(tensor, torch.tensor(targets))
    agree(squared_error(predictions, targets), theirs)
    theirs.backward()
    agree(squared_error_backward(predictions, targets), tensor.grad)


@pytest.mark.parametrize(
    ("loss", "backward", "targets"),
    [
        (softmax_cross_entropy, softmax_cross_entropy_backward, [2, 0]),
        (binary_cross_entropy, binary_cross_entropy_backward, [[0, 1, 0.3], [1, 0, 0.8]]),
        (squared_error, squared_error_backward, [[0, 1, 0.3], [1, 0, 0.8]]),
    ],
)
def test_gradients_are_the_central_differences(loss, backward, targets, agree, slopes):
    scores = np.random.default_rng(0).normal(size=(2, 3))
    agree(backward(scores, targets), slopes(lambda array: loss(array, targets), scores)[0], 1e-7)


@pytest.mark.parametrize("classes", [2, 10])
def test_equal_logits_cost_the_logarithm_of_the_classes(classes):
    assert softmax_cross_entropy(np.zeros((3, classes)), [0, 1, 1]) == pytest.approx(np.log(classes))


def test_no_score_makes_a_loss_infinite():
    assert softmax_cross_entropy([[1e6, 0]], [1]) == 1e6
    assert binary_cross_entropy([-1e6, 1e6], [1, 0]) == 1e6
    assert binary_cross_entropy([-1e6, 1e6], [0, 1]) == 0


@pytest.mark.parametrize("label", [-1, 2, 0.5, float("nan")])
def test_a_label_that_names_no_class_is_refused(label):
    with pytest.raises(LayerError, match=f"label {label:g} names none of 2 classes; 0 to 1 do"):
        softmax_cross_entropy([[0, 0]], [label])
    with pytest.raises(LayerError, match="names none"):
        softmax_cross_entropy_backward([[0, 0]], [label])


@pytest.mark.parametrize("target", [-0.1, 1.1, float("nan")])
def test_a_target_that_is_no_probability_is_refused(target):
    with pytest.raises(LayerError, match=f"target {target:g} is no probability"):
        binary_cross_entropy([0], [target])


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="logits of shape 2 are no rows"):
        softmax([1, 2])
    with pytest.raises(ShapeError, match="labels: the shape is 1 where 2 is needed"):
        softmax_cross_entropy([[1, 2], [3, 4]], [0])
    with pytest.raises(ShapeError, match="targets: the shape is 1 where 2 is needed"):
        squared_error([1, 2], [1])
    with pytest.raises(ShapeError, match="no prediction"):
        binary_cross_entropy([], [])
