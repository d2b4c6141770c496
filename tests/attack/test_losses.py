"""Losses by hand, at their fall-backs for few classes, and what does not change them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.attack.goals import Targeted, Untargeted
from striate.attack.losses import aimed, cross_entropy, dlr, log_odds, margin, targeted_dlr

numbers = st.integers(-200, 200).map(lambda whole: whole / 8)


def rows(least: int):
    return st.integers(least, 6).flatmap(
        lambda classes: st.lists(
            st.lists(numbers, min_size=classes, max_size=classes, unique=True), min_size=1, max_size=4
        )
    )


@given(rows(2))
def test_the_margin_is_above_0_where_another_class_wins(values) -> None:
    logits = torch.tensor(values)
    labels = torch.zeros(len(values), dtype=torch.long)
    assert (margin(logits, labels) > 0).equal(Untargeted().is_met(logits, labels))
    assert (aimed(margin, Targeted(1), logits, labels) > 0).equal(Targeted(1).is_met(logits, labels))
    expected = [max(row[1:]) - row[0] for row in values]
    assert margin(logits, labels).tolist() == pytest.approx(expected, abs=1e-5)


@given(rows(3))
def test_the_ratio_is_that_of_the_paper(values) -> None:
    logits = torch.tensor(values, dtype=torch.float64)
    labels = torch.ones(len(values), dtype=torch.long)
    for row, found in zip(values, dlr(logits, labels).tolist(), strict=True):
        first, _, third = sorted(row, reverse=True)[:3]
        other = max(row[:1] + row[2:])
        assert found == pytest.approx(-(row[1] - other) / (first - third), rel=1e-6)


@given(rows(4))
def test_the_targeted_ratio_is_that_of_the_paper(values) -> None:
    logits = torch.tensor(values, dtype=torch.float64)
    labels, targets = torch.zeros(len(values), dtype=torch.long), torch.full((len(values),), 2)
    for row, found in zip(values, targeted_dlr(logits, labels, targets).tolist(), strict=True):
        first, _, third, fourth = sorted(row, reverse=True)[:4]
        assert found == pytest.approx(-(row[0] - row[2]) / (first - (third + fourth) / 2), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("scale", [0.01, 1.0, 1e4])
@pytest.mark.parametrize("shift", [-5.0, 100.0])
def test_ratios_do_not_change_with_the_scale_of_logits(scale, shift) -> None:
    logits = torch.randn(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels, targets = torch.arange(5), torch.arange(1, 6)
    moved = logits * scale + shift
    assert torch.allclose(dlr(moved, labels), dlr(logits, labels), atol=1e-6)
    assert torch.allclose(
        targeted_dlr(moved, labels, targets), targeted_dlr(logits, labels, targets), atol=1e-6
    )


def test_few_classes_fall_back_to_logits() -> None:
    two, three = torch.tensor([[3.0, 1.0]]), torch.tensor([[3.0, 1.0, 0.5]])
    assert dlr(two, torch.tensor([0])).item() == -2.0
    assert targeted_dlr(three, torch.tensor([0]), torch.tensor([2])).item() == -2.5
    assert targeted_dlr(two, torch.tensor([0]), torch.tensor([1])).item() == -2.0


def test_equal_logits_give_a_number_and_a_gradient() -> None:
    logits = torch.zeros(2, 5, requires_grad=True)
    labels = torch.tensor([0, 1])
    for loss in (cross_entropy, margin, dlr, lambda x, y: targeted_dlr(x, y, y + 1)):
        value = loss(logits, labels)
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        assert value.isfinite().all()
        assert gradient.isfinite().all()


def test_cross_entropy_of_large_logits_is_finite() -> None:
    logits = torch.tensor([[1e4, 0.0], [0.0, 1e4]])
    assert cross_entropy(logits, torch.tensor([1, 1])).tolist() == [1e4, 0.0]


@given(rows(2))
def test_the_odds_are_those_of_the_probability(values) -> None:
    logits = torch.tensor(values, dtype=torch.float64)
    labels = torch.zeros(len(values), dtype=torch.long)
    others = 1 - logits.softmax(dim=1)[:, 0]
    expected = (others / (1 - others)).log()
    known = (others > 1e-6) & (others < 1 - 1e-6)
    assert torch.allclose(log_odds(logits, labels)[known], expected[known], atol=1e-6)
    assert torch.allclose(
        torch.nn.functional.softplus(log_odds(logits, labels)), cross_entropy(logits, labels)
    )


def test_the_odds_point_as_the_cross_entropy_does_and_never_vanish() -> None:
    logits = torch.randn(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(5)
    for scale in (1.0, 10.0, 1e5):
        given = (logits.float() * scale).requires_grad_()
        (steps,) = torch.autograd.grad(log_odds(given, labels).sum(), given)
        assert steps.isfinite().all()
        assert steps.abs().amax(dim=1).min() >= 0.99
        wide = (logits * min(scale, 10.0)).requires_grad_()
        (expected,) = torch.autograd.grad(cross_entropy(wide, labels).sum(), wide)
        ways = torch.nn.functional.cosine_similarity(steps.double(), expected)
        assert (ways > (0.99999 if scale <= 10 else 0.7)).all()
    sure = (logits.float() * 1e5).requires_grad_()
    top = sure.argmax(dim=1)
    (gone,) = torch.autograd.grad(cross_entropy(sure, top).sum(), sure)
    assert not gone.any()
