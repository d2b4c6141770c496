"""Who wins is told by the ranks of scores, whatever the loss; gradients are held against earlier ones."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from striate.gan.balance import COLUMNS, FACTOR, judge_balance, judge_gradients, step_row, usual_gradients

SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)


@given(SCORES, SCORES)
def test_pairs_ranked_rightly_are_the_area_under_the_curve(real, fake):
    row = step_row(torch.tensor(real), torch.tensor(fake), (1.0, 2.0, 3.0, 4.0))
    expected = roc_auc_score([1] * len(real) + [0] * len(fake), real + fake)
    assert row[0] == pytest.approx(expected, abs=1e-6)
    assert row[2:] == [1.0, 2.0, 3.0, 4.0]


def test_scores_may_have_a_second_axis_and_figures_be_tensors():
    row = step_row(torch.tensor([[2.0], [4.0]]), torch.tensor([[1.0]]), (torch.tensor(0.5), 1.0, 2.0, 3.0))
    assert row == [1.0, 1.0, 0.5, 1.0, 2.0, 3.0]


def rows(
    ranked: float, *, generator: float = 1.0, discriminator: float = 1.0, count: int = 32
) -> torch.Tensor:
    noise = torch.randn(count, generator=torch.Generator().manual_seed(0)).double()
    found = torch.ones(count, len(COLUMNS), dtype=torch.float64)
    found[:, 0] = (ranked + 0.001 * noise).clamp(0, 1)
    found[:, 4], found[:, 5] = generator * (1 + 0.1 * noise), discriminator * (1 + 0.1 * noise)
    return found


@pytest.mark.parametrize(
    ("ranked", "good", "verdict"),
    [
        (1.0, True, "ahead"),
        (1.0, False, "winning"),
        (0.97, True, "balanced"),
        (0.8, False, "balanced"),
        (0.5, True, "balanced"),
        (0.5, False, "losing"),
        (0.1, False, "losing"),
    ],
)
def test_the_verdict_on_the_discriminator(ranked, good, verdict):
    finding = judge_balance(rows(ranked), good=good)
    assert finding.verdict == verdict
    assert finding.interval[0] <= finding.value <= finding.interval[1]
    assert (finding.level == "note") == (verdict in ("ahead", "balanced")) == (not finding.advice)


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        ((1.0, 1.0), "healthy"),
        ((20.0, 0.05), "healthy"),
        ((0.9 / FACTOR, 1.0), "vanishing"),
        ((1.0, 0.9 / FACTOR), "healthy"),  # of a discriminator that has learnt all there is
        ((1.2 * FACTOR, 1.0), "exploding"),
        ((1.0, 1.2 * FACTOR), "exploding"),
    ],
)
def test_gradients_are_held_against_earlier_ones(now, verdict):
    before = usual_gradients(rows(0.9))[None]
    latest = rows(0.9, generator=now[0], discriminator=now[1])
    finding = judge_gradients(latest, before)
    assert finding.verdict == verdict
    assert judge_gradients(latest, before[:0]).verdict == "healthy"


def test_gradients_of_nothing_vanish_without_earlier_ones():
    assert judge_gradients(rows(1.0, generator=0.0), torch.empty(0, 2).double()).verdict == "vanishing"


@pytest.mark.parametrize("column", [2, 3, 4, 5])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_one_figure_that_is_no_number_is_an_error(column, value):
    latest = rows(0.9)
    latest[3, column] = value
    finding = judge_gradients(latest, usual_gradients(rows(0.9))[None])
    assert (finding.verdict, finding.level) == ("not finite", "error")
    assert "1 of 32 steps" in finding.message
