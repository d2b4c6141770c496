"""A search on a few digits: what it leaves, that it goes on, and that nothing found is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import striate
from striate.core.errors import ProcessError, RecipeError, RunError
from striate.core.events import Event, ignore
from striate.core.recipe import Recipe
from striate.data import Dataset, open_dataset
from striate.studies import Search, search_finals, search_recipe
from striate.studies.drawing import fewer
from striate.studies.search_plan import Plan
from striate.studies.search_space import Space
from striate.studies.search_storage import StorageGone, sqlite_url

TINY: dict[str, Any] = {"minutes": 0.03, "device": "cpu", "recipe": Recipe(model="compact-small", batch=16)}


@pytest.fixture(scope="module")
def few() -> Dataset:
    return fewer(open_dataset("digits"), 200, seed=0)


@pytest.fixture(scope="module")
def found(few, tmp_path_factory) -> tuple[Search, Path]:
    out = tmp_path_factory.mktemp("searches") / "one"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_finals, "SEEDS", 1)  # every full training draws its pictures
        return search_recipe(few, out=out, finalists=2, on_event=ignore, **TINY), out


def test_a_search_leaves_the_winner_its_evidence_and_its_runs(found) -> None:
    search, out = found
    names = {file.name for file in out.iterdir() if not file.name.startswith(".")}
    assert names == {
        *("coordinates.png", "finalists", "importance.png", "plan.json"),
        *("recipe.toml", "search.db", "search.json", "trials.jsonl"),
    }
    assert json.loads((out / "search.json").read_text()) == json.loads(json.dumps(search.to_dict()))
    assert search.winner is not None
    assert Recipe.load(out / "recipe.toml") == search.winner.recipe
    assert len(list((out / "finalists").iterdir())) == 2
    assert search.trial_images == 200  # fewer than 2,000, so a trial has them all
    assert len(search.trials) >= 2


def test_the_recipe_to_beat_is_the_first_trial_and_a_finalist(found) -> None:
    search, _ = found
    assert search.trials[0].values["network"] == "default"
    assert search.trials[1].values["network"] == "stacked"
    first = search.finalists[0]
    assert first.trial == 0
    assert first.recipe == TINY["recipe"].changed(minutes=search.training_minutes)
    assert len(first.validation) == 1
    assert first.test is not None  # the recipe to beat and the winner are tested
    assert all((each.test is not None) == (each in (first, search.winner)) for each in search.finalists)
    assert search.training_minutes == pytest.approx(0.0025)


def test_the_same_call_goes_on_and_finds_its_runs(found, few) -> None:
    search, out = found
    spent = json.loads((out / "plan.json").read_text())["seconds"]
    before = {file: file.stat().st_mtime_ns for file in (out / "finalists").rglob("model.safetensors")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_finals, "SEEDS", 1)
        again = search_recipe(few, out=out, finalists=2, on_event=ignore, **TINY)
    after = {file: file.stat().st_mtime_ns for file in (out / "finalists").rglob("model.safetensors")}
    assert before.items() <= after.items()
    assert again.trials[: len(search.trials)] == search.trials
    assert json.loads((out / "plan.json").read_text())["seconds"] > spent  # what went before counts
    assert again.training_minutes == search.training_minutes


def test_the_winners_recipe_trains(found, few, tmp_path) -> None:
    _, out = found
    recipe = Recipe.load(out / "recipe.toml")
    run = striate.train(few, recipe=recipe, out=tmp_path / "run", device="cpu", on_event=ignore)
    assert run.recipe.minutes == recipe.minutes
    assert striate.load(tmp_path / "run").model == (recipe.model or "compact-small")


def test_a_storage_that_is_gone_costs_nothing_that_was_found(few, tmp_path) -> None:
    out = tmp_path / "out"
    seen = []

    def remove(event: Event) -> None:
        if event.kind == "note" and event.data["message"].startswith("trial "):
            seen.append(event.data["message"])
            (out / "search.db").unlink()

    with pytest.raises(
        StorageGone, match=r"its file was removed; .* keeps all that was found \(trials: 1\), recipe.toml"
    ):
        search_recipe(few, out=out, finalists=0, on_event=remove, **TINY)
    assert len(seen) == 1
    assert Recipe.load(out / "recipe.toml").model == "compact-small"
    assert len(json.loads((out / "search.json").read_text())["trials"]) == 1
    again = search_recipe(few, out=out, finalists=0, on_event=ignore, **TINY)
    assert again.trials[0].key == json.loads((out / "trials.jsonl").read_text().splitlines()[0])["key"]
    assert len(again.trials) >= 2
    assert again.finalists == ()


def test_ctrl_c_keeps_what_was_found(few, tmp_path) -> None:
    out = tmp_path / "out"

    def interrupt(event: Event) -> None:
        if event.kind == "note" and event.data["message"].startswith("trial 0"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search_recipe(few, out=out, finalists=0, on_event=interrupt, **TINY)
    assert (out / "recipe.toml").exists()
    assert len(json.loads((out / "search.json").read_text())["trials"]) == 1
    assert [file.name for file in out.iterdir() if file.name == "trial"] == []


def test_another_search_is_not_mixed_in(found, few) -> None:
    _, out = found
    with pytest.raises(RunError, match="holds another search: of other images, from another recipe"):
        search_recipe(fewer(few, 150, seed=1), out=out, finalists=0, on_event=ignore, **TINY)
    with pytest.raises(RunError, match="with other fields given"):
        search_recipe(few, out=out, finalists=0, on_event=ignore, optimizer="sgd", **TINY)


def test_a_process_that_joins_takes_the_times_of_the_first(found, few, tmp_path) -> None:
    one, out = found
    url = sqlite_url(out / "search.db")
    hurried = {**TINY, "minutes": 0.001}
    other = search_recipe(few, out=tmp_path / "other", storage=url, finalists=0, on_event=ignore, **hurried)
    assert other.training_minutes == one.training_minutes
    assert other.trials[: len(one.trials)] == one.trials


def test_a_plan_gives_trials_a_quarter_of_time_and_images(few) -> None:
    large = replace(few, train=replace(few.train, labels=few.train.labels))
    base = Recipe()
    space = Space(recipe=base, decided=base, fixed=frozenset(), size=(8, 8))
    plan = Plan.of(large, space, minutes=24)
    assert (plan.training_minutes, plan.trial_minutes) == (2, 0.5)
    assert plan.seconds_of_finals(3) == 3 * 2 * (120 + 2)
    timed = replace(space, recipe=Recipe(minutes=4))
    assert Plan.of(large, timed, minutes=24).training_minutes == 4


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"minutes": 0}, r"minutes is 0, which is not in \(0, 1e\+06\]"),
        ({"minutes": float("nan")}, "minutes is nan"),
        ({"finalists": 1}, "finalists is 1, where 0 or at least 2 are wanted"),
        ({"finalists": -1}, "finalists is -1"),
        ({"epochs": 3}, "a budget of 3 epochs, and recipes are compared after the same time"),
        ({"optimzer": "sgd"}, "did you mean 'optimizer'"),
        (
            {"model": "lenet", "size": 16, "optimizer": "sgd", "learning_rate": 0.1, "augment": "none"},
            "nothing is left to be searched",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_and_leaves_nothing(few, tmp_path, options, sentence) -> None:
    with pytest.raises(RecipeError, match=sentence):
        search_recipe(few, **{"out": tmp_path / "out", "on_event": ignore, **options})
    assert not any(tmp_path.rglob("*.toml"))


def test_torchrun_is_refused_with_what_works_instead(few, tmp_path, monkeypatch) -> None:
    values = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2", "MASTER_PORT": "1"}
    for name, value in {**values, "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ProcessError, match="all with the same --storage"):
        search_recipe(few, out=tmp_path / "out", on_event=ignore, **TINY)
