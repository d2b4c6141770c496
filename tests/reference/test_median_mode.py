"""Pooling by median and by mode against torch, scipy and central differences."""

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.core.errors import LayerError, ShapeError
from striate.reference import (
    median_pooling,
    median_pooling_backward,
    mode_pooling,
    mode_pooling_backward,
)

all_dims = pytest.mark.parametrize("dims", [1, 2, 3])


@all_dims
@settings(max_examples=25)
@given(data=st.data())
def test_the_median_is_torchs_of_the_values_in_the_window(dims, data, agree, poolings, unfolded):
    images, window, options = data.draw(poolings(dims))
    ours = median_pooling(images, window, **options)
    tensor = torch.tensor(images, requires_grad=True)
    theirs = unfolded(tensor, window, ours.shape[2:], **options).nanmedian(dim=-1).values
    agree(ours, theirs)
    gradient = np.random.default_rng(0).normal(size=theirs.shape)
    theirs.backward(torch.tensor(gradient))
    agree(median_pooling_backward(gradient, images, window, **options), tensor.grad)


@all_dims
@settings(max_examples=20)
@given(data=st.data(), values=st.integers(1, 5))
def test_the_most_frequent_whole_number_is_scipys(dims, data, values, agree, poolings, unfolded):
    images, window, options = data.draw(poolings(dims))
    images = np.random.default_rng(values).integers(-1, values, size=images.shape)
    ours = mode_pooling(images, window, **options)
    windows = unfolded(torch.tensor(images, dtype=torch.double), window, ours.shape[2:], **options).numpy()
    agree(ours, scipy.stats.mode(windows, axis=-1, nan_policy="omit").mode)


def torch_mode(windows, bins, low, high):
    """The mean of the values in the fullest bin, differentiable; NaN is no value."""
    edges = torch.linspace(low, high, bins + 1, dtype=torch.double)
    real = ~windows.isnan()
    number = torch.bucketize(windows.detach().nan_to_num().contiguous(), edges[1:-1], right=True)
    counts = (torch.nn.functional.one_hot(number, bins) * real.unsqueeze(-1)).sum(dim=-2)
    chosen = (number == counts.argmax(dim=-1, keepdim=True)) & real
    return torch.where(chosen, windows, 0.0).sum(dim=-1) / chosen.sum(dim=-1)


@all_dims
@settings(max_examples=20)
@given(data=st.data(), bins=st.integers(1, 6), seed=st.integers(0, 999))
def test_the_fullest_bin_is_that_of_torchs_bucketize(dims, data, bins, seed, agree, poolings, unfolded):
    images, window, options = data.draw(poolings(dims))
    images = np.random.default_rng(seed).uniform(-1.5, 2.5, size=images.shape)
    binning = {"bins": bins, "limits": (-1.0, 2.0)}
    ours = mode_pooling(images, window, **options, **binning)
    tensor = torch.tensor(images, requires_grad=True)
    theirs = torch_mode(unfolded(tensor, window, ours.shape[2:], **options), bins, -1.0, 2.0)
    agree(ours, theirs)
    gradient = np.random.default_rng(0).normal(size=theirs.shape)
    theirs.backward(torch.tensor(gradient))
    agree(mode_pooling_backward(gradient, images, window, **options, **binning), tensor.grad)


@all_dims
@pytest.mark.parametrize(
    ("pooling", "backward", "binning"),
    [
        (median_pooling, median_pooling_backward, {}),
        (mode_pooling, mode_pooling_backward, {"bins": 3, "limits": (0.0, 3.0)}),
    ],
)
@pytest.mark.parametrize("options", [{}, {"stride": 1, "padding": 1}, {"stride": 2, "ceil": True}])
def test_gradients_are_the_central_differences(dims, pooling, backward, binning, options, agree, slopes):
    shape = (1, 2, *(4, 3, 2)[:dims])
    order = np.random.default_rng(dims).permutation(np.prod(shape))
    images = (order * 0.11 % 3 + 0.005).reshape(shape)  # no two alike, and none at the edge of a bin
    window, options = (3, 2, 2)[:dims], {**options, **binning}
    probe = np.random.default_rng(0).normal(size=pooling(images, window, **options).shape)
    (slope,) = slopes(lambda array: float((pooling(array, window, **options) * probe).sum()), images)
    agree(backward(probe, images, window, **options), slope, 1e-7)


