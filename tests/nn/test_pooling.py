"""Every pooling equals its definition in NumPy, forward and backward, and torch's own where it has one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from striate import reference
from striate.core.errors import LayerError, ShapeError
from striate.geometry import output_size
from striate.nn import AveragePool, GlobalAveragePool, GlobalMaxPool, L2Pool, MaxPool, MinPool

DEFINITIONS = {
    MaxPool: (reference.max_pooling, reference.max_pooling_backward),
    MinPool: (reference.min_pooling, reference.min_pooling_backward),
    AveragePool: (reference.average_pooling, reference.average_pooling_backward),
    L2Pool: (reference.l2_pooling, reference.l2_pooling_backward),
}
DILATED = (MaxPool, MinPool)

F_IMAGE = [[6, 3, 1, -3], [4, 1, 2, 0], [3, 1, 3, 2], [7, 1, 1, 1]]
A_IMAGE = [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("layer", "image", "result"),
    [
        (MaxPool(2), F_IMAGE, [[6, 2], [7, 3]]),
        (AveragePool(2), F_IMAGE, [[3.5, 0], [3, 1.75]]),
        (MinPool(2), F_IMAGE, [[1, -3], [1, 1]]),
        (MaxPool(3, stride=1), A_IMAGE, [[3, 3, 3], [3, 3, 3], [3, 2, 3]]),
        (MaxPool(2), [[6, 3], [4, 1]], [[6]]),
        (MaxPool(2), [[1, 5], [6, 3]], [[6]]),
        (MaxPool(2), [[2, 6], [2, 4]], [[6]]),
    ],
)
def test_the_worked_examples_hold(layer, image, result) -> None:
    assert layer(torch.tensor([[image]]).float())[0, 0].tolist() == result


@st.composite
def windows(draw):
    dims = draw(st.integers(1, 3))
    most = {1: 5, 2: 4, 3: 3}[dims]

    def each(low: int, highs: list[int]) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for high in highs)

    window, dilation = each(1, [most] * dims), each(1, [2] * dims)
    layer = draw(st.sampled_from(list(DEFINITIONS)))
    if layer not in DILATED:
        dilation = (1,) * dims
    reach = [apart * (elements - 1) + 1 for elements, apart in zip(window, dilation, strict=True)]
    padding = each(0, [elements // 2 for elements in window])
    more = each(0, [4 if dims < 3 else 2] * dims)
    size = [max(1, r - 2 * p) + m for r, p, m in zip(reach, padding, more, strict=True)]
    options = {"padding": padding, "ceil": draw(st.booleans())}
    options["stride"] = draw(st.none()) if draw(st.booleans()) else each(1, [3] * dims)
    if layer in DILATED:
        options["dilation"] = dilation
    return layer, window, options, size


def make_images(size, seed: int, *, ties: bool) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 3, *size)
    if ties:
        return torch.randint(-2, 3, shape, generator=generator).double()
    return torch.randn(shape, generator=generator, dtype=torch.double)


@settings(max_examples=150)
@given(windows(), st.integers(0, 1000), st.booleans(), st.booleans())
def test_values_and_gradients_are_those_of_the_definition(drawn, seed, ties, channels_last) -> None:
    kind, window, options, size = drawn
    images = make_images(size, seed, ties=ties)
    forward, backward = DEFINITIONS[kind]
    layer = kind(window, dims=len(size), **options)
    try:
        expected = forward(images.numpy(), window, **options)
    except ShapeError:
        with pytest.raises(ShapeError, match="misses its input"):
            layer(images)
        return
    given_images = images
    if channels_last:
        given_images = images.movedim(1, -1).contiguous().movedim(-1, 1)
    given_images.requires_grad_()
    result = layer(given_images)
    np.testing.assert_allclose(result.detach().numpy(), expected, atol=1e-12)
    gradient = torch.randn(result.shape, dtype=torch.double)
    result.backward(gradient)
    np.testing.assert_allclose(
        given_images.grad.numpy(),
        backward(gradient.numpy(), images.detach().numpy(), window, **options),
        atol=1e-12,
    )
    lies = layer.windows_on(tuple(size))
    assert tuple(map(output_size, size, lies)) == result.shape[2:]
    assert layer.multiply_adds_on(tuple(size)) == 0


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("ceil", [False, True])
def test_torchs_own_give_the_same(dims, ceil) -> None:
    images = torch.randn(2, 3, *[7] * dims)
    theirs = {
        1: (nn.MaxPool1d, nn.AvgPool1d),
        2: (nn.MaxPool2d, nn.AvgPool2d),
        3: (nn.MaxPool3d, nn.AvgPool3d),
    }
    largest, average = theirs[dims]
    ours = MaxPool(3, dims=dims, stride=2, padding=1, dilation=2, ceil=ceil)(images)
    assert ours.equal(largest(3, stride=2, padding=1, dilation=2, ceil_mode=ceil)(images))
    smallest = MinPool(3, dims=dims, stride=2, padding=1, dilation=2, ceil=ceil)(images)
    assert smallest.equal(-largest(3, stride=2, padding=1, dilation=2, ceil_mode=ceil)(-images))
    ours = AveragePool(3, dims=dims, stride=2, padding=1, ceil=ceil)(images)
    average = average(3, stride=2, padding=1, ceil_mode=ceil, count_include_pad=False)
    assert torch.allclose(ours, average(images), atol=1e-6)


def test_the_norm_of_positive_values_is_torchs_where_windows_are_whole() -> None:
    images = torch.rand(2, 3, 6, 6) + 0.1
    assert torch.allclose(L2Pool(3, stride=1)(images), F.lp_pool2d(images, 2.0, 3, stride=1), atol=1e-6)


def test_the_norm_of_nothing_has_no_gradient() -> None:
    images = torch.zeros(1, 1, 4, 4)
    images[0, 0, 0, :2] = torch.tensor([3.0, 4.0])
    images.requires_grad_()
    norms = L2Pool(2)(images)
    assert norms.tolist() == [[[[5, 0], [0, 0]]]]
    (gradient,) = torch.autograd.grad(norms.sum(), images)
    assert gradient[0, 0, 0].tolist() == pytest.approx([0.6, 0.8, 0, 0])
    assert gradient[0, 0, 1:].abs().sum() == 0


@pytest.mark.parametrize("kind", [MaxPool, MinPool])
def test_of_equal_values_the_first_gets_the_gradient(kind) -> None:
    images = torch.ones(1, 1, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(kind(2)(images).sum(), images)
    assert gradient[0, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("channels_last", [False, True])
def test_the_smallest_of_a_window_with_nan_is_nan(channels_last) -> None:
    images = torch.arange(32.0).view(1, 2, 4, 4)
    images[0, 1, 1, 1] = torch.nan
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    pooled = MinPool(2)(images)
    assert pooled[0, 0].tolist() == [[0, 2], [8, 10]]
    assert pooled[0, 1].isnan().tolist() == [[True, False], [False, False]]


def test_infinite_values_and_gradients_stay_in_their_windows() -> None:
    images = torch.arange(16.0).view(1, 1, 4, 4)
    images[0, 0, 0, 0] = -math.inf
    images.requires_grad_()
    pooled = MinPool(2)(images)
    assert pooled[0, 0, 0, 0] == -math.inf
    (gradient,) = torch.autograd.grad(pooled, images, torch.tensor([[[[math.inf, 1.0], [1.0, 1.0]]]]))
    assert gradient[0, 0, 0, 0] == math.inf
    assert torch.isfinite(gradient.flatten()[1:]).all()


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("channels_last", [False, True])
def test_of_nothing_but_infinity_the_first_element_gets_the_gradient(dims, channels_last) -> None:
    images = torch.full((2, 3, *[4] * dims), math.inf)
    if channels_last:
        images = images.movedim(1, -1).contiguous().movedim(-1, 1)
    images.requires_grad_()
    (gradient,) = torch.autograd.grad(MinPool(2, dims=dims)(images).sum(), images)
    assert gradient[:, :, *[slice(None, None, 2)] * dims].eq(1).all()
    assert gradient.sum() == 6 * 2**dims


@pytest.mark.parametrize("kind", list(DEFINITIONS))
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_first_and_second_derivatives_are_those_of_differences(kind, order) -> None:
    # All values differ by more than the step, so that no order changes.
    values = torch.randperm(60, generator=torch.Generator().manual_seed(0)).double() / 10 + 0.1
    images = values.view(1, 2, 5, 6).contiguous(memory_format=order).requires_grad_()
    layer = kind(3, stride=2, padding=1, ceil=True)
    assert gradcheck(layer, images)
    assert gradgradcheck(layer, images)


@pytest.mark.parametrize("kind", list(DEFINITIONS))
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_bfloat16_is_the_rounded_result(kind, dims) -> None:
    images = torch.randn(2, 3, *[6] * dims).bfloat16()
    layer = kind(3, dims=dims, stride=2, padding=1)
    pooled = layer(images)
    assert pooled.dtype == torch.bfloat16
    assert torch.allclose(
        pooled.float(), layer(images.float()), rtol=2**-6, atol=0 if kind in DILATED else 0.02
    )


@pytest.mark.parametrize("window", [(2, 2), (7, 3), (12, 12)])
def test_the_smallest_of_any_window_is_torchs_in_both_orders_of_memory(window) -> None:
    images = torch.randn(3, 5, 12, 13)
    layer = MinPool(window, stride=1)
    expected = -F.max_pool2d(-images, window, 1)
    assert layer(images).equal(expected)
    pooled = layer(images.contiguous(memory_format=torch.channels_last))
    assert pooled.equal(expected)
    assert pooled.is_contiguous(memory_format=torch.channels_last)
    assert layer(images[:, :, ::1, 1:]).equal(expected[..., 1:])  # neither order
    assert layer(images[:0]).shape == (0, *expected.shape[1:])


@settings(max_examples=30)
@given(st.integers(1, 3), st.integers(0, 1000), st.booleans())
def test_global_pooling_is_that_of_the_definition(dims, seed, ties) -> None:
    images = make_images([2 + axis for axis in range(dims)], seed, ties=ties).requires_grad_()
    plain = images.detach().numpy()
    for layer, forward, backward in (
        (GlobalMaxPool(dims), reference.global_max_pooling, reference.global_max_pooling_backward),
        (
            GlobalAveragePool(dims),
            reference.global_average_pooling,
            reference.global_average_pooling_backward,
        ),
    ):
        result = layer(images)
        np.testing.assert_allclose(result.detach().numpy(), forward(plain), atol=1e-12)
        gradient = torch.randn(result.shape, dtype=torch.double)
        (found,) = torch.autograd.grad(result, images, gradient)
        np.testing.assert_allclose(found.numpy(), backward(gradient.numpy(), plain), atol=1e-12)


def test_global_pooling_gives_a_head_the_same_inputs_whatever_the_size() -> None:
    for side in (4, 8):
        assert GlobalMaxPool()(torch.randn(1, 100, side, side)).shape == (1, 100)
        assert torch.randn(1, 100, side, side).flatten(1).shape == (1, {4: 1600, 8: 6400}[side])


@pytest.mark.parametrize("kind", list(DEFINITIONS))
@pytest.mark.parametrize(
    ("window", "options", "error", "message"),
    [
        (3, {"stride": 0}, ShapeError, "stride 0 cannot be"),
        (3, {"stride": -2}, ShapeError, "stride -2 cannot be"),
        (0, {}, ShapeError, "kernel 0 cannot be"),
        (
            3,
            {"padding": 2},
            ShapeError,
            r"padding 2 is more than half of a window of 3.* 2\*2 = 4; 1 is the most",
        ),
        ((3, 3), {"dims": 3}, ShapeError, r"window \(3, 3\) has 2 numbers for 3 axes"),
        (3, {"dims": 5}, LayerError, "dims=5"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(kind, window, options, error, message) -> None:
    with pytest.raises(error, match=message):
        kind(window, **options)


@pytest.mark.parametrize("kind", list(DEFINITIONS))
@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (
            torch.zeros(1, 3, 2, 8),
            ShapeError,
            "a window of 4 is larger than its input of 2: the input must have",
        ),
        (
            torch.zeros(1, 3, 8),
            ShapeError,
            "Pool with dims=2 takes N x C x height x width, and got 1x3x8: 3 axes",
        ),
        (
            torch.zeros(1, 3, 8, 8, dtype=torch.int64),
            LayerError,
            "floating-point features and got torch.int64",
        ),
    ],
)
def test_images_that_do_not_fit_are_refused_with_the_arithmetic(kind, images, error, message) -> None:
    with pytest.raises(error, match=message):
        kind(4)(images)


@pytest.mark.parametrize("kind", [GlobalMaxPool, GlobalAveragePool])
def test_global_pooling_refuses_other_axes(kind) -> None:
    with pytest.raises(ShapeError, match="takes N x C x length, and got 1x3x8x8: 4 axes instead of 3"):
        kind(dims=1)(torch.zeros(1, 3, 8, 8))
    with pytest.raises(LayerError, match="dims=4"):
        kind(dims=4)
