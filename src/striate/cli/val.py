"""``striate val``: measure a classifier on labelled images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from striate.cli import output
from striate.cli.label_output import say_label_evaluation
from striate.core.errors import DataError, RunError, unknown_name
from striate.core.events import Event, OnEvent

if TYPE_CHECKING:
    from striate.classifier import Classifier
    from striate.data import Split
    from striate.metrics import Evaluation, MultiLabelEvaluation

PARTS = ("test", "validation", "train")


def val(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="A run directory or a model file.")],
    data: Annotated[
        str | None, typer.Argument(help="What to measure on; by default: what it was trained on.")
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="test, validation or train; by default: test, where there is one.")
    ] = None,
    confusion: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURE.png",
            help="Draw the confusion matrix; where images may have several labels, a bar for each label.",
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N or mps; by default: the fastest there is.")
    ] = None,
    cache_gb: Annotated[
        float | None, typer.Option(help="How much decoded images may take on the disk, GB; 0 keeps none.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure a classifier: accuracy or average precision with interval, calibration, figures per class."""
    if part is not None and part not in PARTS:
        raise DataError(unknown_name("part", part, PARTS))

    from striate.classifier import evaluate, evaluate_labels, load

    classifier = load(model, device=device)
    with output.progress() as show:
        source, part, split, notes = _find_images(classifier, model, data, part, cache_gb, show)
        for note in notes:
            show(Event("note", {"message": note}))
        evaluation: Evaluation | MultiLabelEvaluation
        if classifier.multi_label:
            evaluation = evaluate_labels(classifier, split, show)
        else:
            evaluation = evaluate(classifier, split, show)
    if confusion is not None:
        _draw(evaluation, confusion)
    if json:
        said = {"model": str(model), "data": source, "part": part, "notes": notes}
        output.say_json({**said, "evaluation": evaluation.to_dict()})
    else:
        _say_result(evaluation, part or source)


def _find_images(
    classifier: Classifier,
    model: Path,
    data: str | None,
    part: str | None,
    cache_gb: float | None,
    on_event: OnEvent,
) -> tuple[str, str | None, Split, list[str]]:
    """Open what is measured on; the data of the training are split as they were for it."""
    from striate.data import open_split

    trained_on = _source_of_training(classifier, model)
    source = trained_on if data is None else data
    if source is None:
        raise DataError("what this classifier was trained on is not known here; name the data to measure on")
    if trained_on is not None and trained_on in (source, os.path.abspath(source)):
        known = _part_of_training_data(classifier, trained_on, part, cache_gb, on_event)
        if known is not None:
            return source, known[0], known[1], []
        if part != "test":
            raise DataError(
                f"{source} has changed since the training, and it is not known any more which images were "
                "trained on; --part test measures its test part, and other data can be named"
            )
    split, rejected, notes = open_split(source, part, like=classifier, cache_gb=cache_gb, on_event=on_event)
    return source, part, split, [*notes, *(f"left out {file.name}: {file.reason}" for file in rejected)]


def _source_of_training(classifier: Classifier, model: Path) -> str | None:
    """Give the data of a run, whose directory knows them, or of a model file, which knows named sets only."""
    from striate.data import NAMES
    from striate.training import Run

    source = classifier.details.get("source")
    if isinstance(source, str) and source in NAMES:
        return source
    return Run(model).source if model.is_dir() else None


def _part_of_training_data(
    classifier: Classifier, source: str, part: str | None, cache_gb: float | None, on_event: OnEvent
) -> tuple[str, Split] | None:
    """Give a part as the training split it; nothing where the data are no longer those."""
    from striate.core.recipe import Recipe
    from striate.training import open_for

    recipe = Recipe.from_dict(classifier.details.get("recipe", {}))
    channels = None if recipe.pretrained is None else classifier.channels
    dataset = open_for(recipe, source, on_event, cache_gb=cache_gb, channels=channels)
    if dataset.fingerprint != classifier.details.get("fingerprint"):
        return None
    if part is None:
        part = "validation" if dataset.test is None else "test"
    split: Split | None = getattr(dataset, part)
    if split is None:
        raise DataError(f"{source} has no {part} part; validation and train are there")
    return part, split


def _draw(evaluation: Evaluation | MultiLabelEvaluation, path: Path) -> None:
    from striate.metrics import MultiLabelEvaluation
    from striate.plots import confusion_matrix, label_bars

    try:
        if isinstance(evaluation, MultiLabelEvaluation):
            label_bars(evaluation, path)
        else:
            confusion_matrix(evaluation.confusion, evaluation.classes, path)
    except OSError as error:
        raise RunError(f"cannot write the picture {path}: {error.strerror or error}") from error


def _say_result(evaluation: Evaluation | MultiLabelEvaluation, part: str) -> None:
    from striate.metrics import MultiLabelEvaluation

    if isinstance(evaluation, MultiLabelEvaluation):
        say_label_evaluation(evaluation, part)
        return
    output.say(output.accuracy_line(part, evaluation))
    if evaluation.top5 is not None:
        output.say(f"among the five likeliest  {output.percent(evaluation.top5)}")
    output.say(f"negative log-likelihood   {evaluation.negative_log_likelihood:.4f}")
    output.say(f"Brier score               {evaluation.brier:.4f}")
    output.say(
        f"calibration error         {evaluation.calibration_error:.4f} with temperature "
        f"{evaluation.temperature:.3f}, {evaluation.calibration_error_uncalibrated:.4f} without"
    )
    output.say()
    figures = zip(
        evaluation.classes,
        evaluation.precision,
        evaluation.recall,
        evaluation.f1,
        evaluation.support,
        strict=True,
    )
    output.say_table(
        ("class", "precision", "recall", "F1", "images"),
        [
            (name, output.percent(p), output.percent(r), f"{f1:.4f}", f"{images:,}")
            for name, p, r, f1, images in figures
        ],
        numbers=range(1, 5),
    )
