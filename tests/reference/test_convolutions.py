"""Convolution and its gradients against torch, scipy and central differences, over drawn shapes."""

import numpy as np
import pytest
import scipy.signal
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.core.errors import LayerError, ShapeError
from striate.reference import (
    convolution,
    convolution_backward,
    flipped,
    mathematical_convolution,
    mathematical_convolution_backward,
)

TORCH = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
all_dims = pytest.mark.parametrize("dims", [1, 2, 3])


@st.composite
def convolutions(draw, dims):
    """Images, weights, a bias, and options with which the kernel fits."""
    kernel, stride = (draw(st.tuples(*[st.integers(1, 3)] * dims)) for _ in range(2))
    padding = draw(st.tuples(*[st.integers(0, 2)] * dims))
    dilation = draw(st.tuples(*[st.integers(1, 2)] * dims))
    size = [
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 4 if dims < 3 else 2))
        for k, p, d in zip(kernel, padding, dilation, strict=True)
    ]
    groups, inputs, outputs, count = (draw(st.integers(1, 2)) for _ in range(4))
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    images = generator.normal(size=(count, groups * inputs, *size))
    weights = generator.normal(size=(groups * outputs, inputs, *kernel))
    bias = generator.normal(size=len(weights))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return (images, weights, bias), options


@all_dims
@settings(max_examples=40)
@given(data=st.data())
def test_it_equals_torch_forward_and_backward(dims, data, agree):
    arrays, options = data.draw(convolutions(dims))
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    theirs = TORCH[dims](*tensors, **options)
    agree(convolution(*arrays, **options), theirs)
    gradient = np.random.default_rng(0).normal(size=theirs.shape)
    theirs.backward(torch.tensor(gradient))
    for ours, tensor in zip(convolution_backward(gradient, *arrays[:2], **options), tensors, strict=True):
        agree(ours, tensor.grad)


@all_dims
@settings(max_examples=15)
@given(data=st.data())
def test_the_mathematicians_form_equals_torch_with_flipped_weights(dims, data, agree):
    arrays, options = data.draw(convolutions(dims))
    images, weights, bias = (torch.tensor(array, requires_grad=True) for array in arrays)
    theirs = TORCH[dims](images, weights.flip(list(range(2, 2 + dims))), bias, **options)
    agree(mathematical_convolution(*arrays, **options), theirs)
    gradient = np.random.default_rng(0).normal(size=theirs.shape)
    theirs.backward(torch.tensor(gradient))
    ours = mathematical_convolution_backward(gradient, *arrays[:2], **options)
    for our, tensor in zip(ours, (images, weights, bias), strict=True):
        agree(our, tensor.grad)


@all_dims
def test_the_mathematicians_form_equals_scipy(dims, agree):
    generator = np.random.default_rng(dims)
    image, kernel = generator.normal(size=(5, 6, 7)[:dims]), generator.normal(size=(3, 2, 4)[:dims])
    ours = mathematical_convolution(image[None, None], kernel[None, None])[0, 0]
    agree(ours, scipy.signal.convolve(image, kernel, mode="valid", method="direct"))
    crossed = convolution(image[None, None], kernel[None, None])[0, 0]
    agree(crossed, scipy.signal.correlate(image, kernel, mode="valid", method="direct"))


