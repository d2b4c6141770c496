"""The run: a directory that holds one training's recipe, figures, checkpoint, classifier and pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from striate.classifier import Classifier, load
from striate.core.errors import RunError
from striate.core.recipe import Recipe
from striate.engine.run_directory import RunDirectory, make_directory
from striate.metrics import Evaluation, MultiLabelEvaluation, Overfitting

COLUMNS = (
    "epoch",
    "step",
    "seconds",
    "share",
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "images_per_second",
)
"""The columns of ``results.csv``, one row an epoch."""

ROBUST_COLUMNS = ("single_step_accuracy", "robust_accuracy")
"""What a robust training has besides: validation accuracy under one step, and under PGD, which judges."""

CHOSEN_COLUMNS = {
    "macro-f1": ("validation_macro_f1",),
    "mean-average-precision": ("validation_mean_average_precision",),
}
"""What a training has besides whose best epoch is chosen by another figure."""

FILES = (
    "recipe.toml",
    "results.csv",
    "events.jsonl",
    "model.safetensors",
    "last.safetensors",
    "evaluation.json",
    "overfitting.json",
    "rejected.csv",
    "curves.png",
    "confusion.png",
    "labels.png",
    "predictions.png",
    "checkpoint",
)
"""What a run may consist of."""


@dataclass(frozen=True)
class Run(RunDirectory):
    """One training on disk.

    Args:
        path: its directory.

    ``model.safetensors`` is of the best epoch by validation, ``last.safetensors`` of the last step;
    ``rejected.csv`` is there where files were left out. See `FILES` for the others.
    """

    files: ClassVar[tuple[str, ...]] = FILES
    verb: ClassVar[str] = "striate train"

    @property
    def recipe(self) -> Recipe:
        """The recipe, with everything decided that it left open."""
        return Recipe.load(self.path / "recipe.toml")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its ``results.csv``."""
        recipe = self.recipe
        chosen = CHOSEN_COLUMNS.get(recipe.choose_by or "", ())
        return COLUMNS + chosen + (() if recipe.robust is None else ROBUST_COLUMNS)

    @property
    def evaluation(self) -> dict[str, Evaluation]:
        """What was measured at the end, by part: ``validation`` and, where there is one, ``test``."""
        if self.multi_label:
            raise RunError(f"images of {self.path} may have several labels; see its multi_label_evaluation")
        return {part: Evaluation.from_dict(found) for part, found in self._evaluations().items()}

    @property
    def multi_label_evaluation(self) -> dict[str, MultiLabelEvaluation]:
        """The same where images may have several labels."""
        if not self.multi_label:
            raise RunError(f"images of {self.path} are of one class each; see its evaluation")
        return {part: MultiLabelEvaluation.from_dict(found) for part, found in self._evaluations().items()}

    @property
    def multi_label(self) -> bool:
        """Whether images may have several labels, or none, as was found when it was finished."""
        return any("mean_average_precision" in found for found in self._evaluations().values())

    def _evaluations(self) -> dict[str, dict[str, Any]]:
        try:
            text = (self.path / "evaluation.json").read_text(encoding="utf-8")
            values: dict[str, dict[str, Any]] = json.loads(text)
            return values
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.path} has no evaluation yet; 'striate train --resume {self.path}' finishes it"
            ) from error

    @property
    def overfitting(self) -> Overfitting:
        """The gap between training and validation accuracy of the best epoch, and what it says."""
        try:
            text = (self.path / "overfitting.json").read_text(encoding="utf-8")
            return Overfitting.from_dict(json.loads(text))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.path} does not say whether it has overfitted: it is not finished, or older than that"
            ) from error

    @property
    def classifier(self) -> Classifier:
        """The classifier of the best epoch, read from its file."""
        return load(self.path / "model.safetensors")

    @property
    def is_finished(self) -> bool:
        """Whether the training came to its end."""
        return (self.path / "evaluation.json").exists()


def new_run(name: str, out: Path | str | None) -> Run:
    """Make the directory of a new run.

    Args:
        name: of the data; without ``out``, the run is ``runs/NAME``, or ``runs/NAME-2``, ... where that
            is taken.
        out: the directory wanted; it may exist, but must not hold a run.

    Returns:
        The run, its directory made.

    Raises:
        RunError: where ``out`` holds files of a run already or the directory cannot be made.
    """
    return make_directory(Run, name, out)


def open_run(path: Path | str) -> Run:
    """Open the directory of a run to go on with it.

    Args:
        path: a run directory.

    Returns:
        The run.

    Raises:
        RunError: where it is no run directory, is finished, or has no checkpoint.
    """
    run = Run(Path(path))
    if not run.path.is_dir():
        raise RunError(f"there is no run directory {path}")
    if run.is_finished:
        raise RunError(
            f"the run {path} is finished; 'striate val {path}' evaluates it, "
            "and a new training needs no --resume"
        )
    if not run.checkpoint.exists():
        raise RunError(f"{path} has no checkpoint to go on from; start the training anew")
    return run
