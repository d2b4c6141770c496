"""One trial: it ends with its time, or when it is judged; it leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from striate.core.events import Event, ignore
from striate.core.recipe import Recipe
from striate.data import Dataset, open_dataset
from striate.studies.drawing import fewer
from striate.studies.search_trial import run_trial

RECIPE = Recipe(model="compact-small", batch=16, minutes=0.01)


@pytest.fixture(scope="module")
def few() -> Dataset:
    return replace(fewer(open_dataset("digits"), 200, seed=0), test=None)


def test_a_trial_ends_with_its_time_and_leaves_nothing(few, tmp_path) -> None:
    kinds = set()
    outcome = run_trial(
        few,
        RECIPE,
        folder=tmp_path / "trial",
        device="cpu",
        judge=lambda *_: False,
        on_event=lambda event: kinds.add(event.kind),
    )
    assert outcome.state == "complete"
    assert 0 < outcome.accuracy <= 1
    assert outcome.epochs >= 1
    assert set(outcome.reached) <= {1, 2, 3}
    assert list(outcome.reached.values()) == sorted(outcome.reached.values())
    assert outcome.seconds > 0.3
    assert list(tmp_path.iterdir()) == []
    assert kinds <= {"step", "warning"}


def test_a_trial_that_is_judged_ends_there(few, tmp_path) -> None:
    asked = []

    def judge(quarter: int, accuracy: float) -> bool:
        asked.append((quarter, accuracy))
        return True

    outcome = run_trial(few, RECIPE, folder=tmp_path / "trial", device="cpu", judge=judge, on_event=ignore)
    assert outcome.state == "pruned"
    assert len(asked) == 1
    assert outcome.reached == dict(asked)
    assert list(tmp_path.iterdir()) == []


def test_a_trial_that_diverges_is_an_outcome_too(few, tmp_path) -> None:
    recipe = RECIPE.changed(optimizer="sgd", learning_rate=1000.0, model="mlp")
    outcome = run_trial(
        few, recipe, folder=tmp_path / "trial", device="cpu", judge=lambda *_: False, on_event=ignore
    )
    assert outcome.state == "diverged"
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_passes_and_leaves_nothing(few, tmp_path) -> None:
    def interrupt(event: Event) -> None:  # noqa: ARG001
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(
            few, RECIPE, folder=tmp_path / "trial", device="cpu", judge=lambda *_: False, on_event=interrupt
        )
    assert list(tmp_path.iterdir()) == []
