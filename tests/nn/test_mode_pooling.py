"""The mode of windows is that of the definition, for whole numbers and in bins, with its gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from striate import reference
from striate.core.errors import LayerError, ShapeError
from striate.nn import ModePool, selection


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


@settings(max_examples=60)
@given(windows(), st.integers(0, 1000), st.sampled_from([torch.uint8, torch.int16, torch.int64, torch.bool]))
def test_whole_numbers_give_the_value_of_the_definition(drawn, seed, dtype) -> None:
    window, options, size = drawn
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 4, (2, 3, *size), generator=generator).to(dtype)
    pooled = ModePool(window, dims=len(size), **options)(images)
    assert pooled.dtype == dtype
    np.testing.assert_array_equal(pooled.numpy(), reference.mode_pooling(images.numpy(), window, **options))


@settings(max_examples=60)
@given(windows(), st.integers(0, 1000), st.integers(1, 5), st.booleans())
def test_bins_give_the_values_and_gradients_of_the_definition(drawn, seed, bins, channels_last) -> None:
    window, options, size = drawn
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(2, 3, *size, generator=generator, dtype=torch.double)
    plain = images.numpy()
    if channels_last:
        images = images.movedim(1, -1).contiguous().movedim(-1, 1)
    images.requires_grad_()
    pooled = ModePool(window, dims=len(size), **options, bins=bins, low=-0.5, high=1.5)(images)
    known = {**options, "bins": bins, "limits": (-0.5, 1.5)}
    np.testing.assert_allclose(
        pooled.detach().numpy(), reference.mode_pooling(plain, window, **known), atol=1e-12
    )
    gradient = torch.randn(pooled.shape, dtype=torch.double, generator=generator)
    (found,) = torch.autograd.grad(pooled, images, gradient)
    expected = reference.mode_pooling_backward(gradient.numpy(), plain, window, **known)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_of_equally_frequent_values_the_lowest_counts_negative_ones_too() -> None:
    images = torch.tensor([[[5, -3, 5, -3, 9]]])
    assert ModePool(5, dims=1)(images).item() == -3
    assert ModePool(4, dims=1, stride=1)(images).flatten().tolist() == [-3, -3]


def test_a_window_too_large_for_a_network_is_sorted() -> None:
    images = (torch.rand(1, 1, 18, 18) < 0.9).to(torch.uint8)  # more of a value than the type can count
    np.testing.assert_array_equal(ModePool(18)(images).numpy(), reference.mode_pooling(images.numpy(), 18))
    images = torch.randint(0, 40, (2, 2, 13, 14))
    assert selection.MOST_SORTED < 12 * 12
    expected = reference.mode_pooling(images.numpy(), 12, stride=1)
    np.testing.assert_array_equal(ModePool(12, stride=1)(images).numpy(), expected)
    known = images / 40
    pooled = ModePool(12, stride=1, bins=7)(known)
    np.testing.assert_allclose(
        pooled.numpy(), reference.mode_pooling(known.numpy(), 12, stride=1, bins=7), rtol=1e-5
    )


def test_first_and_second_derivatives_are_those_of_differences() -> None:
    # Each value lies so far inside of its bin that the step does not move it to another.
    generator = torch.Generator().manual_seed(0)
    bins = torch.randint(0, 4, (1, 2, 5, 6), generator=generator)
    images = (bins + 0.2 + 0.6 * torch.rand(bins.shape, generator=generator)).double() / 4
    images.requires_grad_()
    layer = ModePool(3, stride=2, padding=1, bins=4)
    assert gradcheck(layer, images)
    assert gradgradcheck(layer, images)


def test_values_beyond_the_limits_belong_to_the_outer_bins_even_infinite_ones() -> None:
    images = torch.tensor([[[-9.0, 0.1, 0.6, 0.9, 9.0, 0.7]]])
    assert ModePool(2, dims=1, bins=2)(images).flatten().tolist() == pytest.approx([-4.45, 0.75, 4.85])
    images[0, 0, 0] = -torch.inf
    images[0, 0, 4] = torch.inf
    pooled = ModePool(3, dims=1, bins=3)(images).flatten()
    assert pooled.tolist() == [-torch.inf, torch.inf]
    assert ModePool(6, dims=1, bins=3)(images).item() == torch.inf


def test_a_window_with_nan_is_nan_and_has_no_gradient() -> None:
    images = torch.rand(1, 1, 4, 4)
    images[0, 0, 0, 0] = torch.nan
    images.requires_grad_()
    pooled = ModePool(2, bins=3)(images)
    assert pooled.isnan().tolist() == [[[[True, False], [False, False]]]]
    (gradient,) = torch.autograd.grad(pooled, images, torch.ones_like(pooled))
    assert gradient[0, 0, :2, :2].abs().sum() == 0
    assert gradient.sum().item() == pytest.approx(3)


def test_bfloat16_is_put_into_exact_bins() -> None:
    images = torch.rand(2, 3, 6, 6).bfloat16().requires_grad_()
    layer = ModePool(3, stride=1, padding=1, bins=300)
    pooled = layer(images)
    assert pooled.dtype == torch.bfloat16
    assert torch.allclose(pooled.float(), layer(images.float()), rtol=2**-7)
    (gradient,) = torch.autograd.grad(pooled.sum(), images)
    assert gradient.dtype == torch.bfloat16
    assert gradient.sum().item() == pytest.approx(2 * 3 * 36, rel=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": 0}, "bins is 0, where a whole number of at least 1"),
        ({"bins": 2.5}, "bins is 2.5"),
        ({"bins": 4, "low": 1.0, "high": 1.0}, "no bins between low=1.0 and high=1.0"),
        ({"dims": 4}, "dims=4"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(options, message) -> None:
    with pytest.raises(LayerError, match=message):
        ModePool(3, **options)


@pytest.mark.parametrize(
    ("layer", "images", "error", "message"),
    [
        (ModePool(3), torch.zeros(1, 1, 4, 4), LayerError, "any two of torch.float32 are equal; bins=16"),
        (ModePool(3, bins=4), torch.zeros(1, 1, 4, 4, dtype=torch.int64), LayerError, "got torch.int64"),
        (ModePool(3), torch.zeros(1, 1, 2, 4, dtype=torch.int64), ShapeError, "larger than its input of 2"),
        (
            ModePool(3),
            torch.zeros(1, 4, 4, dtype=torch.int64),
            ShapeError,
            "takes images of 2 spatial axes, and got 1",
        ),
        (ModePool(3, bins=4), torch.zeros(1, 4, 4), ShapeError, "1x4x4: 3 axes instead of 4"),
    ],
)
def test_images_that_do_not_fit_are_refused(layer, images, error, message) -> None:
    with pytest.raises(error, match=message):
        layer(images)
