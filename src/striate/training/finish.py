"""The end of a training: calibration, the figures reported, the model files and the pictures."""

from __future__ import annotations

import json

import torch
from torch import Tensor

from striate.classifier import Classifier
from striate.core.events import Event, OnEvent
from striate.core.files import write_text
from striate.data import Dataset, Split
from striate.engine.records import writing
from striate.engine.timings import Timings
from striate.engine.world import World
from striate.plots import training_curves
from striate.training.logits import LogitsOf
from striate.training.multi_label_reporting import LabelReporting
from striate.training.reporting import ClassReporting, Reported, Reporting
from striate.training.run import Run
from striate.training.state import State


def finish(
    run: Run,
    classifier: Classifier,
    *,
    dataset: Dataset,
    state: State,
    on_event: OnEvent,
    world: World,
    timings: Timings,
    logits: LogitsOf,
) -> Reported:
    """Calibrate a network, measure it once on the test part, and write what a run ends with.

    Args:
        run: where everything is written.
        classifier: with the network of the best epoch.
        dataset: validation calibrates; test, where there is one, is read here and nowhere else.
        state: with the rows of all epochs.
        on_event: is told what was saved.
        world: whose processes compute together; its writer writes.
        timings: is told how long it took to ``test``: to have the logits of the part that is reported.
        logits: computes those of a part as the classifier does.

    Returns:
        The figure that is reported.
    """
    reporting: Reporting = (LabelReporting if dataset.multi_label else ClassReporting)(classifier)
    shown, shown_logits = dataset.validation, logits(dataset.validation)
    reporting.calibrate(shown_logits, _labels(shown))
    reporting.measure("validation", shown_logits, _labels(shown))
    if dataset.test is not None and len(dataset.test):
        shown = dataset.test
        with timings.of("test"):
            shown_logits = logits(shown)
        reporting.measure("test", shown_logits, _labels(shown))
    classifier.details[reporting.figure] = {
        found.part: {"value": found.value, "interval": list(found.interval), "images": found.images}
        for found in reporting.reported()
    }

    def write() -> None:
        with writing(run):
            classifier.save(run.path / "model.safetensors")
            training_curves(state.rows, run.path / "curves.png")
            reporting.draw(run.path, shown, shown_logits)
            # Last: a run that has it is finished.
            write_text(run.path / "evaluation.json", json.dumps(reporting.to_dict(), indent=1))

    world.by_writer(write)
    for name in ("model.safetensors", "curves.png", *reporting.pictures):
        on_event(Event("saved", {"path": str(run.path / name)}))
    return reporting.reported()[-1]


def _labels(split: Split) -> Tensor:
    return torch.as_tensor(split.labels)
