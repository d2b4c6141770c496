"""What is taken at places in windows, and brought back there, against numbers written out by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from striate.geometry import Window
from striate.nn.places import bring_back, places_as, take
from striate.nn.windows import as_numbers


def written_out(places, windows):
    """Give for each place the elements' numbers in the plane, one window after the other; None for none."""
    flat = []
    kernel = [window.kernel for window in windows]
    for where in torch.cartesian_prod(*(torch.arange(side) for side in places.shape)).view(-1, places.ndim):
        number = int(places[tuple(where)])
        if number == torch.tensor(kernel).prod():
            flat.append(None)
            continue
        element = torch.unravel_index(torch.tensor(number), kernel)
        flat.append(
            tuple(
                int(at) * window.stride - window.before + int(step) * window.dilation
                for at, step, window in zip(where, element, windows, strict=True)
            )
        )
    return flat


@settings(max_examples=30)
@given(
    dims=st.integers(1, 3),
    stride=st.integers(1, 3),
    channels_last=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    seed=st.integers(0, 99),
)
def test_the_value_at_each_place_is_taken_and_its_gradient_brought_back(
    dims, stride, channels_last, dtype, seed
) -> None:
    generator = torch.Generator().manual_seed(seed)
    windows = [Window(kernel=2, stride=stride, dilation=2)] * dims
    size, outputs = [7] * dims, [(7 - 3) // stride + 1] * dims
    values = torch.randn(2, 3, *size, generator=generator).to(dtype)
    out = torch.randn(2, 3, *outputs, generator=generator).to(dtype)
    if channels_last:
        values, out = (each.movedim(1, -1).contiguous().movedim(-1, 1) for each in (values, out))
    places = places_as(out, 2**dims)
    places.copy_(torch.randint(0, 2**dims + 1, places.shape, generator=generator))
    taken = take(values, places, as_numbers(windows))
    back = bring_back(out, places, as_numbers(windows), size)
    expected = torch.zeros(values.shape, dtype=torch.float64)
    for image in range(2):
        for channel in range(3):
            plane = taken[image, channel].flatten()
            gradients = out[image, channel].flatten()
            found = written_out(places[image, channel], windows)
            for value, gradient, element in zip(plane, gradients, found, strict=True):
                if element is None:
                    assert value == 0
                else:
                    assert value == values[(image, channel, *element)]
                    expected[(image, channel, *element)] += gradient.double()
    torch.testing.assert_close(
        back, expected.to(dtype), rtol=1e-2 if dtype == torch.bfloat16 else 1e-5, atol=1e-5
    )


def test_each_is_the_others_derivative() -> None:
    windows = as_numbers([Window(kernel=2, stride=1, before=1)] * 2)
    places = torch.tensor([[[[3, 2], [1, 4]]]], dtype=torch.uint8)  # 4 is none
    values = torch.randn(1, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    gradient = torch.randn(1, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    for check in (gradcheck, gradgradcheck):
        assert check(lambda each: take(each, places, windows), values)
        assert check(lambda each: bring_back(each, places, windows, [2, 2]), gradient)


@pytest.mark.parametrize(("elements", "dtype"), [(255, torch.uint8), (256, torch.int32)])
def test_places_of_small_windows_take_a_byte(elements, dtype) -> None:
    assert places_as(torch.zeros(1, 1, 2), elements).dtype == dtype


def test_no_images_have_no_places() -> None:
    windows = as_numbers([Window(kernel=2)])
    places = torch.zeros(0, 3, 4, dtype=torch.uint8)
    assert take(torch.zeros(0, 3, 5), places, windows).shape == (0, 3, 4)
    assert bring_back(torch.zeros(0, 3, 4), places, windows, [5]).shape == (0, 3, 5)
