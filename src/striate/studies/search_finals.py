"""The finalists of a search: trained in full with fresh seeds, and the winner tested once."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from striate.classifier import evaluate, load
from striate.core.errors import TrainingError
from striate.core.events import Event, OnEvent
from striate.core.recipe import Recipe
from striate.data import Dataset
from striate.studies.repeats import mean_of
from striate.studies.search_plan import SEEDS
from striate.studies.search_results import Finalist, Trial
from striate.training import Run, train


@dataclass
class Finals:
    """The full trainings of a search.

    Args:
        dataset: with its test part, if it has one.
        folder: for the runs; those that are in it already are not trained again.
        device: as for `striate.train`.
    """

    dataset: Dataset
    folder: Path
    device: str | None
    _finalists: list[Finalist] = field(init=False, default_factory=list)
    _runs: dict[Recipe, list[Run]] = field(init=False, default_factory=dict)

    def train(self, trial: Trial, recipe: Recipe, *, on_event: OnEvent) -> None:
        """Train a recipe with every seed.

        Args:
            trial: where it was tried.
            recipe: with the time of a full training.
            on_event: is told of steps, warnings, and what came out.
        """
        blind = replace(self.dataset, test=None)
        accuracies, passes, runs = [], [], []
        for number in range(SEEDS):
            seeded = recipe.changed(seed=recipe.seed + 1 + number)
            run = Run(self.folder / _name(seeded))
            accuracy = 0.0
            try:
                if not run.is_finished:
                    shutil.rmtree(run.path, ignore_errors=True)
                    shown = _only(on_event)
                    run = train(blind, recipe=seeded, out=run.path, device=self.device, on_event=shown)
                accuracy = run.evaluation["validation"].accuracy
                steps, batch = run.rows[-1]["step"], run.recipe.batch or 1
                passes.append(steps * min(batch, len(blind.train)) / len(blind.train))
                runs.append(run)
            except TrainingError as error:
                on_event(Event("warning", {"message": f"trial {trial.number}, trained in full: {error}"}))
            accuracies.append(accuracy)
            said = f"{accuracy:.2%}".replace("%", " %")
            message = f"trial {trial.number}, trained in full, seed {seeded.seed}: {said}"
            on_event(Event("note", {"message": message}))
        self._runs[recipe] = runs
        self._finalists.append(
            Finalist(
                trial=trial.number,
                recipe=recipe,
                in_trial=trial.accuracy,
                validation=tuple(accuracies),
                test=None,
                epochs=sum(passes) / max(1, len(passes)),
            )
        )

    def test(self, *, on_event: OnEvent) -> None:
        """Measure the winner and the recipe to beat on the test part, where there is one.

        Args:
            on_event: is told of the progress.
        """
        if self.dataset.test is None or not self._finalists:
            return
        winner = max(self._finalists, key=lambda each: mean_of(each.validation).mean)
        for number, each in enumerate(self._finalists):
            if (each is winner or number == 0) and len(self._runs[each.recipe]) == SEEDS:
                found = [
                    evaluate(load(run.path, device=self.device), self.dataset.test, on_event).accuracy
                    for run in self._runs[each.recipe]
                ]
                self._finalists[number] = replace(each, test=tuple(found))

    def results(self) -> tuple[Finalist, ...]:
        """Give the finalists so far, in the order in which they were trained.

        Returns:
            The finalists.
        """
        return tuple(self._finalists)


def _name(recipe: Recipe) -> str:
    """Name a run by its recipe, since another storage may give trials other numbers."""
    digest = hashlib.blake2b(recipe.to_toml().encode(), digest_size=5).hexdigest()
    return f"{digest}-seed-{recipe.seed}"


def _only(on_event: OnEvent) -> OnEvent:
    def show(event: Event) -> None:
        if event.kind in ("step", "warning"):
            on_event(event)

    return show
