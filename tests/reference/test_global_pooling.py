"""Global pooling against torch and central differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.core.errors import ShapeError
from striate.reference import (
    global_average_pooling,
    global_average_pooling_backward,
    global_max_pooling,
    global_max_pooling_backward,
)

MAX = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
AVERAGE = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
all_kinds = pytest.mark.parametrize(
    ("pooling", "backward", "oracle"),
    [
        (global_max_pooling, global_max_pooling_backward, MAX),
        (global_average_pooling, global_average_pooling_backward, AVERAGE),
    ],
)


@all_kinds
@settings(max_examples=30)
@given(shape=st.lists(st.integers(1, 4), min_size=3, max_size=5), seed=st.integers(0, 999))
def test_it_is_torchs_pooling_to_one(pooling, backward, oracle, shape, seed, agree, slopes):
    generator = np.random.default_rng(seed)
    images = generator.permutation(int(np.prod(shape))).reshape(shape) * 0.1
    tensor = torch.tensor(images, requires_grad=True)
    theirs = oracle[len(shape) - 2](tensor, 1).flatten(1)
    agree(pooling(images), theirs)
    gradient = generator.normal(size=theirs.shape)
    theirs.backward(torch.tensor(gradient))
    ours = backward(gradient, images)
    agree(ours, tensor.grad)
    if images.size < 20:
        agree(ours, slopes(lambda array: float((pooling(array) * gradient).sum()), images)[0], 1e-7)


def test_of_equal_values_the_first_gets_the_gradient():
    assert global_max_pooling_backward([[6]], [[[1, 3, 3]]]).tolist() == [[[0, 6, 0]]]


@pytest.mark.parametrize("side", [4, 8])
def test_a_head_of_global_maxima_does_not_depend_on_the_size(side):
    assert global_max_pooling(np.zeros((1, 100, side, side))).shape == (1, 100)


@pytest.mark.parametrize(
    ("pooling", "backward"),
    [
        (global_max_pooling, global_max_pooling_backward),
        (global_average_pooling, global_average_pooling_backward),
    ],
)
def test_other_shapes_are_refused(pooling, backward):
    with pytest.raises(ShapeError, match="images of shape 2x3 have 2 axes"):
        pooling(np.zeros((2, 3)))
    with pytest.raises(ShapeError, match="gradient: the shape is 2x3x1 where 2x3 is needed"):
        backward(np.zeros((2, 3, 1)), np.zeros((2, 3, 4)))
