"""Transposed convolution and its gradients against torch, convolution itself and central differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from striate.core.errors import ShapeError
from striate.reference import (
    convolution,
    convolution_backward,
    transposed_convolution,
    transposed_convolution_backward,
)

TORCH = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
all_dims = pytest.mark.parametrize("dims", [1, 2, 3])


@st.composite
def transposed(draw, dims):
    """Images, weights, a bias, and options that leave something of the output."""
    kernel, stride = (draw(st.tuples(*[st.integers(1, 3)] * dims)) for _ in range(2))
    size = draw(st.tuples(*[st.integers(1, 4 if dims < 3 else 3)] * dims))
    dilation = draw(st.tuples(*[st.integers(1, 2)] * dims))
    padding = draw(st.tuples(*[st.integers(0, 2)] * dims))
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    full = [
        (w - 1) * s + d * (k - 1) + 1 + e
        for w, s, d, k, e in zip(size, stride, dilation, kernel, extra, strict=True)
    ]
    assume(all(length > 2 * p for length, p in zip(full, padding, strict=True)))
    groups, inputs, outputs, count = (draw(st.integers(1, 2)) for _ in range(4))
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    images = generator.normal(size=(count, groups * inputs, *size))
    weights = generator.normal(size=(groups * inputs, outputs, *kernel))
    bias = generator.normal(size=groups * outputs)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "extra": extra}
    return (images, weights, bias), options


@all_dims
@settings(max_examples=40)
@given(data=st.data())
def test_it_equals_torch_forward_and_backward(dims, data, agree):
    arrays, options = data.draw(transposed(dims))
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    named = {("output_padding" if name == "extra" else name): value for name, value in options.items()}
    theirs = TORCH[dims](*tensors, **named)
    agree(transposed_convolution(*arrays, **options), theirs)
    gradient = np.random.default_rng(0).normal(size=theirs.shape)
    theirs.backward(torch.tensor(gradient))
    ours = transposed_convolution_backward(gradient, *arrays[:2], **options)
    for our, tensor in zip(ours, tensors, strict=True):
        agree(our, tensor.grad)


@all_dims
def test_it_is_the_transpose_of_the_convolution(dims, agree):
    generator = np.random.default_rng(dims)
    images = generator.normal(size=(1, 4, *(6, 7, 5)[:dims]))
    weights = generator.normal(size=(2, 2, *(3,) * dims))
    options = {"stride": 2, "padding": 1, "groups": 2}
    out = convolution(images, weights, **options)
    probe = generator.normal(size=out.shape)
    extra = tuple((length + 1) % 2 for length in images.shape[2:])  # 6 and 5 are convolved to 3 alike
    back = transposed_convolution(probe, weights, extra=extra, **options)
    agree(back, convolution_backward(probe, images, weights, **options)[0])
    agree((out * probe).sum(), (images * back).sum())


@all_dims
def test_gradients_are_the_central_differences(dims, agree, slopes):
    options = {"stride": 2, "padding": 1, "extra": 1, "groups": 2}
    generator = np.random.default_rng(dims)
    images = generator.normal(size=(2, 2, *(3, 2, 2)[:dims]))
    weights = generator.normal(size=(2, 1, *(3, 2, 2)[:dims]))
    bias = generator.normal(size=2)
    probe = generator.normal(size=transposed_convolution(images, weights, bias, **options).shape)
    theirs = slopes(
        lambda *arrays: float((transposed_convolution(*arrays, **options) * probe).sum()),
        *(images, weights, bias),
    )
    ours = transposed_convolution_backward(probe, images, weights, **options)
    for our, slope in zip(ours, theirs, strict=True):
        agree(our, slope, 1e-7)


@pytest.mark.parametrize(
    ("shape", "options", "sentence"),
    [
        ((2, 1, 3), {"padding": 4}, r"\(4 - 1\)\*1 \+ 3 \+ 0 - 2\*4 = -2; padding 2 leaves something"),
        ((2, 1, 3), {"stride": 0}, "stride 0 cannot be"),
        ((2, 1, 3), {"extra": 1}, "extra 1 must be less than the stride 1 or the dilation 1, so 0 at most"),
        ((2, 1, 3), {"extra": -1}, "extra -1 cannot be"),
        ((3, 1, 3), {}, "the weights take 3 channels and the images have 2"),
        ((2, 1, 3), {"groups": 3}, "2 channels cannot be shared out to 3 groups: 2/3 = 0.67"),
        ((2, 1, 3), {"groups": -1}, "groups -1 cannot be"),
        ((2, 0, 3), {}, "make no output"),
        ((2, 1, 3, 3), {}, "weights of shape 2x1x3x3 do not fit images of 1 spatial axes"),
    ],
)
def test_what_does_not_fit_is_a_sentence_with_the_arithmetic(shape, options, sentence):
    images, weights = np.zeros((1, 2, 4)), np.zeros(shape)
    with pytest.raises(ShapeError, match=sentence):
        transposed_convolution(images, weights, **options)
    with pytest.raises(ShapeError, match=sentence):
        transposed_convolution_backward(np.zeros((1, 1, 6)), images, weights, **options)


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match="the shape is 1x1x4 where 1x1x6 is needed"):
        transposed_convolution_backward(np.zeros((1, 1, 4)), np.zeros((1, 2, 4)), np.zeros((2, 1, 3)))
