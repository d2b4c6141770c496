"""Resampling along one axis is linear interpolation, by NumPy's measure, items reflected at their ends."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.nn import resample_axis


@given(length=st.integers(1, 9), wanted=st.integers(1, 9), seed=st.integers(0, 99))
def test_places_within_are_interpolated(length, wanted, seed) -> None:
    random = np.random.default_rng(seed)
    values, places = random.normal(size=(3, 2, length)), random.uniform(0, length - 1, (3, wanted))
    found = resample_axis(torch.tensor(values), torch.tensor(places), axis=0).numpy()
    for item in range(3):
        for channel in range(2):
            expected = np.interp(places[item], np.arange(length), values[item, channel])
            np.testing.assert_allclose(found[item, channel], expected, atol=1e-12)


def test_places_outside_are_reflected_as_often_as_needed() -> None:
    values = torch.arange(4.0).view(1, 1, 4)
    places = torch.tensor([[-1.0, -3.0, -4.0, 3.5, 6.0, 7.0, 100.0]])
    expected = np.pad(np.arange(4.0), (200, 200), mode="reflect")
    found = resample_axis(values, places, axis=0)[0, 0]
    np.testing.assert_allclose(found, np.interp(places[0], np.arange(-200, 204), expected))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_axis_is_read_by_itself(axis) -> None:
    values = torch.randn(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    length = values.shape[2 + axis]
    turned = torch.arange(length - 1, -1, -1.0).repeat(2, 1)
    assert resample_axis(values, turned, axis=axis).equal(values.flip(2 + axis))
    assert resample_axis(values, turned[:, :2], axis=axis).shape[2 + axis] == 2
