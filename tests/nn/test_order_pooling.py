"""The median of windows is exact, whatever way it is found, and its gradient goes where it is said to."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from striate import reference
from striate.core.errors import LayerError, ShapeError
from striate.nn import MedianPool, planes, selection


def by_torch(images: torch.Tensor, window, stride) -> torch.Tensor:
    view = images
    for axis, (elements, step) in enumerate(zip(window, stride, strict=True), 2):
        view = view.unfold(axis, elements, step)
    return view.flatten(images.ndim).median(dim=-1).values


@pytest.mark.parametrize("window", [(9,), (10,), (3, 3), (2, 4), (2, 5), (1, 9), (2, 2, 2), (1, 3, 3)])
def test_every_order_of_elements_is_told_apart(window) -> None:
    # A network that orders all zeros and ones orders everything (Knuth, volume 3, theorem Z of 5.3.4).
    elements = np.prod(window)
    images = torch.tensor(list(product([0.0, 1.0], repeat=elements))).view(-1, 1, *window)
    pooled = MedianPool(window, dims=len(window))(images)
    ones = images.flatten(1).sum(dim=1)
    assert pooled.flatten().equal((ones >= elements // 2 + 1).float())


@pytest.mark.parametrize("window", [(5, 5), (7, 7), (11, 11), (3, 3, 3), (25,)])
def test_large_windows_are_torchs(window) -> None:
    images = torch.randint(0, 50, (2, 2, *(each + 6 for each in window))).float()
    stride = (2,) + (1,) * (len(window) - 1)
    assert MedianPool(window, dims=len(window), stride=stride)(images).equal(by_torch(images, window, stride))


@pytest.mark.parametrize("size", [(12, 12), (15, 13)])
def test_a_window_too_large_for_a_network_is_partitioned(size) -> None:
    images = torch.randn(2, 3, *size, requires_grad=True)
    layer = MedianPool(12, stride=1)
    pooled = layer(images)
    assert selection.MOST_SORTED < 12 * 12
    assert pooled.equal(by_torch(images, (12, 12), (1, 1)))
    (gradient,) = torch.autograd.grad(pooled.sum(), images)
    (expected,) = torch.autograd.grad(by_torch(images, (12, 12), (1, 1)).sum(), images)
    assert torch.allclose(gradient, expected)


@st.composite
def windows(draw):
    dims = draw(st.integers(1, 3))
    most = {1: 6, 2: 4, 3: 3}[dims]
    window = tuple(draw(st.integers(1, most)) for _ in range(dims))
    padding = tuple(draw(st.integers(0, each // 2)) for each in window)
    more = [draw(st.integers(0, 4 if dims < 3 else 2)) for _ in window]
    size = [max(1, w - 2 * p) + m for w, p, m in zip(window, padding, more, strict=True)]
    stride = draw(st.one_of(st.none(), st.tuples(*[st.integers(1, 3)] * dims)))
    return window, {"padding": padding, "stride": stride, "ceil": draw(st.booleans())}, size


@settings(max_examples=100)
@given(windows(), st.integers(0, 1000), st.booleans(), st.booleans())
def test_values_and_gradients_are_those_of_the_definition(drawn, seed, ties, channels_last) -> None:
    window, options, size = drawn
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(2, 3, *size, generator=generator, dtype=torch.double)
    if ties:
        images = torch.randint(-2, 3, images.shape, generator=generator).double()
    plain = images.numpy()
    if channels_last:
        images = images.movedim(1, -1).contiguous().movedim(-1, 1)
    images.requires_grad_()
    pooled = MedianPool(window, dims=len(size), **options)(images)
    np.testing.assert_array_equal(pooled.detach().numpy(), reference.median_pooling(plain, window, **options))
    gradient = torch.randn(pooled.shape, dtype=torch.double, generator=generator)
    (found,) = torch.autograd.grad(pooled, images, gradient)
    expected = reference.median_pooling_backward(gradient.numpy(), plain, window, **options)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("channels_last", [False, True])
def test_blocks_and_lines_taken_apart_give_the_same(monkeypatch, channels_last) -> None:
    images = torch.randn(3, 4, 9, 10)
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    images.requires_grad_()
    layer = MedianPool(3, stride=2, padding=1)
    whole = layer(images)
    gradient = torch.randn_like(whole)
    (expected,) = torch.autograd.grad(whole, images, gradient, retain_graph=True)
    for room in (1, 500, 2000):
        monkeypatch.setattr(planes, "ROOM", room)
        pooled = layer(images)
        assert pooled.equal(whole)
        assert pooled.stride() == whole.stride()
        assert torch.autograd.grad(pooled, images, gradient)[0].equal(expected)


def test_of_equal_values_the_first_in_the_window_gets_the_gradient() -> None:
    images = torch.tensor([[[[5.0, 2.0, 9.0], [2.0, 7.0, 5.0], [5.0, 1.0, 5.0]]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(MedianPool(3)(images).sum(), images)
    assert gradient[0, 0].tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_first_and_second_derivatives_are_those_of_differences() -> None:
    # All values differ by more than the step, so that no order changes.
    values = torch.randperm(60, generator=torch.Generator().manual_seed(0)).double() / 10
    for layer, shape in (
        (MedianPool(3, stride=2, padding=1), (1, 2, 5, 6)),
        (MedianPool(4, dims=1, stride=1), (2, 3, 10)),
        (MedianPool(2, dims=3, stride=1), (1, 1, 3, 4, 5)),
    ):
        images = values.view(shape).requires_grad_()
        assert gradcheck(layer, images)
        assert gradgradcheck(layer, images)


def test_a_window_with_nan_is_nan_and_has_no_gradient() -> None:
    images = torch.arange(50.0).view(1, 2, 5, 5)
    images[0, 1, 0, 0] = torch.nan
    images.requires_grad_()
    pooled = MedianPool(3, stride=1, padding=1)(images)
    assert pooled.isnan().nonzero().tolist() == [[0, 1, 0, 0], [0, 1, 0, 1], [0, 1, 1, 0], [0, 1, 1, 1]]
    (gradient,) = torch.autograd.grad(pooled, images, torch.ones_like(pooled))
    assert gradient.sum() == 46


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_no_type_is_rounded(dtype, dims) -> None:
    images = torch.randn(2, 3, *[6] * dims).to(dtype).requires_grad_()
    layer = MedianPool(3, dims=dims, stride=2, padding=1)
    pooled = layer(images)
    assert pooled.dtype == dtype
    assert pooled.double().equal(layer(images.double()))
    gradient = torch.randn(pooled.shape).to(dtype)
    (found,) = torch.autograd.grad(pooled, images, gradient)
    (exact,) = torch.autograd.grad(layer(images), images, gradient.to(dtype))
    assert found.dtype == dtype
    assert found.equal(exact)
    wide = images.detach().double().requires_grad_()
    (expected,) = torch.autograd.grad(layer(wide), wide, gradient.double())
    assert torch.allclose(found.double(), expected, rtol=2**-7, atol=1e-3)


def test_images_in_any_order_of_memory_are_taken() -> None:
    images = torch.randn(2, 8, 9, 3).permute(0, 3, 2, 1)[..., 1:]
    layer = MedianPool(3, stride=1)
    assert layer(images).equal(layer(images.contiguous()))
    assert layer(images[:0]).shape == (0, 3, 7, 5)


@pytest.mark.parametrize(
    ("layer", "images", "error", "message"),
    [
        (MedianPool(3), torch.zeros(1, 1, 2, 5), ShapeError, "a window of 3 is larger than its input of 2"),
        (
            MedianPool(3),
            torch.zeros(1, 5, 5),
            ShapeError,
            "MedianPool with dims=2 takes N x C x height x width",
        ),
        (
            MedianPool(3),
            torch.zeros(1, 1, 5, 5, dtype=torch.uint8),
            LayerError,
            "got torch.uint8; features.float",
        ),
    ],
)
def test_images_that_do_not_fit_are_refused(layer, images, error, message) -> None:
    with pytest.raises(error, match=message):
        layer(images)


def test_padding_of_more_than_half_a_window_is_refused() -> None:
    with pytest.raises(ShapeError, match="padding 2 is more than half of a window of 3"):
        MedianPool(3, padding=2)
    with pytest.raises(ShapeError, match="stride 0 cannot be"):
        MedianPool(3, stride=0)