def test_of_two_middle_values_the_lower_one_is_the_median():
    images = [[[[4, 1], [3, 2]]]]
    assert median_pooling(images, 2).tolist() == [[[[2]]]]
    assert median_pooling_backward([[[[5]]]], images, 2).tolist() == [[[[0, 0], [0, 5]]]]


def test_of_equal_medians_the_first_gets_the_gradient():
    assert median_pooling_backward([[[5]]], [[[1, 7, 7, 7, 9]]], 5).tolist() == [[[0, 5, 0, 0, 0]]]


def test_the_most_frequent_value_gets_its_gradient_in_equal_shares():
    images = [[[1, 3, 3, 2]]]
    assert mode_pooling(images, 4).tolist() == [[[3]]]
    assert mode_pooling_backward([[[5]]], images, 4).tolist() == [[[0, 2.5, 2.5, 0]]]


def test_of_equally_frequent_values_the_lowest_counts():
    assert mode_pooling([[[5, 2, 9, 2, 5]]], 5).tolist() == [[[2]]]
    assert mode_pooling([[[0.9, 0.1, 0.6, 0.3]]], 4, bins=2).item() == pytest.approx(0.2)


def test_values_beyond_the_limits_count_to_the_outer_bins():
    images = [[[-7.0, 0.1, 0.9, 1.0, 7.0]]]
    assert mode_pooling(images, 5, bins=2).item() == pytest.approx((0.9 + 1.0 + 7.0) / 3)
    assert mode_pooling([[[-7.0, 0.1, 0.9]]], 3, bins=2).item() == pytest.approx((-7.0 + 0.1) / 2)


def test_a_value_at_an_edge_counts_to_the_higher_bin():
    assert mode_pooling([[[0.5, 0.5, 0.4]]], 3, bins=2).item() == 0.5
    assert mode_pooling([[[0.5, 0.4, 0.3]]], 3, bins=2).item() == pytest.approx(0.35)


def test_padding_is_never_counted():
    assert median_pooling([[[5, 6, 7]]], 3, stride=1, padding=1).tolist() == [[[5, 6, 6]]]
    assert mode_pooling([[[5, 6, 6]]], 3, stride=1, padding=1).tolist() == [[[5, 6, 6]]]


@pytest.mark.parametrize(
    ("images", "options", "sentence"),
    [
        ([[[0.5, 1.5]]], {}, "float64 values needs bins, .* bins=16"),
        (np.zeros((1, 1, 2), dtype=np.float32), {}, "float32 values needs bins"),
        ([[[0.5, 1.5]]], {"bins": 0}, "cannot be put into 0 bins"),
        ([[[0.5, 1.5]]], {"bins": 2.5}, "cannot be put into 2.5 bins"),
        ([[[0.5, 1.5]]], {"bins": True}, "cannot be put into True bins"),
        ([[[0.5, 1.5]]], {"bins": 2, "limits": (1.0, 1.0)}, "no bins between 1.0 and 1.0"),
        ([[["a", "b"]]], {}, "cannot be computed with"),
    ],
)
def test_what_has_no_mode_is_refused(images, options, sentence):
    with pytest.raises(LayerError, match=sentence):
        mode_pooling(images, 2, **options)
    with pytest.raises(LayerError, match=sentence):
        mode_pooling_backward([[[1]]], images, 2, **options)


@pytest.mark.parametrize("pooling", [median_pooling, mode_pooling])
@pytest.mark.parametrize(
    ("window", "options", "sentence"),
    [
        (7, {}, "a kernel of 7 is larger than its input of 5"),
        (2, {"stride": 0}, "stride 0 cannot be"),
        (3, {"padding": 2}, "padding 2 is more than half of a window"),
        ((2, 2), {}, "2 numbers for 1 axes"),
    ],
)
def test_what_does_not_fit_is_a_sentence_with_the_arithmetic(pooling, window, options, sentence):
    with pytest.raises(ShapeError, match=sentence):
        pooling(np.zeros((1, 2, 5), dtype=int), window, **options)
