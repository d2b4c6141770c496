"""Wilson and Newcombe intervals against SciPy's, published figures and what an interval must be."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from striate.core.intervals import newcombe, wilson


@st.composite
def shares(draw):
    trials = draw(st.integers(1, 100_000))
    return draw(st.integers(0, trials)), trials


@given(shares(), st.floats(0.5, 0.999))
def test_it_agrees_with_scipy(share, confidence):
    theirs = binomtest(*share).proportion_ci(confidence, method="wilson")
    assert wilson(*share, confidence=confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


# Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_it_agrees_with_published_figures(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(shares())
def test_it_holds_the_share_and_stays_within_zero_and_one(share):
    low, high = wilson(*share)
    assert 0 <= low <= share[0] / share[1] + 1e-12
    assert share[0] / share[1] - 1e-12 <= high <= 1


@given(shares())
def test_failures_mirror_successes(share):
    low, high = wilson(*share)
    assert wilson(share[1] - share[0], share[1]) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(
    ("successes", "trials", "confidence"),
    [(0, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0), (1, 5, 1), (1, 5, math.nan)],
)
def test_what_is_no_share_is_refused(successes, trials, confidence):
    with pytest.raises(ValueError, match="is not"):
        wilson(successes, trials, confidence=confidence)


def test_a_sum_of_shares_has_an_interval_between_those_of_counts():
    low, high = wilson(7.5, 10)
    assert wilson(7, 10)[0] < low < wilson(8, 10)[0]
    assert wilson(7, 10)[1] < high < wilson(8, 10)[1]


# Newcombe, Statistics in Medicine 17 (1998), pages 873 to 890, table II, method 10.
@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_differences_agree_with_published_figures(one, other, low, high):
    assert newcombe(*one, *other) == pytest.approx((low, high), abs=5e-5)


@given(shares(), shares())
def test_differences_turn_with_their_terms_and_stay_in_range(one, other):
    low, high = newcombe(*one, *other)
    difference = one[0] / one[1] - other[0] / other[1]
    assert -1 - 1e-12 <= low <= difference + 1e-12
    assert difference - 1e-12 <= high <= 1 + 1e-12
    assert newcombe(*other, *one) == pytest.approx((-high, -low), abs=1e-12)


def test_the_interval_of_a_difference_holds_it_as_often_as_it_says():
    random = np.random.default_rng(0)
    draws = zip(random.binomial(40, 0.97, 4000), random.binomial(60, 0.85, 4000), strict=True)
    held = [low <= 0.12 <= high for low, high in (newcombe(one, 40, other, 60) for one, other in draws)]
    assert 0.93 < np.mean(held) < 0.985
