"""The end of a training: calibration, the figures reported, the model files and the pictures."""

from __future__ import annotations

import json
from collections.abc import Callable

import torch

from striate.classifier import Classifier
from striate.core.events import Event, OnEvent
from striate.core.files import write_text
from striate.data import Dataset, Split
from striate.engine.records import writing
from striate.engine.timings import Timings
from striate.engine.world import World
from striate.metrics import Evaluation, evaluate_logits, fit_temperature
from striate.plots import confusion_matrix, prediction_sheet, training_curves
from striate.training.run import Run
from striate.training.state import State

SHEET_IMAGES = 40
"""How many images the picture of predictions shows."""


def finish(
    run: Run,
    classifier: Classifier,
    *,
    dataset: Dataset,
    state: State,
    on_event: OnEvent,
    world: World,
    timings: Timings,
    logits: Callable[[Split], torch.Tensor] | None = None,
) -> dict[str, Evaluation]:
    """Calibrate the best network, measure it once on the test part, and write what a run ends with.

    Args:
        run: where everything is written.
        classifier: with the network as the last step left it.
        dataset: validation calibrates; test, where there is one, is read here and nowhere else.
        state: whose best weights the classifier is given.
        on_event: is told what was saved.
        world: whose processes compute together; its writer writes.
        timings: is told how long it took to ``test``: to have the logits of the part that is reported.
        logits: computes those of a part as the classifier does, on the CPU; ``None``: the classifier does.

    Returns:
        The evaluations by part.
    """

    def logits_of(split: Split) -> torch.Tensor:
        if logits is not None:
            return logits(split)
        return world.in_shares(len(split), lambda rows: classifier.logits(split.images[rows]))

    world.by_writer(lambda: _save(run, classifier, "last"))
    classifier.network.load_state_dict(state.best)
    validation_logits = logits_of(dataset.validation)
    validation_labels = torch.as_tensor(dataset.validation.labels)
    classifier.temperature = fit_temperature(validation_logits, validation_labels)
    evaluations = {"validation": _evaluate(classifier, validation_logits, dataset.validation)}
    shown, shown_logits = dataset.validation, validation_logits
    if dataset.test is not None and len(dataset.test):
        shown = dataset.test
        with timings.of("test"):
            shown_logits = logits_of(shown)
        evaluations["test"] = _evaluate(classifier, shown_logits, shown)
    classifier.details["accuracy"] = {
        part: {"value": found.accuracy, "interval": list(found.interval), "images": found.images}
        for part, found in evaluations.items()
    }

    def write() -> None:
        _save(run, classifier, "model")
        with writing(run):
            _draw(run, classifier, shown=shown, logits=shown_logits, state=state, evaluations=evaluations)
            # Last: a run that has it is finished.
            text = json.dumps({part: found.to_dict() for part, found in evaluations.items()}, indent=1)
            write_text(run.path / "evaluation.json", text)

    world.by_writer(write)
    for name in ("model.safetensors", "curves.png", "confusion.png", "predictions.png"):
        on_event(Event("saved", {"path": str(run.path / name)}))
    return evaluations


def _save(run: Run, classifier: Classifier, name: str) -> None:
    with writing(run):
        classifier.save(run.path / f"{name}.safetensors")


def _evaluate(classifier: Classifier, logits: torch.Tensor, split: Split) -> Evaluation:
    labels = torch.as_tensor(split.labels)
    return evaluate_logits(logits, labels, classifier.classes, classifier.temperature)


def _draw(
    run: Run,
    classifier: Classifier,
    *,
    shown: Split,
    logits: torch.Tensor,
    state: State,
    evaluations: dict[str, Evaluation],
) -> None:
    part, evaluation = list(evaluations.items())[-1]
    training_curves(state.rows, run.path / "curves.png")
    confusion_matrix(evaluation.confusion, evaluation.classes, run.path / "confusion.png")
    confidences, predicted = torch.softmax(logits / classifier.temperature, dim=1).max(dim=1)
    # Evenly through the part, since files come sorted by class.
    chosen = torch.linspace(0, len(shown) - 1, min(SHEET_IMAGES, len(shown))).long().numpy()
    low, high = evaluation.interval
    prediction_sheet(
        shown.images[chosen],
        shown.labels[chosen],
        predicted[chosen].numpy(),
        confidences[chosen].numpy(),
        classifier.classes,
        run.path / "predictions.png",
        title=(
            f"{part} accuracy {evaluation.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}, "
            f"{evaluation.images:,} images)"
        ),
    )
