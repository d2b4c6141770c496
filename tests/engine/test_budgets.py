"""Budgets end where they must, and their shares only grow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.engine.budgets import StepBudget, TimeBudget


@given(steps=st.integers(1, 10_000))
def test_a_step_budget_is_spent_exactly_at_its_last_step(steps) -> None:
    budget = StepBudget(steps)
    assert not budget.is_spent(step=steps - 1, elapsed=1e9, step_seconds=1e9)
    assert budget.is_spent(step=steps, elapsed=0, step_seconds=0)
    assert budget.share(step=steps, elapsed=0) == 1
    assert budget.share(step=0, elapsed=1e9) == 0


@given(
    seconds=st.floats(1, 1000),
    reserve=st.floats(0, 0.3),
    step=st.floats(0.001, 0.05),
)
def test_a_time_budget_ends_within_half_a_step_of_its_time(seconds, reserve, step) -> None:
    budget = TimeBudget(seconds, reserve=reserve * seconds)
    step_seconds = step * seconds
    elapsed = 0.0
    shares = []
    while not budget.is_spent(step=0, elapsed=elapsed, step_seconds=step_seconds):
        shares.append(budget.share(step=0, elapsed=elapsed))
        elapsed += step_seconds
    assert abs(elapsed + reserve * seconds - seconds) <= step_seconds / 2 + 1e-9 * seconds
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1


def test_a_reserve_larger_than_the_budget_leaves_half_for_steps() -> None:
    budget = TimeBudget(10, reserve=100)
    assert not budget.is_spent(step=0, elapsed=4, step_seconds=0.1)
    assert budget.is_spent(step=0, elapsed=5, step_seconds=0.1)


def test_what_is_left_is_told_in_seconds() -> None:
    assert StepBudget(10).seconds_left(step=4, elapsed=99, step_seconds=0.5) == pytest.approx(3)
    assert TimeBudget(10).seconds_left(step=4, elapsed=7, step_seconds=0.5) == pytest.approx(3)
    assert TimeBudget(10).seconds_left(step=4, elapsed=17, step_seconds=0.5) == 0


def test_a_validation_is_left_out_where_it_would_eat_the_last_one() -> None:
    budget = TimeBudget(60, reserve=10)
    assert budget.may_validate(elapsed=30, step_seconds=0.1)
    assert not budget.may_validate(elapsed=45, step_seconds=0.1)
    assert StepBudget(10).may_validate(elapsed=1e9, step_seconds=1)
