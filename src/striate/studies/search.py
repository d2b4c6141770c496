"""Search for a recipe: many short trainings around a recipe to beat, the best few of them in full."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from striate.core.device import choose_policy
from striate.core.errors import DataError, ProcessError, RecipeError
from striate.core.events import Event, OnEvent, ignore
from striate.core.files import write_text
from striate.core.recipe import Recipe
from striate.core.seeds import derive
from striate.data import Dataset
from striate.data.axes import NOUNS
from striate.data.opening import Source
from striate.engine.world import place
from striate.plots.search import search_coordinates, search_importance
from striate.recipes import resolve
from striate.studies.drawing import fewer
from striate.studies.opening import open_once
from striate.studies.search_finals import Finals
from striate.studies.search_networks import multiply_adds
from striate.studies.search_parameters import Value
from striate.studies.search_plan import Plan, keep_plan, read_plan
from striate.studies.search_results import Search, Trial, best_trial, describe
from striate.studies.search_space import Space
from striate.studies.search_storage import StorageGone, writing
from striate.studies.search_store import Store
from striate.studies.search_trial import Judge, Outcome, run_trial
from striate.training import Run

WARM_UP_MINUTES = 0.01
"""So long is trained before the first trial, which would else pay for what later ones find prepared."""

SLOWEST = 8
"""A drawn network is not trained that takes over so many times the multiply-adds of the first one."""

FILES = ("search.json", "recipe.toml", "coordinates.png", "importance.png")
"""What a search ends with, beside its own records and the runs of its finalists."""


def search_recipe(
    source: Source,
    *,
    minutes: float = 20,
    recipe: Recipe | None = None,
    out: Path | str | None = None,
    storage: str | None = None,
    finalists: int = 3,
    device: str | None = None,
    on_event: OnEvent = ignore,
    **recipe_fields: Any,
) -> Search:
    """Search for a recipe that is better than one that is given, for the same training time.

    The first trial is the recipe to beat. A trial trains for a quarter of the time of a full training, on a
    quarter of the images (but on 2,000, where there are so many), so with about as many passes. What it draws
    is the network (the layers of ``stacked``), the optimiser, the rates and the augmentation; Optuna's
    tree-structured Parzen estimator draws what resembled the good ones, and a trial that is worse after a
    quarter of its time than half of the others were then is ended. Half of the time is for trials. In the
    other half the best of them and the recipe to beat are trained in full, with two fresh seeds each; the
    winner has the highest mean accuracy on the validation part, which all choices are made on. The test part,
    where there is one, is read at the end, for the winner and the recipe to beat only.

    In ``out`` are ``recipe.toml`` of the winner (of the best trial, until there are finalists),
    ``search.json``, two pictures, the trials, and the runs of the finalists. The same call goes on with the
    time that is left; with more minutes it goes on longer.

    Args:
        source: what `striate.open_dataset` takes.
        minutes: how long the search may take, over 0; calls that went before count.
        recipe: the recipe to beat; its ``minutes`` are the time of a full training; ``None``: what is
            decided where nothing is said, and a twelfth of the search's minutes.
        out: the folder; ``None``: ``runs/search-NAME``.
        storage: the URL of a database, by which several processes or machines of one speed search together;
            ``None``: an SQLite file in the folder.
        finalists: how many recipes are trained in full, the one to beat among them; 0: none, for a process
            that helps another.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        on_event: is told of the progress.
        recipe_fields: fields of the recipe that are given and not searched, such as ``model="resnet18"``.

    Returns:
        What was found.

    Raises:
        RecipeError: where a choice is out of range, or the recipe has a budget in epochs.
        DataError: where the data cannot be used.
        RunError: where Optuna is not installed, ``out`` holds another search or cannot be written, or the
            storage is gone: what was found is then in ``out``.
        KeyboardInterrupt: after Ctrl-C, when what was found has been written.

    Source: Bergstra et al., Algorithms for Hyper-Parameter Optimization (2011), by way of Optuna (Akiba et
    al. 2019); Golovin et al., Google Vizier (2017), section 3.2.2, for ending trials below the median.
    """
    base = (recipe or Recipe()).changed(**recipe_fields)
    _check(minutes, base, finalists)
    base, dataset = open_once(base, source, on_event)
    policy = choose_policy(device, base.precision)
    decided = resolve(
        base.changed(minutes=base.minutes or minutes),
        images=len(dataset.train),
        size=dataset.size,
        flip=dataset.flip,
        precision=policy.precision,
    )
    if dataset.dims != 2:
        held = NOUNS[dataset.dims]
        raise DataError(f"{dataset.name} holds {held}, and a search looks for recipes for images")
    space = Space(recipe=base, decided=decided, fixed=frozenset(recipe_fields), size=dataset.size)
    folder = Path("runs", f"search-{dataset.name}") if out is None else Path(out)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with Run(folder).locked():
        plan = read_plan(folder, Plan.of(dataset, space, minutes=minutes))
        store = Store.open(
            folder,
            name=plan.name,
            storage=storage,
            parameters=space.parameters,
            starts=space.starts(),
            seed=base.seed,
        )
        plan = plan.agreed(store)
        keep_plan(folder, plan)
        searching = _Searching(dataset, space, folder, plan, store, device, policy.precision, on_event)
        return searching.run(minutes=minutes, finalists=finalists)


@dataclass
class _Searching:
    """A search under way in its folder."""

    dataset: Dataset
    space: Space
    folder: Path
    plan: Plan
    store: Store
    device: str | None
    precision: str
    on_event: OnEvent

    def __post_init__(self) -> None:
        self._began = time.perf_counter() - self.plan.seconds
        self._part = fewer(
            replace(self.dataset, test=None),
            self.plan.trial_images,
            seed=derive(self.space.recipe.seed, "trial images"),
        )
        self._finals = Finals(self.dataset, self.folder / "finalists", self.device)
        self._warned: set[str] = set()

    def run(self, *, minutes: float, finalists: int) -> Search:
        """Try, train the best in full, and write what was found, as far as it came."""
        try:
            self._try_until(60 * minutes - self.plan.seconds_of_finals(finalists))
            for trial, recipe in self._chosen(finalists):
                self._finals.train(trial, recipe, on_event=self._shown)
            self._finals.test(on_event=self._shown)
        except StorageGone as error:
            found = self._write(minutes)
            raise StorageGone(
                f"{error}; {self.folder} keeps all that was found (trials: {len(found.trials)}), recipe.toml "
                "is the best of it, and the same command goes on with any storage that can be used"
            ) from error
        except KeyboardInterrupt:
            self._write(minutes)
            raise
        return self._write(minutes)

    def _try_until(self, seconds: float) -> None:
        # The recipe to beat and a drawn network are tried whatever the time.
        least = len(self.space.starts())
        trials = list(self.store.trials())
        if len(trials) < least or self._elapsed() + 60 * self.plan.trial_minutes <= seconds:
            moment = self._with_time(self.space.recipe, min(self.plan.trial_minutes, WARM_UP_MINUTES))
            self._train(moment, lambda *_: False, ignore)
        while len(trials) < least or self._elapsed() + 60 * self.plan.trial_minutes <= seconds:
            trials.append(self._try(seconds))
            keep_plan(self.folder, replace(self.plan, seconds=self._elapsed()))
            self._say(trials)
        self.on_event(Event("prepare", _how_far(max(1.0, seconds), seconds)))

    def _try(self, seconds: float) -> Trial:
        asked = self.store.ask()
        try:
            recipe = self._with_time(self.space.recipe_of(asked.draw), self.plan.trial_minutes)

            def show(event: Event) -> None:
                if event.kind == "step":
                    self.on_event(Event("prepare", _how_far(self._elapsed(), seconds)))
                else:
                    self._shown(event)

            if self._is_too_slow(asked.values, recipe):
                return self.store.tell(asked, Outcome("too slow", 0.0, {}, 0.0, 0.0))
            outcome = self._train(recipe, asked.is_hopeless, show)
        except KeyboardInterrupt:
            self.store.drop(asked)
            raise
        return self.store.tell(asked, outcome)

    def _train(self, recipe: Recipe, judge: Judge, on_event: OnEvent) -> Outcome:
        return run_trial(
            self._part,
            recipe,
            folder=self.folder / "trial",
            device=self.device,
            judge=judge,
            on_event=on_event,
        )

    def _is_too_slow(self, values: Mapping[str, Value], recipe: Recipe) -> bool:
        """Say whether a drawn network would come to so few steps that they say nothing."""
        if values.get("network") != "stacked" or recipe.layers is None:
            return False
        first = self._recipe_of_values(self.space.starts()[-1]).layers or ""
        channels, size = self.dataset.channels, self.dataset.size
        most = SLOWEST * multiply_adds(first, channels=channels, size=size)
        return multiply_adds(recipe.layers, channels=channels, size=size) > most

    def _with_time(self, recipe: Recipe, minutes: float) -> Recipe:
        # The batch is that of a full training, though a trial has fewer images.
        return recipe.changed(minutes=minutes, batch=recipe.batch or self.space.decided.batch)

    def _chosen(self, finalists: int) -> list[tuple[Trial, Recipe]]:
        """Choose the recipe to beat and the best of the others."""
        trials, start = self.store.trials(), self.space.starts()[0]
        to_beat = next((trial for trial in trials if trial.values == start), None)
        if finalists == 0 or to_beat is None:
            return []
        chosen = {self._recipe_of(to_beat): to_beat}
        complete = [trial for trial in trials if trial.state == "complete"]
        for trial in sorted(complete, key=lambda trial: -trial.accuracy):
            if len(chosen) < finalists:
                chosen.setdefault(self._recipe_of(trial), trial)
        return [(trial, recipe) for recipe, trial in chosen.items()]

    def _recipe_of(self, trial: Trial) -> Recipe:
        """Give the recipe of a trial with the time of a full training."""
        return self._recipe_of_values(trial.values).changed(minutes=self.plan.training_minutes)

    def _recipe_of_values(self, values: Mapping[str, Value]) -> Recipe:
        return self.space.recipe_of(lambda parameter: values[parameter.name])

    def _write(self, minutes: float) -> Search:
        found = Search(
            source=self.dataset.name,
            size=self.dataset.size,
            images=len(self.dataset.train),
            trial_images=self.plan.trial_images,
            validation_images=len(self.dataset.validation),
            precision=self.precision,
            minutes=minutes,
            training_minutes=self.plan.training_minutes,
            trial_minutes=self.plan.trial_minutes,
            seconds=round(self._elapsed(), 1),
            parameters=self.space.parameters,
            trials=self.store.trials(),
            finalists=self._finals.results(),
        )
        keep_plan(self.folder, replace(self.plan, seconds=self._elapsed()))
        with writing(self.folder):
            self._write_files(found)
        for name in FILES:
            if (self.folder / name).exists():
                self.on_event(Event("saved", {"path": str(self.folder / name)}))
        return found

    def _write_files(self, found: Search) -> None:
        best, path = best_trial(found.trials), self.folder / "recipe.toml"
        if found.winner is not None:
            found.winner.recipe.save(path)
        elif best is not None and not (path.exists() and self._finals.folder.exists()):
            # What was trained in full before says more than a trial.
            self._recipe_of(best).save(path)
        figures = found.to_dict()
        write_text(self.folder / "search.json", json.dumps(figures, indent=1, allow_nan=False) + "\n")
        search_coordinates(figures, self.folder / "coordinates.png")
        search_importance(figures, self.folder / "importance.png")

    def _say(self, trials: list[Trial]) -> None:
        trial, best = trials[-1], best_trial(trials)
        recipe = self._recipe_of_values(trial.values)
        reached = f"{trial.accuracy:.2%}".replace("%", " %")
        known = "" if best is None else f"; best {best.accuracy:.2%} (trial {best.number})".replace("%", " %")
        said = f"{trial.state}, {reached}, {trial.seconds:.1f} s, {describe(recipe)}{known}"
        message = f"trial {trial.number}: {said}"
        self.on_event(Event("note", {"message": message}))

    def _shown(self, event: Event) -> None:
        """Pass events on, but no warning twice: every training would give the same."""
        if event.kind == "warning":
            message = str(event.data["message"])
            if message in self._warned:
                return
            self._warned.add(message)
        self.on_event(event)

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began


def _how_far(elapsed: float, seconds: float) -> dict[str, Any]:
    total = max(1, round(seconds))
    return {"what": "searching", "done": min(total, round(elapsed)), "total": total, "unit": "seconds"}


def _check(minutes: float, recipe: Recipe, finalists: int) -> None:
    if not 0 < minutes <= 1e6:
        raise RecipeError(f"minutes is {minutes:g}, which is not in (0, 1e+06]")
    if finalists < 0 or finalists == 1:
        raise RecipeError(
            f"finalists is {finalists}, where 0 or at least 2 are wanted: the recipe to beat is one of them"
        )
    if recipe.epochs is not None:
        raise RecipeError(
            f"the recipe has a budget of {recipe.epochs:g} epochs, and recipes are compared after the same "
            "time; give it minutes instead, or no budget"
        )
    if place().size > 1:
        raise ProcessError(
            "a search is not shared out by torchrun; start it once for each device instead, all with the "
            "same --storage"
        )
