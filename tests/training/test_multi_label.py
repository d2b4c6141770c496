"""Trainings with several labels: they learn, are measured, go on exactly, and keep a frozen start."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

import striate
from striate.classifier import evaluate_labels
from striate.core.errors import RecipeError, RunError
from striate.core.tensors import load_tensors
from striate.metrics import fit_label_temperature
from striate.training import Run, train
from striate.training import loop as training_loop

NAMES = ("bar", "disc", "frame")


@pytest.fixture(scope="module")
def several() -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """Grey images of 16 x 16 pixels with a disc, a bar and a frame, each of them there or not."""
    generator = np.random.default_rng(0)
    table = generator.random((180, 3)) < (0.5, 0.5, 0.3)
    rows, columns = np.mgrid[:16, :16]
    images = generator.integers(0, 60, (180, 16, 16))
    for image, own in zip(images, table, strict=True):
        top, left = generator.integers(3, 13, 2)
        if own[0]:
            image[abs(rows - top) < 1] += 80
        if own[1]:
            image[np.hypot(rows - left, columns - top) < 3.5] += 80
        if own[2]:
            apart = np.maximum(abs(rows - top), abs(columns - left))
            image[apart == 5] += 80
    return images.astype(np.uint8), [tuple(np.array(NAMES)[own]) for own in table]


@pytest.fixture(scope="module")
def source(several, tmp_path_factory):
    """The same as an .npz file with a test part."""
    images, sets = several
    table = np.array([[name in own for name in NAMES] for own in sets], np.uint8)
    path = tmp_path_factory.mktemp("several") / "several.npz"
    parts = {"x_train": images[:140], "y_train": table[:140], "x_test": images[140:], "y_test": table[140:]}
    np.savez(path, classes=np.array(NAMES), **parts)
    return path


FAST = {"model": "compact-small", "batch": 20, "device": "cpu", "precision": "float32"}


@pytest.fixture(scope="module")
def run(source, tmp_path_factory) -> tuple[Run, list]:
    events: list = []
    out = tmp_path_factory.mktemp("trained") / "run"
    return train(source, out=out, epochs=6, shift=1, on_event=events.append, **FAST), events


def tensors(run: Run, name: str = "model") -> dict[str, torch.Tensor]:
    return load_tensors(run.path / f"{name}.safetensors")[0]


def test_it_learns_and_is_chosen_by_mean_average_precision(run) -> None:
    trained, events = run
    assert trained.recipe.choose_by == "mean-average-precision"
    assert trained.recipe.label_smoothing == 0
    means = [row["validation_mean_average_precision"] for row in trained.rows]
    assert len(means) == 6
    found = trained.multi_label_evaluation
    assert found["test"].mean_average_precision > 0.75
    assert found["validation"].mean_average_precision == pytest.approx(max(means), abs=1e-9)
    (done,) = [event.data for event in events if event.kind == "done"]
    assert done["mean_average_precision"] == found["test"].mean_average_precision
    assert done["images"] == 40
    with pytest.raises(RunError, match="multi_label_evaluation"):
        _ = trained.evaluation


def test_the_model_is_calibrated_on_validation_and_says_what_the_run_says(run, source) -> None:
    trained, _ = run
    classifier = striate.load(trained.path, device="cpu", precision="float32")
    dataset = striate.open_dataset(source)
    assert classifier.multi_label
    assert classifier.classes == NAMES
    validation = classifier.logits(dataset.validation.images)
    labels = torch.as_tensor(dataset.validation.labels)
    assert classifier.temperature == pytest.approx(fit_label_temperature(validation, labels))
    for part, split in (("validation", dataset.validation), ("test", dataset.test)):
        found, kept = evaluate_labels(classifier, split), trained.multi_label_evaluation[part]
        assert (found.thresholds, found.f1, found.support) == (kept.thresholds, kept.f1, kept.support)
        for name in ("mean_average_precision", "negative_log_likelihood", "calibration_error"):
            assert getattr(found, name) == pytest.approx(getattr(kept, name), rel=1e-4)
    assert classifier.details["mean_average_precision"]["test"]["images"] == 40
    prediction = classifier.predict(dataset.test.images[0])
    assert all(value >= classifier.thresholds[NAMES.index(name)] for name, value in prediction.labels)


def test_the_pictures_are_there(run) -> None:
    for name in ("curves.png", "labels.png", "predictions.png"):
        with Image.open(run[0].path / name) as picture:
            assert min(picture.size) > 200
    assert not (run[0].path / "confusion.png").exists()
    assert json.loads((run[0].path / "overfitting.json").read_text())


def test_it_goes_on_to_the_same_weights_bit_for_bit(several, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(training_loop, "CHECKPOINT_SECONDS", 0.0)
    mixed = {"balance": "weights", "augment": "mixup", "average_weights": 0.3}
    choices = {**FAST, "epochs": 3, "batch": 40, **mixed}
    whole = train(several, out=tmp_path / "whole", on_event=lambda _: None, **choices)

    class Stop(Exception):
        pass

    def stop(event) -> None:
        if event.kind == "epoch" and event.data["epoch"] == 2:
            raise Stop

    with pytest.raises(Stop):
        train(several, out=tmp_path / "run", on_event=stop, **choices)
    resumed = train(several, resume=tmp_path / "run", on_event=lambda _: None, device="cpu")
    for name in ("model", "last"):
        one, other = tensors(whole, name), tensors(resumed, name)
        assert all(one[key].equal(other[key]) for key in one)
    assert resumed.multi_label_evaluation == whole.multi_label_evaluation


def test_a_frozen_start_gets_a_head_for_each_label(run, source, tmp_path) -> None:
    start, _ = run
    choices = {"pretrained": str(start.path), "freeze": "backbone", "device": "cpu", "precision": "float32"}
    fitted = train(source, out=tmp_path / "run", on_event=lambda _: None, **choices)
    (row,) = fitted.rows
    before, after = tensors(start), tensors(fitted)
    assert all(after[name].equal(tensor) for name, tensor in before.items() if not name.startswith("head"))
    assert not after["head.weight"].equal(before["head.weight"])
    found = fitted.multi_label_evaluation
    assert found["validation"].mean_average_precision == row["validation_mean_average_precision"]
    assert found["test"].mean_average_precision > 0.75
    classifier = striate.load(fitted.path, device="cpu", precision="float32")
    measured = evaluate_labels(classifier, striate.open_dataset(source).test)
    assert measured.mean_average_precision == pytest.approx(found["test"].mean_average_precision, abs=1e-6)


def test_a_frozen_start_of_one_class_learns_several_labels(start, several, tmp_path) -> None:
    notes: list[str] = []

    def note(event) -> None:
        if event.kind == "note":
            notes.append(event.data["message"])

    choices = {"pretrained": str(start.path), "device": "cpu", "epochs": 0.5, "balance": "weights"}
    run = train(several, out=tmp_path / "run", on_event=note, **choices)
    assert [row["epoch"] for row in run.rows] == [0, 1]
    assert run.classifier.multi_label
    assert any("each label is fitted by itself" in each for each in notes)


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"robust": "linf:8/255"}, "several labels"), ({"balance": "sampling"}, "several labels")],
)
def test_what_needs_one_class_is_refused_before_a_run_is_made(several, tmp_path, fields, words) -> None:
    with pytest.raises(RecipeError, match=words):
        train(several, out=tmp_path / "run", on_event=lambda _: None, **FAST, **fields)
    assert not (tmp_path / "run").exists()


def test_a_target_ends_it(several, tmp_path) -> None:
    run = train(several, out=tmp_path / "run", on_event=lambda _: None, epochs=20, target=0.3, **FAST)
    assert len(run.rows) < 20
