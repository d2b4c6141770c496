"""Slopes are those of central differences, and units are counted along the right axis."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from striate.explain.activations import SATURATED, STEEPEST, dead_units, saturated_share, slopes_at

FUNCTIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softsign": F.softsign,
    "hardsigmoid": F.hardsigmoid,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "gelu": F.gelu,
    "elu": F.elu,
}


@given(value=st.floats(-6, 6), name=st.sampled_from(sorted(FUNCTIONS)))
def test_a_slope_is_that_of_a_central_difference(value, name) -> None:
    corners = [corner for corner in (-3.0, 0.0, 3.0) if abs(value - corner) < 1e-4]
    if corners:
        value += 1e-3  # away from where the slope jumps
    function, step = FUNCTIONS[name], 1e-6
    values = torch.tensor([value]).double()
    expected = (function(values + step) - function(values - step)) / (2 * step)
    assert slopes_at(values, function, (), {}).item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("name", sorted(STEEPEST))
def test_the_steepest_slope_is_the_one_that_is_written_down(name) -> None:
    slopes = slopes_at(torch.linspace(-5, 5, 1001).double(), FUNCTIONS[name], (), {})
    # At 0 and around it; softsign has its steepest only there.
    assert slopes.max().item() == pytest.approx(STEEPEST[name], rel=1e-6)


@pytest.mark.parametrize(("name", "middle", "reach"), [("sigmoid", 0.5, 0.5), ("tanh", 0.0, 1.0)])
@given(value=st.floats(-8, 8))
def test_saturated_is_beyond_95_percent_of_the_way_to_a_bound(name, middle, reach, value) -> None:
    values = torch.tensor([value]).double()
    output = FUNCTIONS[name](values).item()
    beyond = abs(output - middle) > 0.95 * reach
    if abs(abs(output - middle) - 0.95 * reach) > 1e-9:
        slopes = slopes_at(values, FUNCTIONS[name], (), {})
        assert saturated_share(slopes, name) == float(beyond)
    assert pytest.approx(0.0975) == SATURATED


def test_what_writes_in_place_leaves_the_values_alone() -> None:
    values = torch.tensor([-1.0, 1.0])
    assert slopes_at(values, F.relu, (), {"inplace": True}).tolist() == [0.0, 1.0]
    assert values.tolist() == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("before", "shape", "expected"),
    [
        (None, (5,), (5, 1)),
        (None, (2, 3), (3, 0)),
        (nn.Conv2d(1, 1, 1), (2, 3, 4, 5), (3, 0)),
        (nn.Linear(1, 1), (2, 3, 4), (4, 0)),
    ],
)
def test_channels_are_along_the_axis_of_the_layer_before(before, shape, expected) -> None:
    slopes = torch.ones(shape)
    slopes[0] = 0
    assert dead_units(slopes, before=before) == expected
    assert dead_units(torch.zeros(shape), before=before) == (expected[0], expected[0])
