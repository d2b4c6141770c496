"""The dense layer against torch, central differences and the convolution that it is."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import ShapeError
from striate.reference import convolution, dense, dense_backward

sizes = st.integers(1, 5)


@given(samples=sizes, inputs=sizes, outputs=sizes, seed=st.integers(0, 999))
def test_it_equals_torch_forward_and_backward(samples, inputs, outputs, seed, agree):
    generator = np.random.default_rng(seed)
    arrays = [generator.normal(size=size) for size in ((samples, inputs), (outputs, inputs), (outputs,))]
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    theirs = F.linear(*tensors)
    agree(dense(*arrays), theirs)
    gradient = generator.normal(size=theirs.shape)
    theirs.backward(torch.tensor(gradient))
    for ours, tensor in zip(dense_backward(gradient, *arrays[:2]), tensors, strict=True):
        agree(ours, tensor.grad)


def test_gradients_are_the_central_differences(agree, slopes):
    generator = np.random.default_rng(0)
    arrays = [generator.normal(size=size) for size in ((3, 4), (2, 4), (2,))]
    probe = generator.normal(size=(3, 2))
    theirs = slopes(lambda *given: float((dense(*given) * probe).sum()), *arrays)
    for ours, slope in zip(dense_backward(probe, *arrays[:2]), theirs, strict=True):
        agree(ours, slope, 1e-7)


def test_it_is_a_convolution_whose_kernel_covers_the_image(agree):
    generator = np.random.default_rng(0)
    images, weights = generator.normal(size=(2, 3, 4, 4)), generator.normal(size=(5, 3, 4, 4))
    agree(dense(images.reshape(2, -1), weights.reshape(5, -1)), convolution(images, weights)[:, :, 0, 0])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match="the weights take 3 inputs, and each sample has 2"):
        dense([[1, 2]], [[1, 2, 3]])
    with pytest.raises(ShapeError, match="inputs of shape 2 are no matrix"):
        dense([1, 2], [[1, 2]])
    with pytest.raises(ShapeError, match="weights of shape 2 are no matrix: outputs x inputs"):
        dense_backward([[1]], [[1, 2]], [1, 2])
    with pytest.raises(ShapeError, match="bias: the shape is 2 where 1 is needed"):
        dense([[1, 2]], [[1, 2]], [0, 0])
    with pytest.raises(ShapeError, match="gradient: the shape is 1x2 where 1x1 is needed"):
        dense_backward([[1, 2]], [[1, 2]], [[1, 2]])
