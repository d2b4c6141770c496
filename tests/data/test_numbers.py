"""Numbers are kept as they are, refused where they are none, and fitted without inventing any."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import DataError
from striate.data.numbers import fit_numbers, number_type, prepare_numbers


def test_types() -> None:
    assert number_type([np.dtype(np.uint8)] * 2) == np.uint8
    assert number_type([np.dtype(np.uint8), np.dtype(np.float64)]) == np.float32
    assert number_type([np.dtype(np.int16)]) == np.float32


@given(length=st.integers(1, 40), wanted=st.integers(1, 40), fit=st.sampled_from(["pad", "crop", "stretch"]))
def test_fitted_series_have_the_size_and_stay_within_their_values(length, wanted, fit) -> None:
    values = np.random.default_rng(length).normal(size=(2, length)).astype(np.float32)
    found = fit_numbers(values, (wanted,), fit)
    assert found.shape == (2, wanted)
    assert found.dtype == np.float32
    assert (found >= values.min(axis=1, keepdims=True) - 1e-6).all()
    assert (found <= values.max(axis=1, keepdims=True) + 1e-6).all()


def test_each_fit_does_what_it_says() -> None:
    ramp = np.arange(8, dtype=np.float32)[None]
    assert fit_numbers(ramp, (8,), "pad") is ramp
    assert fit_numbers(ramp, (4,), "crop").tolist() == [[2, 3, 4, 5]]
    assert fit_numbers(ramp, (10,), "crop").tolist() == [[3.5, *range(8), 3.5]]
    expected = np.interp(np.linspace(0, 7, 5), np.arange(8), ramp[0])
    np.testing.assert_allclose(fit_numbers(ramp, (5,), "stretch")[0], expected, rtol=1e-6)
    np.testing.assert_allclose(fit_numbers(ramp, (5,), "pad")[0], expected, rtol=1e-6)
    longer = np.interp(np.linspace(0, 7, 15), np.arange(8), ramp[0])
    np.testing.assert_allclose(fit_numbers(ramp, (15,), "stretch")[0], longer, rtol=1e-6)


def test_volumes_are_fitted_along_each_axis() -> None:
    volume = np.zeros((1, 4, 6, 6), np.uint8)
    volume[:, 1:3, 2:4, 2:4] = 200
    found = fit_numbers(volume, (4, 4, 8), "crop")
    assert found.shape == (1, 4, 4, 8)
    assert found.dtype == np.uint8
    assert (found[0, 1, 1:3, 3:5] == 200).all()
    assert (found[0, :, :, 0] == round(float(volume.mean()))).all()


def test_axes_are_recognised_by_the_channels_that_are_wanted() -> None:
    one = np.arange(24.0).reshape(12, 2)
    wanted = prepare_numbers(one.T, size=(12,), channels=2)
    np.testing.assert_array_equal(prepare_numbers(one, size=(12,), channels=2), wanted)
    np.testing.assert_array_equal(prepare_numbers(torch.tensor(one), size=(12,), channels=2), wanted)
    assert prepare_numbers(np.zeros(5), size=(5,), channels=1).shape == (1, 5)
    assert prepare_numbers(np.ones((2, 2, 2)), size=(2, 2, 2), channels=1, numbers=False).max() == 255


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((3, 5)), "has the shape 3x5, where 2x5 is wanted"),
        (np.zeros((2, 5, 1)), "has the shape 2x5x1, where 2x5 is wanted"),
        (np.full((2, 5), np.nan), "no finite numbers"),
        (np.full((2, 5), 1e300), "no finite numbers"),
        (np.zeros((2, 5), complex), "holds no real numbers"),
        (np.zeros((2, 0)), "is empty"),
        (np.full((2, 5), "a"), "holds no real numbers"),
    ],
)
def test_what_is_no_such_item_is_refused(values, words) -> None:
    with pytest.raises(DataError, match=words):
        prepare_numbers(values, size=(5,), channels=2)


def test_pixels_are_held_to_their_range() -> None:
    with pytest.raises(DataError, match="values from 0 to 3"):
        prepare_numbers(np.array([0.0, 3.0]), size=(2,), channels=1, numbers=False)
    with pytest.raises(DataError, match="there is no fit 'squeeze'"):
        prepare_numbers(np.zeros(2), size=(3,), channels=1, fit="squeeze")
