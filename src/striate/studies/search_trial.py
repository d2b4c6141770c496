"""One trial of a search: a short training of which nothing is kept but how far it came."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from striate.core.errors import TrainingError
from striate.core.events import Event, OnEvent
from striate.core.recipe import Recipe
from striate.data import Dataset
from striate.training import train

QUARTERS = 4
"""A trial is judged after each quarter of its time, but for the last."""

Judge = Callable[[int, float], bool]
"""Is told the quarter, from 1, and the best accuracy so far; says whether the trial is to end."""


@dataclass(frozen=True)
class Outcome:
    """How far a trial came.

    Args:
        state: as that of `striate.studies.search_results.Trial`.
        accuracy: the best on the validation part; 0 where there was none.
        reached: the best after each quarter of the time.
        seconds: that it took in all.
        epochs: passes over its images.
    """

    state: str
    accuracy: float
    reached: dict[int, float]
    seconds: float
    epochs: float


class _Enough(Exception):
    """Raised to end a training of which everything is known that a trial is for."""


@dataclass
class _Watch:
    """Reads the events of a training and ends it where it is told to."""

    judge: Judge
    on_event: OnEvent
    best: float = 0.0
    epochs: float = 0.0
    reached: dict[int, float] = field(default_factory=dict)
    is_pruned: bool = False

    def __call__(self, event: Event) -> None:
        if event.kind == "warning":
            self.on_event(event)
        if event.kind == "step":
            self.on_event(event)
        if event.kind != "epoch":
            return
        self.best = max(self.best, float(event.data["validation_accuracy"]))
        self.epochs = float(event.data["epoch"])
        share = float(event.data.get("share", 0.0))
        if share >= 1:
            raise _Enough  # calibration, pictures and files come after this, which nobody would look at
        quarter = int(share * QUARTERS)
        if quarter and quarter not in self.reached:
            self.reached[quarter] = self.best
            if self.judge(quarter, self.best):
                self.is_pruned = True
                raise _Enough


def run_trial(
    dataset: Dataset, recipe: Recipe, *, folder: Path, device: str | None, judge: Judge, on_event: OnEvent
) -> Outcome:
    """Train for the recipe's time and say how far it came.

    Args:
        dataset: without a test part, which nothing may be chosen on.
        recipe: with its budget.
        folder: for what the training writes on its way; it is removed.
        device: as for `striate.train`.
        judge: says whether the trial is to end early.
        on_event: is given steps and warnings.

    Returns:
        How far it came.
    """
    began = time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)  # a process that was killed may have left it
    watch = _Watch(judge, on_event)
    state = "complete"
    try:
        run = train(dataset, recipe=recipe, out=folder, device=device, on_event=watch)
        # Nothing ended it: it was trained in a way that has no epochs.
        watch.best = max(watch.best, run.evaluation["validation"].accuracy)
    except _Enough:
        state = "pruned" if watch.is_pruned else "complete"
    except TrainingError:
        state = "diverged"
    except torch.OutOfMemoryError:
        state = "too large"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Outcome(state, watch.best, watch.reached, time.perf_counter() - began, watch.epochs)
