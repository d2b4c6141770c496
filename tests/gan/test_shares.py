"""Shares are written with the digits that count."""

import pytest

from striate.gan.shares import percent, told
from striate.metrics.estimates import Estimate


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (4e-19, "0 %"),  # the lower bound of none, by rounding
        (1, "100 %"),
        (0.5049, "50 %"),
        (0.0999, "10 %"),
        (0.0996, "10 %"),
        (0.0994, "9.9 %"),
        (0.001, "0.10 %"),
        (0.000012, "0.0012 %"),
    ],
)
def test_percentages_have_two_digits_that_count(share, text):
    assert percent(share) == text


def test_the_interval_stands_behind():
    assert told(Estimate(0.051, (0.0, 0.2))) == "5.1 % (0 % to 20 %)"
