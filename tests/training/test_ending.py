"""A training ends early when its target is reached or its patience is at an end, and not before."""

from __future__ import annotations

import pytest

from striate.core.recipe import Recipe
from striate.training.ending import validations_without_gain, why_end
from striate.training.objective import Objective


def rows(accuracies, losses=None, *, shares=None):
    losses = losses or [1.0] * len(accuracies)
    shares = shares or [0.1 * number for number in range(1, len(accuracies) + 1)]
    return [
        {
            "epoch": float(number),
            "share": share,
            "learning_rate": 0.1 * (1 - share),
            "validation_accuracy": accuracy,
            "validation_loss": loss,
        }
        for number, (accuracy, loss, share) in enumerate(zip(accuracies, losses, shares, strict=True), 1)
    ]


def why(found, *, chosen_by="accuracy", **fields):
    objective = Objective(chosen_by)
    recipe = Recipe(choose_by=chosen_by, **fields)
    return why_end(found, recipe=recipe, objective=objective, column=objective.column)


def count(found, chosen_by="accuracy") -> int:
    objective = Objective(chosen_by)
    return validations_without_gain(found, objective=objective, column=objective.column)


def test_patience_ends_at_the_validation_that_it_says_and_not_before() -> None:
    accuracies = [0.5, 0.6, 0.55, 0.6, 0.61, 0.6, 0.6, 0.5]
    ends = [why(rows(accuracies[:number]), patience=3) is not None for number in range(1, 9)]
    # As good as the best is no gain, so epochs 3 and 4 count; epoch 5 is better, and 8 the third after it.
    assert ends == [False] * 7 + [True]
    ends = [why(rows(accuracies[:number]), patience=2) is not None for number in range(1, 6)]
    assert ends == [False, False, False, True, False]


def test_a_lower_loss_is_a_gain_where_the_figure_is_equal() -> None:
    assert count(rows([0.6, 0.6, 0.6], [0.5, 0.4, 0.4])) == 1
    assert count(rows([0.6, 0.6, 0.6], [0.5, 0.6, 0.7])) == 2
    assert count(rows([0.6, 0.5, 0.7], [0.5, 0.1, 0.9])) == 0


def test_by_loss_lower_is_better() -> None:
    found = rows([0.9, 0.8, 0.7], [0.5, 0.4, 0.6])
    assert count(found, "loss") == 1
    assert why(found[:2], chosen_by="loss", target=0.4) is not None
    assert why(found[:1], chosen_by="loss", target=0.4) is None


@pytest.mark.parametrize(("target", "ends"), [(0.6, True), (0.5999, True), (0.6001, False)])
def test_a_target_ends_where_it_is_reached(target, ends) -> None:
    assert (why(rows([0.9, 0.6]), target=target) is not None) == ends


def test_the_sentence_says_since_when_and_where_the_rate_was() -> None:
    said = why(rows([0.5, 0.6, 0.5, 0.5], shares=[0.2, 0.4, 0.6, 0.7]), patience=2)
    assert said == (
        "2 validations have brought no gain since the validation accuracy of 0.6000 in epoch 2; stopping, at "
        "70 % of the budget; the rate was still 38 % of the highest, since its schedule is that of the whole "
        "budget, and a budget that ends here lets it fall to 0"
    )
    said = why(rows([0.5, 0.4], shares=[0.5, 1.0]), patience=1)
    since = "since the validation accuracy of 0.5000 in epoch 1"
    assert said == f"1 validation has brought no gain {since}; stopping"
    assert why(rows([0.5, 0.4])) is None
