"""The judgement of the gap between training and validation accuracy: verdict, interval and words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import RunError
from striate.core.intervals import newcombe
from striate.metrics import Overfitting, judge_gap


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((1000, 1000, 940, 1000), "overfitting"),  # all errors on validation are the gap's
        ((970, 1000, 940, 1000), "overfitting"),  # half of them
        ((969, 1000, 940, 1000), "none"),
        ((10_000, 10_000, 9901, 10_000), "none"),  # sure, but under a point
        ((10_000, 10_000, 9899, 10_000), "overfitting"),
        ((36, 36, 34, 36), "unclear"),  # all errors, but two of them may be chance
        ((400, 1000, 300, 1000), "none"),  # it has not even learnt what it has seen
        ((900, 1000, 950, 1000), "none"),  # drawn at random, images are harder while it learns
    ],
)
def test_the_verdict_is_that_of_the_rule(counts, verdict) -> None:
    found = judge_gap(*counts)
    assert found.verdict == verdict
    assert found.interval == newcombe(*counts)
    assert found.gap == pytest.approx(counts[0] / counts[1] - counts[2] / counts[3])


@st.composite
def gaps(draw):
    images, others = draw(st.integers(1, 5000)), draw(st.integers(1, 5000))
    return draw(st.integers(0, images)), images, draw(st.integers(0, others)), others


@given(gaps())
def test_only_what_chance_does_not_explain_is_called_overfitting(counts) -> None:
    found = judge_gap(*counts)
    low, high = found.interval
    assert low <= found.gap <= high
    assert (found.verdict == "overfitting") <= (low > 0)
    assert (found.verdict == "unclear") <= (low <= 0)
    assert (found.gap < 0.01) <= (found.verdict == "none")


@given(gaps())
def test_it_goes_through_json_unchanged(counts) -> None:
    found = judge_gap(*counts).advised("more images", "fewer epochs")
    assert Overfitting.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_it_says_what_was_measured() -> None:
    found = str(judge_gap(1000, 1000, 940, 1000))
    assert found == (
        "training accuracy 100.00 % on 1,000 images as they are: 6.00 points over validation (95 % interval "
        "4.63 to 7.65), this is overfitting"
    )


@pytest.mark.parametrize("values", [{}, {"gap": 1}, None])
def test_what_is_damaged_is_refused(values) -> None:
    whole = judge_gap(9, 10, 8, 10).to_dict()
    damaged = {**whole, "interval": None} if values is None else values
    with pytest.raises(RunError, match="damaged"):
        Overfitting.from_dict(damaged)


def test_counts_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="is not a share"):
        judge_gap(11, 10, 8, 10)
