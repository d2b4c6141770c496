"""Batch normalisation against torch and central differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.core.errors import ShapeError
from striate.reference import (
    batch_normalisation,
    batch_normalisation_backward,
    batch_normalisation_inference,
    batch_normalisation_inference_backward,
    batch_statistics,
    running_statistics,
)


@st.composite
def layers(draw):
    """Features of 0 to 3 spatial axes with at least two values a channel, and four numbers a channel."""
    shape = (draw(st.integers(2, 4)), *draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)))
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    features = generator.normal(1, 3, size=shape)
    scale, shift, mean = generator.normal(size=(3, shape[1]))
    return features, scale, shift, mean, generator.uniform(0.1, 2, size=shape[1])


@settings(max_examples=60)
@given(layer=layers(), momentum=st.floats(0, 1), epsilon=st.sampled_from([1e-5, 1e-3, 0.1]))
def test_training_equals_torch_forward_backward_and_running(layer, momentum, epsilon, agree):
    features, scale, shift, mean, variance = layer
    tensors = [torch.tensor(array, requires_grad=True) for array in (features, scale, shift)]
    running = [torch.tensor(mean), torch.tensor(variance)]
    theirs = F.batch_norm(tensors[0], *running, *tensors[1:], training=True, momentum=momentum, eps=epsilon)
    agree(batch_normalisation(features, scale, shift, epsilon=epsilon), theirs)
    for ours, tensor in zip(
        running_statistics(features, mean, variance, momentum=momentum), running, strict=True
    ):
        agree(ours, tensor)
    gradient = np.random.default_rng(0).normal(size=features.shape)
    theirs.backward(torch.tensor(gradient))
    results = batch_normalisation_backward(gradient, features, scale, epsilon=epsilon)
    for ours, tensor in zip(results, tensors, strict=True):
        agree(ours, tensor.grad, 1e-7)


@settings(max_examples=40)
@given(layer=layers(), epsilon=st.sampled_from([1e-5, 1e-3, 0.1]))
def test_inference_equals_torch_forward_and_backward(layer, epsilon, agree):
    features, scale, shift, mean, variance = layer
    tensors = [torch.tensor(array, requires_grad=True) for array in (features, scale, shift)]
    theirs = F.batch_norm(
        tensors[0], torch.tensor(mean), torch.tensor(variance), *tensors[1:], training=False, eps=epsilon
    )
    statistics = {"mean": mean, "variance": variance, "epsilon": epsilon}
    agree(batch_normalisation_inference(features, scale, shift, **statistics), theirs)
    gradient = np.random.default_rng(0).normal(size=features.shape)
    theirs.backward(torch.tensor(gradient))
    results = batch_normalisation_inference_backward(gradient, features, scale, **statistics)
    for ours, tensor in zip(results, tensors, strict=True):
        agree(ours, tensor.grad)


@pytest.mark.parametrize("shape", [(4, 2), (2, 2, 3), (2, 2, 2, 2), (2, 1, 2, 1, 2)])
def test_gradients_are_the_central_differences(shape, agree, slopes):
    generator = np.random.default_rng(0)
    features, probe = generator.normal(size=(2, *shape))
    scale, shift = generator.normal(size=(2, shape[1]))
    theirs = slopes(
        lambda *arrays: float((batch_normalisation(*arrays) * probe).sum()), features, scale, shift
    )
    for ours, slope in zip(batch_normalisation_backward(probe, features, scale), theirs, strict=True):
        agree(ours, slope, 1e-6)
    given = {"mean": np.full(shape[1], 0.3), "variance": np.full(shape[1], 0.7)}
    theirs = slopes(
        lambda *arrays: float((batch_normalisation_inference(*arrays, **given) * probe).sum()),
        *(features, scale, shift),
    )
    ours = batch_normalisation_inference_backward(probe, features, scale, **given)
    for our, slope in zip(ours, theirs, strict=True):
        agree(our, slope, 1e-7)


@given(layer=layers())
def test_what_comes_out_of_training_has_the_mean_and_variance_that_it_was_given(layer, agree):
    features, _, shift, _, variance = layer
    wide = features * 1e3  # next to which epsilon is nothing
    mean, spread = batch_statistics(batch_normalisation(wide, np.sqrt(variance), shift, epsilon=1e-12))
    agree(mean, shift, 1e-6)
    agree(spread, variance, 1e-6)


@pytest.mark.parametrize(
    ("shape", "channels", "sentence"),
    [
        ((3,), 1, "features of shape 3 have no batch and channels"),
        ((0, 2), 2, "0x2"),
        ((1, 4), 4, "1x4 have 1 value a channel, which has no variance"),
        ((1, 4, 1, 1), 4, "1 value a channel"),
        ((2, 3), 2, "scale: the shape is 2 where 3 is needed"),
    ],
)
def test_what_does_not_fit_is_refused(shape, channels, sentence):
    numbers = np.ones(channels)
    with pytest.raises(ShapeError, match=sentence):
        batch_normalisation(np.zeros(shape), numbers, numbers)
    with pytest.raises(ShapeError, match=sentence):
        batch_normalisation_backward(np.zeros(shape), np.zeros(shape), numbers)


def test_inference_takes_a_single_image_and_one_statistic_a_channel():
    one = {"mean": [0, 0], "variance": [1, 1]}
    assert batch_normalisation_inference([[3, 4]], [1, 1], [0, 0], **one, epsilon=0).tolist() == [[3, 4]]
    with pytest.raises(ShapeError, match="variance: the shape is 1 where 2 is needed"):
        batch_normalisation_inference([[3, 4]], [1, 1], [0, 0], mean=[0, 0], variance=[1])
    with pytest.raises(ShapeError, match="gradient: the shape is 1x1 where 1x2 is needed"):
        batch_normalisation_inference_backward([[3]], [[3, 4]], [1, 1], **one)
    with pytest.raises(ShapeError, match="mean: the shape is 1 where 2 is needed"):
        running_statistics([[3, 4], [5, 6]], [0], [1, 1])
