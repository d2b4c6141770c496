"""Pooling by maximum, minimum, average and L2 norm against torch and central differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from striate.core.errors import LayerError, ShapeError
from striate.reference import (
    average_pooling,
    average_pooling_backward,
    l2_pooling,
    l2_pooling_backward,
    max_pooling,
    max_pooling_backward,
    min_pooling,
    min_pooling_backward,
)

MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
LP = {1: F.lp_pool1d, 2: F.lp_pool2d, 3: F.lp_pool3d}
all_dims = pytest.mark.parametrize("dims", [1, 2, 3])
all_kinds = pytest.mark.parametrize(
    ("pooling", "backward"),
    [
        (max_pooling, max_pooling_backward),
        (min_pooling, min_pooling_backward),
        (average_pooling, average_pooling_backward),
        (l2_pooling, l2_pooling_backward),
    ],
)


def torch_max(images, window, *, stride, padding, dilation, ceil):
    return MAX[images.ndim - 2](images, window, stride, padding, dilation, ceil_mode=ceil)


@all_dims
@pytest.mark.parametrize(
    ("sign", "pooling", "backward"),
    [(1, max_pooling, max_pooling_backward), (-1, min_pooling, min_pooling_backward)],
)
@settings(max_examples=25)
@given(data=st.data())
def test_the_largest_and_smallest_are_torchs(dims, sign, pooling, backward, data, agree, poolings):
    images, window, options = data.draw(poolings(dims, dilated=True))
    tensor = torch.tensor(images, requires_grad=True)
    theirs = sign * torch_max(sign * tensor, window, **options)
    if torch.isinf(theirs).any():  # dilated so far that some window holds nothing but padding
        with pytest.raises(ShapeError, match="takes nothing but padding"):
            pooling(images, window, **options)
        return
    agree(pooling(images, window, **options), theirs)
    gradient = np.random.default_rng(0).normal(size=theirs.shape)
    theirs.backward(torch.tensor(gradient))
    agree(backward(gradient, images, window, **options), tensor.grad)


@all_dims
@settings(max_examples=25)
@given(data=st.data())
def test_the_average_is_torchs_that_counts_no_padding(dims, data, agree, poolings):
    images, window, options = data.draw(poolings(dims))
    # In 3D, torch refuses images smaller than the window even where the padding makes up for it.
    assume(dims < 3 or all(size >= length for size, length in zip(images.shape[2:], window, strict=True)))
    tensor = torch.tensor(images, requires_grad=True)
    theirs = AVERAGE[dims](
        tensor, window, options["stride"], options["padding"], options["ceil"], count_include_pad=False
    )
    agree(average_pooling(images, window, **options), theirs)
    gradient = np.random.default_rng(0).normal(size=theirs.shape)
    theirs.backward(torch.tensor(gradient))
    agree(average_pooling_backward(gradient, images, window, **options), tensor.grad)


@all_dims
@settings(max_examples=25)
@given(data=st.data())
def test_the_norm_is_that_of_the_values_in_the_window(dims, data, agree, poolings, unfolded):
    images, window, options = data.draw(poolings(dims))
    ours = l2_pooling(images, window, **options)
    tensor = torch.tensor(images, requires_grad=True)
    theirs = unfolded(tensor, window, ours.shape[2:], **options).nan_to_num().square().sum(dim=-1).sqrt()
    agree(ours, theirs)
    gradient = np.random.default_rng(0).normal(size=theirs.shape)
    theirs.backward(torch.tensor(gradient))
    agree(l2_pooling_backward(gradient, images, window, **options), tensor.grad)


@all_dims
def test_the_norm_without_padding_is_torchs_own(dims, agree):
    images = np.random.default_rng(0).normal(size=(2, 2, *(6, 5, 4)[:dims]))
    tensor = torch.tensor(images, requires_grad=True)
    theirs = LP[dims](tensor, 2.0, 2)
    agree(l2_pooling(images, 2), theirs)
    theirs.sum().backward()
    agree(l2_pooling_backward(np.ones(theirs.shape), images, 2), tensor.grad)


@all_dims
@all_kinds
@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 1, "padding": 1}, {"stride": 2, "ceil": True}, {"stride": 3, "padding": 1, "ceil": True}],
)
def test_gradients_are_the_central_differences(dims, pooling, backward, options, agree, slopes):
    shape = (1, 2, *(4, 3, 2)[:dims])
    order = np.random.default_rng(dims).permutation(np.prod(shape))
    images = (order * 0.1 - 1.95).reshape(shape)
    window = (3, 2, 2)[:dims]
    probe = np.random.default_rng(0).normal(size=pooling(images, window, **options).shape)
    (slope,) = slopes(lambda array: float((pooling(array, window, **options) * probe).sum()), images)
    agree(backward(probe, images, window, **options), slope, 1e-7)


def test_of_equal_values_the_first_gets_the_gradient():
    images = [[[[2, 2], [2, 2]]]]
    for backward in (max_pooling_backward, min_pooling_backward):
        assert backward([[[[5]]]], images, 2).tolist() == [[[[5, 0], [0, 0]]]]


def test_the_norm_of_nothing_but_zeros_has_no_gradient_where_torchs_is_no_number():
    zeros = torch.zeros(1, 1, 4, requires_grad=True)
    zeros.square().sum().sqrt().backward()
    assert torch.isnan(zeros.grad).all()
    assert l2_pooling_backward([[[1, 1]]], np.zeros((1, 1, 4)), 2).tolist() == [[[0, 0, 0, 0]]]


def test_padding_is_never_counted():
    ones = [[[1, 1, 1]]]
    negative = [[[-1, -2, -3]]]
    assert average_pooling(ones, 3, stride=1, padding=1).tolist() == [[[1, 1, 1]]]
    assert max_pooling(negative, 3, stride=1, padding=1).tolist() == [[[-1, -1, -2]]]
    assert min_pooling([[[1, 2, 3]]], 3, stride=1, padding=1).tolist() == [[[1, 1, 2]]]


def test_a_last_window_beyond_the_end_takes_what_is_there():
    images = [[[1, 2, 4]]]
    assert average_pooling(images, 2).tolist() == [[[1.5]]]
    assert average_pooling(images, 2, ceil=True).tolist() == [[[1.5, 4]]]
    assert average_pooling(images, 2, padding=1, ceil=True).tolist() == [[[1, 3]]]


@all_kinds
@pytest.mark.parametrize(
    ("window", "options", "sentence"),
    [
        (7, {}, "a kernel of 7 is larger than its input of 5"),
        (2, {"stride": 0}, "stride 0 cannot be"),
        (2, {"stride": -1}, "stride -1 cannot be"),
        (0, {}, "0 cannot be"),
        (3, {"padding": 2}, r"padding 2 is more than half of a window of 3: 2\*2 = 4; 1 is the most"),
        ((2, 2), {}, r"\(2, 2\) has 2 numbers for 1 axes"),
    ],
)
def test_what_does_not_fit_is_a_sentence_with_the_arithmetic(pooling, backward, window, options, sentence):
    images = np.zeros((1, 2, 5))
    with pytest.raises(ShapeError, match=sentence):
        pooling(images, window, **options)
    with pytest.raises(ShapeError, match=sentence):
        backward(np.zeros((1, 2, 2)), images, window, **options)


@all_kinds
def test_other_inputs_are_refused(pooling, backward):
    with pytest.raises(ShapeError, match="images of shape 5x5 have 2 axes"):
        pooling(np.zeros((5, 5)), 2)
    with pytest.raises(LayerError, match="cannot be computed with"):
        pooling([[["a", "b"]]], 2)
    with pytest.raises(ShapeError, match="gradient: the shape is 1x2x5 where 1x2x2 is needed"):
        backward(np.zeros((1, 2, 5)), np.zeros((1, 2, 5)), 2)


def test_a_window_of_nothing_but_padding_is_refused():
    with pytest.raises(ShapeError, match=r"the window at \(0,\) takes nothing but padding"):
        max_pooling(np.zeros((1, 1, 2)), 2, padding=1, dilation=3)
