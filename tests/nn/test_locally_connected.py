"""The locally connected layer equals the definition in NumPy, and a convolution where weights are alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from striate import reference
from striate.core.errors import LayerError, ShapeError
from striate.nn import LocallyConnected, local_products

CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def in_order_of_the_reference(weight: torch.Tensor) -> np.ndarray:
    """Turn positions x kernel x inputs x outputs into outputs x inputs x positions x kernel."""
    return weight.detach().movedim((-1, -2), (0, 1)).numpy()


@st.composite
def layers(draw):
    dims = draw(st.integers(1, 3))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(dims))

    kernel, padding = each(1, 3 if dims < 3 else 2), each(0, 1)
    size = tuple(max(1, k - 2 * p) + draw(st.integers(0, 3)) for k, p in zip(kernel, padding, strict=True))
    layer = LocallyConnected(2, 3, size=size, kernel=kernel, dims=dims, stride=each(1, 2), padding=padding)
    return layer.double()


@settings(max_examples=40)
@given(layers(), st.integers(0, 1000), st.booleans())
def test_values_and_gradients_are_those_of_the_definition(layer, seed, channels_last) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(2, 2, *layer.size, dtype=torch.double, generator=generator)
    if channels_last:
        images = images.movedim(1, -1).contiguous().movedim(-1, 1)
    images.requires_grad_()
    weights, bias = in_order_of_the_reference(layer.weight), layer.bias.detach().numpy()
    options = {"stride": layer.stride, "padding": layer.padding}
    result = layer(images)
    expected = reference.locally_connected(images.detach().numpy(), weights, bias, **options)
    np.testing.assert_allclose(result.detach().numpy(), expected, atol=1e-12)
    gradient = torch.randn(result.shape, dtype=torch.double, generator=generator)
    result.backward(gradient)
    d_images, d_weights, d_bias = reference.locally_connected_backward(
        gradient.numpy(), images.detach().numpy(), weights, **options
    )
    np.testing.assert_allclose(images.grad.numpy(), d_images, atol=1e-12)
    np.testing.assert_allclose(in_order_of_the_reference(layer.weight.grad), d_weights, atol=1e-12)
    np.testing.assert_allclose(layer.bias.grad.numpy(), d_bias, atol=1e-12)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_with_the_same_weights_everywhere_it_is_a_convolution(dims) -> None:
    layer = LocallyConnected(3, 4, size=6, kernel=3, dims=dims, stride=2, padding=1)
    shared = torch.randn(4, 3, *[3] * dims)
    with torch.no_grad():
        layer.weight.copy_(shared.movedim((0, 1), (-1, -2)).expand_as(layer.weight))
        layer.bias.fill_(0.5)
    images = torch.randn(2, 3, *[6] * dims)
    expected = CONVOLVE[dims](images, shared, torch.full((4,), 0.5), stride=2, padding=1)
    assert torch.allclose(layer(images), expected, atol=1e-5)


def test_lines_that_are_taken_in_parts_give_the_same(monkeypatch) -> None:
    layer = LocallyConnected(2, 3, size=7, kernel=3, padding=1)
    images = torch.randn(4, 2, 7, 7, requires_grad=True)
    whole = torch.autograd.grad(layer(images).square().sum(), [images, layer.weight])
    monkeypatch.setattr(local_products, "SIDE_BY_SIDE", 200)  # two positions of a line at a time
    parts = torch.autograd.grad(layer(images).square().sum(), [images, layer.weight])
    for one, other in zip(whole, parts, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_first_and_second_derivatives_are_those_of_differences() -> None:
    layer = LocallyConnected(2, 2, size=(3, 2), kernel=2, padding=(1, 0), stride=(2, 1)).double()
    images = torch.randn(2, 2, 3, 2, dtype=torch.double, requires_grad=True)

    def apply(images, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, images)

    assert gradcheck(apply, (images, layer.weight, layer.bias))
    assert gradgradcheck(apply, (images, layer.weight, layer.bias))


def test_bfloat16_is_the_rounded_result_also_where_autocast_asks_for_it() -> None:
    layer = LocallyConnected(4, 8, size=6, kernel=3)
    images = torch.randn(2, 4, 6, 6).bfloat16()
    half = LocallyConnected(4, 8, size=6, kernel=3).bfloat16()
    half.load_state_dict(layer.state_dict())
    layer.load_state_dict(half.state_dict())  # both with the rounded weights
    exact = layer(images.float())
    assert half(images).dtype == torch.bfloat16
    assert torch.allclose(half(images).float(), exact, atol=0.03)
    with torch.autocast("cpu", torch.bfloat16):
        automatic = layer(images.float())
    assert automatic.dtype == torch.bfloat16
    assert automatic.equal(half(images))
    gradient = torch.autograd.grad(half(images).sum(), half.weight)[0]
    expected = torch.autograd.grad(exact.sum(), layer.weight)[0]
    assert torch.allclose(gradient.float(), expected, atol=0.05)


def test_the_order_of_memory_is_kept() -> None:
    layer = LocallyConnected(4, 8, size=6, kernel=3)
    images = torch.randn(2, 4, 6, 6).contiguous(memory_format=torch.channels_last)
    assert layer(images).is_contiguous(memory_format=torch.channels_last)
    assert layer(images.contiguous()).is_contiguous()


def test_it_says_what_it_costs() -> None:
    layer = LocallyConnected(1, 100, size=200, kernel=3)
    assert layer.weight.numel() == 198 * 198 * 9 * 100  # 35.3 million
    assert layer.multiply_adds_on((200, 200)) == 198 * 198 * 9 * 100
    assert [window.kernel for window in layer.windows_on((200, 200))] == [3, 3]
    with pytest.raises(ShapeError, match="images of 200x200, and got 100x100"):
        layer.windows_on((100, 100))


def test_a_layer_without_bias_can_be_had() -> None:
    layer = LocallyConnected(1, 2, size=4, kernel=3)
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"]
    assert layer(torch.zeros(1, 1, 4, 4)).abs().sum() == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": 4, "kernel": 5}, ShapeError, "a window of 5 is larger than its input of 4"),
        ({"size": 4, "kernel": 3, "stride": 0}, ShapeError, "stride 0 cannot be"),
        ({"size": 4, "kernel": 3, "padding": -1}, ShapeError, "padding -1 cannot be"),
        ({"size": (4, 4), "kernel": 3, "dims": 1}, ShapeError, r"size \(4, 4\) has 2 numbers for 1 axes"),
        ({"size": 4, "kernel": 3, "dims": 0}, LayerError, "dims=0"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(options, error, message) -> None:
    with pytest.raises(error, match=message):
        LocallyConnected(3, 8, **options)


def test_there_must_be_channels() -> None:
    with pytest.raises(LayerError, match="outputs of LocallyConnected is 0"):
        LocallyConnected(3, 0, size=4, kernel=3)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 4, 8, 8), "LocallyConnected was made for 3 channels and got 4"),
        ((1, 3, 8), "1x3x8: 3 axes instead of 4"),
        ((1, 3, 7, 8), "weights for images of 8x8, and got 7x8"),
    ],
)
def test_images_that_do_not_fit_are_refused(shape, message) -> None:
    with pytest.raises(ShapeError, match=message):
        LocallyConnected(3, 2, size=8, kernel=3)(torch.zeros(shape))
