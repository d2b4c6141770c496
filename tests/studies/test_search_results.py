"""What is said of a search: trials that survive JSON, the winner, what mattered."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_selection import f_classif

from striate.core.recipe import Recipe
from striate.studies.search_importance import explained, importances
from striate.studies.search_parameters import Choice, Real
from striate.studies.search_results import Finalist, Search, Trial, best_trial


def trial(number: int, accuracy: float, state: str = "complete", **values) -> Trial:
    return Trial(
        key=f"k{number}", number=number, values=values, state=state, accuracy=accuracy, reached={1: 0.5}
    )


def search(trials=(), finalists=()) -> Search:
    return Search(
        source="digits",
        size=(8, 8),
        images=4000,
        trial_images=1000,
        validation_images=216,
        precision="float32",
        minutes=10,
        training_minutes=1,
        trial_minutes=0.25,
        seconds=599,
        parameters=(Choice("optimizer", ("muon", "sgd")), Real("rate_factor", 0.2, 5)),
        trials=tuple(trials),
        finalists=tuple(finalists),
    )


def finalist(number: int, validation: tuple[float, ...], test: tuple[float, ...] | None = None) -> Finalist:
    recipe = Recipe(optimizer="sgd", learning_rate=0.1 * (number + 1), minutes=1)
    return Finalist(trial=number, recipe=recipe, in_trial=0.8, validation=validation, test=test, epochs=3.25)


def test_a_trial_comes_back_from_json() -> None:
    one = trial(3, 0.75, optimizer="sgd", rate_factor=1.5)
    assert Trial.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_only_trials_that_came_to_their_end_can_be_best() -> None:
    trials = [trial(0, 0.7), trial(1, 0.9, "pruned"), trial(2, 0.8), trial(3, 0.8)]
    assert best_trial(trials) is trials[2]
    assert best_trial(trials[1:2]) is None


def test_the_winner_is_best_by_validation_and_compared_seed_by_seed() -> None:
    found = search(
        [trial(0, 0.8)], [finalist(0, (0.90, 0.91), (0.9, 0.9)), finalist(5, (0.92, 0.94), (0.8, 0.8))]
    )
    assert found.winner is found.finalists[1]
    assert found.gain.mean == pytest.approx(0.025)
    assert [row[0] for row in found.rows()] == ["trial 5", "to beat"]
    assert "reaches 93.00 ± 12.71 %, +2.50 ± 6.35 points beside the recipe to beat" in found.findings()[1]
    assert found.findings()[1].endswith("not shown to be better")
    figures = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert figures["winner"] == 1
    assert figures["finalists"][1]["recipe"]["learning_rate"] == pytest.approx(0.6)
    assert figures["parameters"][1] == {
        "kind": "Real",
        "name": "rate_factor",
        "low": 0.2,
        "high": 5,
        "step": None,
    }


def test_a_difference_that_is_sure_is_said_to_be_one() -> None:
    found = search([], [finalist(0, (0.90, 0.91)), finalist(5, (0.95, 0.96))])
    assert found.findings()[1].endswith(": better")


def test_nobody_better_is_said_too() -> None:
    found = search([], [finalist(0, (0.93, 0.94)), finalist(5, (0.92, 0.94))])
    assert found.winner is found.finalists[0]
    assert found.gain is None
    assert "none is better than the recipe to beat, at 93.50" in found.findings()[1]


def test_a_search_without_finalists_says_what_it_tried() -> None:
    found = search([trial(0, 0.8), trial(1, 0.5, "pruned"), trial(2, 0.1, "diverged")])
    assert found.findings() == [
        "3 trials (1 complete, 1 pruned, 1 diverged), each of at most 15.0 s on 1,000 of 4,000 images"
    ]
    assert found.winner is None
    assert found.rows() == []
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["winner"] is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1)), min_size=6, max_size=30))
def test_what_a_group_explains_is_the_f_statistics(pairs) -> None:
    groups, values = [group for group, _ in pairs], np.array([value for _, value in pairs])
    kinds = sorted(set(groups))
    if len(kinds) < 2 or len(kinds) == len(pairs) or np.ptp(values) < 1e-3:
        return
    within = sum(np.var(values[[group == kind for group in groups]]) for kind in kinds)
    if within < 1e-6:
        return
    labels = [kinds.index(group) for group in groups]
    statistic = f_classif(values[:, None], labels)[0][0]
    between, rest = len(kinds) - 1, len(pairs) - len(kinds)
    expected = between * (statistic - 1) / (between * statistic + rest)
    assert explained(list(values), groups) == pytest.approx(max(0, expected), abs=1e-6)


def test_what_mattered_comes_first_and_chance_is_nothing() -> None:
    generator = np.random.default_rng(0)
    trials = []
    for number in range(60):
        rate, optimizer = float(generator.uniform(0.2, 5)), ("muon", "sgd")[number % 2]
        accuracy = 0.9 - 0.05 * (rate - 1) ** 2 / 16 + 0.002 * float(generator.standard_normal())
        values = {"rate_factor": rate, "optimizer": optimizer, "augment": "none"}
        if number % 2:
            values["dropout"] = 0.1 * (number % 4)
        trials.append(trial(number, accuracy, **values))
    found = importances(trials)
    assert found[0].name == "rate_factor"
    assert found[0].share > 0.5
    assert found[0].trials == 60
    by_name = {each.name: each for each in found}
    assert by_name["optimizer"].share < 0.1
    assert by_name["dropout"].trials == 30
    assert "augment" not in by_name  # it took one value only


def test_one_failure_counts_as_one_rank() -> None:
    trials = [
        trial(number, 0.9 + 0.001 * (number % 5), optimizer=("muon", "sgd")[number < 10])
        for number in range(20)
    ]
    failed = [*trials[:-1], trial(19, 0.1, optimizer="muon")]
    assert importances(failed)[0].share == pytest.approx(importances(trials)[0].share, abs=0.06)


def test_of_few_trials_nothing_is_said() -> None:
    trials = [trial(number, 0.1 * number, optimizer=("muon", "sgd")[number % 2]) for number in range(5)]
    assert importances(trials) == []
    pruned = [
        trial(number, 0.1 * number, "pruned", optimizer=("muon", "sgd")[number % 2]) for number in range(20)
    ]
    assert importances(pruned) == []


def test_accuracies_that_are_all_one_are_explained_by_nothing() -> None:
    assert explained([0.5] * 8, "aabbccdd") == 0


def test_of_a_single_finalist_there_is_no_winner() -> None:
    assert search([], [finalist(0, (0.9, 0.9))]).winner is None
