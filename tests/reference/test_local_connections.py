"""The locally connected layer against torch's windows, convolution and central differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.core.errors import ShapeError
from striate.reference import (
    convolution,
    convolution_backward,
    locally_connected,
    locally_connected_backward,
)

all_dims = pytest.mark.parametrize("dims", [1, 2, 3])


@st.composite
def layers(draw, dims):
    kernel, stride = (draw(st.tuples(*[st.integers(1, 3)] * dims)) for _ in range(2))
    padding = draw(st.tuples(*[st.integers(0, 2)] * dims))
    counts = draw(st.tuples(*[st.integers(1, 4 if dims < 3 else 2)] * dims))
    size = [
        max(1, (c - 1) * s + k - 2 * p) for c, s, k, p in zip(counts, stride, kernel, padding, strict=True)
    ]
    counts = [(w + 2 * p - k) // s + 1 for w, s, k, p in zip(size, stride, kernel, padding, strict=True)]
    count, inputs, outputs = (draw(st.integers(1, 2)) for _ in range(3))
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    images = generator.normal(size=(count, inputs, *size))
    weights = generator.normal(size=(outputs, inputs, *counts, *kernel))
    bias = generator.normal(size=(outputs, *counts))
    return (images, weights, bias), {"stride": stride, "padding": padding}


def by_torch(images, weights, bias, *, stride, padding):
    dims = images.ndim - 2
    windows = F.pad(images, [each for padded in reversed(padding) for each in (padded, padded)])
    for axis, (length, step) in enumerate(zip(weights.shape[2 + dims :], stride, strict=True)):
        windows = windows.unfold(2 + axis, length, step)
    products = windows.unsqueeze(1) * weights
    return products.sum(dim=(2, *range(3 + dims, 3 + 2 * dims))) + bias


@all_dims
@settings(max_examples=30)
@given(data=st.data())
def test_it_equals_torchs_windows_forward_and_backward(dims, data, agree):
    arrays, options = data.draw(layers(dims))
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    theirs = by_torch(*tensors, **options)
    agree(locally_connected(*arrays, **options), theirs)
    gradient = np.random.default_rng(0).normal(size=theirs.shape)
    theirs.backward(torch.tensor(gradient))
    ours = locally_connected_backward(gradient, *arrays[:2], **options)
    for our, tensor in zip(ours, tensors, strict=True):
        agree(our, tensor.grad)


@all_dims
def test_with_equal_weights_everywhere_it_is_a_convolution(dims, agree):
    generator = np.random.default_rng(dims)
    images = generator.normal(size=(2, 2, *(5, 4, 3)[:dims]))
    kernel = generator.normal(size=(3, 2, *(3,) * dims))
    options = {"stride": 2, "padding": 1}
    out = convolution(images, kernel, [1, 2, 3], **options)
    counts = out.shape[2:]
    weights = np.broadcast_to(
        kernel.reshape(3, 2, *(1,) * dims, *kernel.shape[2:]), (3, 2, *counts, *kernel.shape[2:])
    )
    bias = np.broadcast_to(np.reshape([1.0, 2.0, 3.0], (3, *(1,) * dims)), (3, *counts))
    agree(locally_connected(images, weights, bias, **options), out)
    probe = generator.normal(size=out.shape)
    shared = convolution_backward(probe, images, kernel, **options)
    own = locally_connected_backward(probe, images, weights, **options)
    positions = tuple(range(2, 2 + dims))
    agree(own[0], shared[0])
    agree(own[1].sum(axis=positions), shared[1])
    agree(own[2].sum(axis=tuple(range(1, 1 + dims))), shared[2])


@all_dims
def test_gradients_are_the_central_differences(dims, agree, slopes):
    options = {"stride": 2, "padding": 1}
    generator = np.random.default_rng(dims)
    counts, kernel = (2, 2, 1)[:dims], (3, 2, 2)[:dims]
    images = generator.normal(size=(2, 2, *(4, 2, 1)[:dims]))
    weights = generator.normal(size=(1, 2, *counts, *kernel))
    bias = generator.normal(size=(1, *counts))
    probe = generator.normal(size=locally_connected(images, weights, bias, **options).shape)
    theirs = slopes(
        lambda *arrays: float((locally_connected(*arrays, **options) * probe).sum()), images, weights, bias
    )
    for ours, slope in zip(
        locally_connected_backward(probe, images, weights, **options), theirs, strict=True
    ):
        agree(ours, slope, 1e-7)


@pytest.mark.parametrize(
    ("shape", "options", "sentence"),
    [
        ((1, 2, 2, 3), {}, "for 2 positions, but on images of 5 there are 3 windows of 3"),
        ((1, 2, 3, 7), {}, "a kernel of 7 is larger than its input of 5"),
        ((1, 3, 3, 3), {}, "the weights take 3 channels, and the images have 2"),
        ((1, 2, 3), {}, "weights of shape 1x2x3 .* make 4 axes, not 3"),
        ((1, 2, 3, 3), {"stride": -2}, "stride -2 cannot be"),
    ],
)
def test_what_does_not_fit_is_a_sentence_with_the_arithmetic(shape, options, sentence):
    images, weights = np.zeros((1, 2, 5)), np.zeros(shape)
    with pytest.raises(ShapeError, match=sentence):
        locally_connected(images, weights, **options)
    with pytest.raises(ShapeError, match=sentence):
        locally_connected_backward(np.zeros((1, 1, 3)), images, weights, **options)


def test_a_bias_is_one_number_a_position():
    with pytest.raises(ShapeError, match="bias: the shape is 1 where 1x3 is needed"):
        locally_connected(np.zeros((1, 2, 5)), np.zeros((1, 2, 3, 3)), [0])
