"""Schedules against torch's own piecewise-linear schedulers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.engine.schedules import late_decay, rate_factor


@given(share=st.floats(-1, 2), warmup=st.floats(0, 0.99), schedule=st.sampled_from(["linear", "one-cycle"]))
def test_factors_stay_between_zero_and_one(share, warmup, schedule) -> None:
    assert 0 <= rate_factor(share, schedule=schedule, warmup=warmup) <= 1


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_one_cycle_peaks_at_the_end_of_the_warmup_and_ends_at_zero(warmup) -> None:
    assert rate_factor(warmup, schedule="one-cycle", warmup=warmup) == pytest.approx(1)
    assert rate_factor(1.0, schedule="one-cycle", warmup=warmup) == 0
    if warmup:
        assert rate_factor(0.0, schedule="one-cycle", warmup=warmup) == 0


def test_it_equals_the_schedulers_of_torch() -> None:
    steps, warm = 50, 10
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    oracle = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, 1e-9, 1.0, total_iters=warm),
            torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 1e-9, total_iters=steps - warm),
        ],
        milestones=[warm],
    )
    for step in range(steps):
        expected = optimizer.param_groups[0]["lr"]
        found = rate_factor(step / steps, schedule="one-cycle", warmup=warm / steps)
        assert found == pytest.approx(expected, abs=1e-6)
        optimizer.step()
        oracle.step()


def test_a_late_decay_stays_and_then_falls_to_nothing() -> None:
    assert [late_decay(share, decay=0.5) for share in (-1, 0, 0.5, 0.75, 1, 2)] == [1, 1, 1, 0.5, 0, 0]
    assert late_decay(1, decay=0) == 1
    assert late_decay(0.25, decay=1) == 0.75
