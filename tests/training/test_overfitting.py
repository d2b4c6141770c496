"""What a run says of overfitting is measured, kept in its files, and goes with advice that fits."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import striate
from striate.core.errors import RunError
from striate.core.intervals import newcombe
from striate.data import Split
from striate.training import finish as training_finish
from striate.training.objective import Objective
from striate.training.overfitting import find_overfitting, rows_measured
from striate.training.reporting import ClassReporting
from striate.training.run import Run


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch) -> None:
    """Leave out what takes most of a small training's time."""
    monkeypatch.setattr(training_finish, "training_curves", lambda *parts: None)  # noqa: ARG005
    monkeypatch.setattr(ClassReporting, "draw", lambda *parts: None)  # noqa: ARG005


@pytest.fixture(scope="module")
def few(digits) -> striate.Dataset:
    return replace(digits, train=Split(digits.train.images[:60], digits.train.labels[:60]))


def test_the_gap_is_measured_on_images_as_they_are_by_the_weights_that_are_kept(fit, digits) -> None:
    run, events = fit(digits, epochs=6, shift=2, average_weights=0.2)
    found = run.overfitting
    count = len(digits.validation)
    assert found.train_images == found.validation_images == count
    rows = np.linspace(0, len(digits.train) - 1, count).astype(int)
    classifier = run.classifier
    right = [
        (classifier.probabilities(images).argmax(dim=1).numpy() == labels).sum()
        for images, labels in (
            (digits.train.images[rows], digits.train.labels[rows]),
            (digits.validation.images, digits.validation.labels),
        )
    ]
    assert found.train_accuracy == pytest.approx(right[0] / count, abs=2 / count)
    assert found.validation_accuracy == pytest.approx(right[1] / count, abs=2 / count)
    said = round(found.train_accuracy * count), round(found.validation_accuracy * count)
    assert found.interval == pytest.approx(newcombe(said[0], count, said[1], count))
    (told,) = [event.data for event in events if "overfitting" in event.data]
    assert told["message"] == str(found)
    assert told["overfitting"] == found.to_dict() == json.loads((run.path / "overfitting.json").read_text())


def test_what_is_learnt_by_heart_is_called_overfitting_and_comes_with_advice(fit, few) -> None:
    run, _ = fit(few, epochs=30, batch=16, optimizer="adamw", flip=False, shift=0, label_smoothing=0.0)
    found = run.overfitting
    assert found.train_images == 60
    assert found.train_accuracy > 0.97
    assert found.gap > 0.1
    assert found.verdict == "overfitting"
    assert any("augment='trivial'" in each for each in found.advice)
    assert any("more images" in each for each in found.advice)


def test_what_has_hardly_begun_to_learn_has_not_overfitted(fit, digits) -> None:
    run, _ = fit(digits, epochs=0.1)
    assert run.overfitting.verdict == "none"
    assert run.overfitting.advice == ()


def row(step: int, accuracy: float) -> dict[str, float]:
    return {"epoch": step / 10, "step": step, "validation_accuracy": accuracy}


def advice(dataset, rows, recipe=None) -> str:
    labels = torch.as_tensor(dataset.train.labels[rows_measured(dataset)])
    sure = torch.nn.functional.one_hot(labels, len(dataset.classes)).float()
    best = max(range(len(rows)), key=lambda number: rows[number]["validation_accuracy"]) + 1
    found = find_overfitting(
        dataset, sure, rows=rows, best_epoch=best, recipe=recipe or striate.Recipe(), objective=Objective()
    )
    assert found.verdict == "overfitting"
    return "\n".join(found.advice)


def test_advice_is_of_what_was_not_tried_yet(digits) -> None:
    early = [row(10, 0.6), row(20, 0.7), row(30, 0.6), row(40, 0.6)]
    late = [row(10, 0.6), row(20, 0.7)]
    assert "epoch 2 of 4 was the best" in advice(digits, early)
    assert "was the best" not in advice(digits, late)
    tried = striate.Recipe(augment="trivial", dropout=0.2, weight_decay=0.01, optimizer="adamw")
    untried = striate.Recipe(optimizer="adamw")
    for name in ("augment", "dropout", "weight_decay"):
        assert name in advice(digits, late, untried)
        assert name not in advice(digits, late, tried)
    assert "weight_decay" not in advice(digits, late)
    assert "weight_decay=0.005, where it was 0.0005" in advice(
        digits, late, striate.Recipe(weight_decay=0.0005, optimizer="sgd")
    )
    assert "pretrained" not in advice(digits, late)


def test_photos_from_chance_are_advised_to_begin_with_what_was_learnt(digits) -> None:
    images = np.zeros((40, 3, 64, 64), np.uint8)
    part = Split(images, np.arange(40) % 10)
    photos = replace(digits, train=part, validation=part)
    late = [row(10, 0.2)]
    assert "pretrained='efficientnet-lite0'" in advice(photos, late)
    assert "pretrained" not in advice(photos, late, striate.Recipe(pretrained="efficientnet-lite0"))


def test_a_run_of_before_says_that_it_does_not_know(tmp_path) -> None:
    with pytest.raises(RunError, match="does not say whether it has overfitted"):
        _ = Run(tmp_path).overfitting