@all_dims
@pytest.mark.parametrize(
    "options",
    [
        {"stride": 1, "padding": 0, "dilation": 1, "groups": 1},
        {"stride": 2, "padding": 1, "dilation": 1, "groups": 2},
        {"stride": 1, "padding": 1, "dilation": 2, "groups": 1},
    ],
)
def test_gradients_are_the_central_differences(dims, options, agree, slopes):
    generator = np.random.default_rng(dims)
    images = generator.normal(size=(2, 2, *(4, 3, 3)[:dims]))
    weights = generator.normal(size=(2, 2 // options["groups"], *(2,) * dims))
    bias = generator.normal(size=2)
    probe = generator.normal(size=convolution(images, weights, bias, **options).shape)
    theirs = slopes(
        lambda *arrays: float((convolution(*arrays, **options) * probe).sum()), images, weights, bias
    )
    for ours, slope in zip(convolution_backward(probe, images, weights, **options), theirs, strict=True):
        agree(ours, slope, 1e-7)


def test_without_a_bias_nothing_is_added():
    images, weights = np.ones((1, 1, 4)), np.ones((2, 1, 3))
    assert convolution(images, weights).tolist() == convolution(images, weights, [0, 0]).tolist()


def test_what_was_given_is_not_changed():
    images, weights = np.ones((1, 1, 4)), np.ones((2, 1, 3))
    convolution(images, weights, padding=1)[:] = 7
    convolution_backward(np.ones((1, 2, 2)), images, weights)[1][:] = 7
    assert (images == 1).all()
    assert (weights == 1).all()


def test_flipping_twice_changes_nothing():
    weights = np.arange(12.0).reshape(2, 1, 2, 3)
    assert flipped(weights)[0, 0].tolist() == [[5, 4, 3], [2, 1, 0]]
    assert flipped(flipped(weights)).tolist() == weights.tolist()


IMAGE = np.zeros((1, 2, 5, 5))


@pytest.mark.parametrize(
    ("shape", "options", "sentence"),
    [
        ((1, 2, 7, 7), {}, r"a kernel of 7 is larger than its input of 5 .* 5 \+ 2\*0 - 7 = -2 .* padding 1"),
        ((1, 2, 3, 3), {"dilation": 4, "padding": 1}, r"3 dilated by 4 reaches over 9 .*5 \+ 2\*1 - 9 = -2"),
        ((1, 2, 3, 3), {"stride": 0}, "stride 0 cannot be: it is a whole number of at least 1"),
        ((1, 2, 3, 3), {"stride": -1}, "stride -1 cannot be"),
        ((1, 2, 3, 3), {"stride": 1.5}, "stride 1.5 cannot be"),
        ((1, 2, 3, 3), {"stride": True}, "stride True cannot be"),
        ((1, 2, 3, 3), {"padding": -1}, "padding -1 cannot be: it is a whole number of at least 0"),
        ((1, 2, 3, 3), {"dilation": 0}, "dilation 0 cannot be"),
        ((1, 2, 3, 3), {"stride": (1, 2, 3)}, r"stride \(1, 2, 3\) has 3 numbers for 2 axes"),
        ((1, 3, 3, 3), {}, r"weights take 3 channels in 1 group, 3\*1 = 3, and the images have 2"),
        ((3, 2, 3, 3), {"groups": 2}, r"take 2 channels in 2 groups, 2\*2 = 4, and the images have 2"),
        ((3, 1, 3, 3), {"groups": 2}, r"3 output channels .* 2 groups: 3/2 = 1.50; 4 can"),
        ((1, 2, 3, 3), {"groups": 0}, "groups 0 cannot be"),
        ((1, 2, 3), {}, "weights of shape 1x2x3 do not fit images of 2 spatial axes: .* make 4 axes, not 3"),
        ((0, 2, 3, 3), {}, "0 filters"),
        ((1, 2, 0, 3), {}, "kernel 0 cannot be"),
    ],
)
def test_what_does_not_fit_is_a_sentence_with_the_arithmetic(shape, options, sentence):
    with pytest.raises(ShapeError, match=sentence):
        convolution(IMAGE, np.zeros(shape), **options)
    with pytest.raises(ShapeError, match=sentence):
        convolution_backward(np.zeros((1, 1, 3, 3)), IMAGE, np.zeros(shape), **options)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.zeros((5, 5)), "images of shape 5x5 have 2 axes"),
        (np.zeros((1, 1, 2, 2, 2, 2)), "have 6 axes"),
        (np.zeros((0, 2, 5, 5)), "0x2x5x5 hold no value"),
        ([[[1, 2], [3]]], "images: rows of different lengths"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(images, sentence):
    with pytest.raises(ShapeError, match=sentence):
        convolution(images, np.zeros((1, 2, 3, 3)))


@pytest.mark.parametrize("images", [[[["a"]]], np.zeros((1, 2, 5, 5), dtype=complex), [[[None]]]])
def test_what_is_no_number_is_refused(images):
    with pytest.raises(LayerError, match="cannot be computed with"):
        convolution(images, np.zeros((1, 2, 3, 3)))


def test_a_bias_and_a_gradient_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match="bias: the shape is 2 where 1 is needed"):
        convolution(IMAGE, np.zeros((1, 2, 3, 3)), [1, 2])
    with pytest.raises(ShapeError, match="gradient: the shape is 1x1x5x5 where 1x1x3x3 is needed"):
        convolution_backward(np.zeros((1, 1, 5, 5)), IMAGE, np.zeros((1, 2, 3, 3)))
