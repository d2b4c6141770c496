"""Intervals of means equal SciPy's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from striate.studies.repeats import mean_of, student_quantile


@given(freedom=st.integers(1, 200), confidence=st.floats(0.5, 0.999))
def test_quantiles_are_those_of_scipy(freedom, confidence) -> None:
    expected = stats.t.ppf((1 + confidence) / 2, freedom)
    assert student_quantile(confidence, freedom) == pytest.approx(expected, rel=1e-8)


@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=20).filter(lambda v: max(v) - min(v) > 1e-3))
def test_the_interval_is_that_of_scipy(values) -> None:
    found = mean_of(values)
    scale = stats.sem(values)
    low, high = stats.t.interval(0.95, len(values) - 1, loc=sum(values) / len(values), scale=scale)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6, abs=1e-9)
    assert found.count == len(values)


def test_one_value_has_no_interval() -> None:
    found = mean_of([0.5])
    assert (found.mean, found.low, found.high, found.count) == (0.5, None, None, 1)
    assert found.percent() == "50.00 %"


def test_values_that_are_alike_have_an_interval_of_no_width() -> None:
    assert mean_of([0.25, 0.25, 0.25]).points() == "+25.00 ± 0.00 points"
