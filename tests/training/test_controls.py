"""Controls of overfitting in whole trainings: each does what it says, and stopped runs go on bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import striate
from striate.core.errors import RecipeError
from striate.core.events import ignore
from striate.core.tensors import load_tensors
from striate.data import Split
from striate.training import Run, train
from striate.training import finish as training_finish
from striate.training import loop as training_loop
from striate.training.objective import Objective
from striate.training.reporting import ClassReporting

SMALL = {"model": "resnet20", "batch": 16, "epochs": 3, "precision": "float32", "flip": False, "shift": 0}
CONTROLS = {
    "dropout": {"dropout": 0.3},
    "stochastic depth": {"stochastic_depth": 0.5},
    "penalties": {"l1": 1e-4, "lp": "1.5:1e-4"},
    "averages": {"average_weights": 0.5},
    "patience": {"patience": 2},
    "weights": {"balance": "weights", "choose_by": "macro-f1"},
    "sampling": {"balance": "sampling", "choose_by": "loss"},
}
ALL = {name: value for fields in CONTROLS.values() for name, value in fields.items()}


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch) -> None:
    """Leave out what takes most of a small training's time."""
    monkeypatch.setattr(training_finish, "training_curves", lambda *parts: None)  # noqa: ARG005
    monkeypatch.setattr(ClassReporting, "draw", lambda *parts: None)  # noqa: ARG005


@pytest.fixture(scope="module")
def uneven(digits) -> striate.Dataset:
    """Digits of three classes: 60, 20 and 8 to learn from."""
    chosen = [np.flatnonzero(digits.train.labels == label)[:most] for label, most in enumerate((60, 20, 8))]
    parts = {}
    for name, rows in (("train", np.sort(np.concatenate(chosen))), ("validation", None), ("test", None)):
        split = getattr(digits, name)
        kept = np.flatnonzero(split.labels < 3)[:90] if rows is None else rows
        parts[name] = Split(split.images[kept], split.labels[kept])
    return replace(digits, classes=digits.classes[:3], **parts)


def _tensors(run: Run, name: str = "last") -> dict[str, torch.Tensor]:
    tensors, _ = load_tensors(run.path / f"{name}.safetensors")
    return tensors


class Stop(Exception):
    """Ends a training where it stands, as a kill does: nothing is saved any more."""


@pytest.mark.parametrize("name", [*CONTROLS, "all"])
def test_a_stopped_run_goes_on_bit_for_bit(uneven, tmp_path, monkeypatch, name) -> None:
    fields = {**SMALL, **(ALL if name == "all" else CONTROLS[name])}
    whole = train(uneven, out=tmp_path / "whole", device="cpu", on_event=ignore, **fields)
    monkeypatch.setattr(training_loop, "STEP_EVENT_SECONDS", 0.0)
    monkeypatch.setattr(training_loop, "CHECKPOINT_SECONDS", 0.0)

    def stop_in_the_third_epoch(event) -> None:
        if event.kind == "step" and event.data["step"] == 8:
            # The last checkpoint was written before this step: it is taken again.
            monkeypatch.setattr(training_loop.Loop, "_save", lambda _: None)
        if event.kind == "step" and event.data["step"] == 12:
            raise Stop

    with pytest.raises(Stop):
        train(uneven, out=tmp_path / "run", device="cpu", on_event=stop_in_the_third_epoch, **fields)
    monkeypatch.undo()
    run = train(uneven, resume=tmp_path / "run", device="cpu", on_event=ignore)
    for file in ("last", "model"):
        expected, found = _tensors(whole, file), _tensors(run, file)
        assert expected.keys() == found.keys()
        assert all(found[key].equal(expected[key]) for key in expected)
    timeless = [key for key in whole.rows[0] if key not in ("seconds", "images_per_second")]
    assert [[each[key] for key in timeless] for each in run.rows] == [
        [each[key] for key in timeless] for each in whole.rows
    ]
    assert run.evaluation == whole.evaluation
    assert run.overfitting == whole.overfitting


@pytest.mark.parametrize("name", [name for name in CONTROLS if name != "patience"])
def test_each_control_changes_what_is_learnt(uneven, tmp_path, name) -> None:
    for folder, fields in (("plain", {}), ("other", CONTROLS[name])):
        train(
            uneven, out=tmp_path / folder, device="cpu", on_event=ignore, **{**SMALL, "epochs": 1, **fields}
        )
    key = "layer1.0.conv1.weight"
    assert not _tensors(Run(tmp_path / "plain"))[key].equal(_tensors(Run(tmp_path / "other"))[key])


@pytest.mark.parametrize("budget", [{"epochs": 40}, {"epochs": None, "minutes": 5}])
def test_patience_ends_a_run_within_either_budget(uneven, tmp_path, monkeypatch, budget) -> None:
    figures = iter([0.5, 0.7, 0.6, 0.7, 0.69, 0.8])

    def measure(*_) -> dict[str, float]:
        return {"validation_loss": 0.5, "validation_accuracy": next(figures)}

    monkeypatch.setattr(Objective, "figures", measure)
    events = []
    fields = {**SMALL, "model": "compact-small", **budget, "patience": 3}
    run = train(uneven, out=tmp_path / "run", device="cpu", on_event=events.append, **fields)
    # The fourth is as good as the second, which is no gain.
    assert [each["validation_accuracy"] for each in run.rows] == [0.5, 0.7, 0.6, 0.7, 0.69]
    notes = [event.data["message"] for event in events if event.kind == "note"]
    (said,) = [note for note in notes if "brought no gain" in note]
    since = "since the validation accuracy of 0.7000 in epoch 2"
    assert said.startswith(f"3 validations have brought no gain {since}")
    assert "schedule is that of the whole budget" in said
    assert run.is_finished


def test_averages_are_validated_and_kept_and_the_network_learns_as_without_them(uneven, tmp_path) -> None:
    seen = []

    def watch(event) -> None:
        if event.kind == "epoch":
            seen.append(event.data)

    fields = {**SMALL, "epochs": 4}
    plain = train(uneven, out=tmp_path / "plain", device="cpu", on_event=ignore, **fields)
    run = train(uneven, out=tmp_path / "run", device="cpu", on_event=watch, **fields, average_weights=1.0)
    # What is learnt is the same, what is validated is not.
    assert [each["train_loss"] for each in run.rows] == [each["train_loss"] for each in plain.rows]
    assert run.rows[-1]["validation_loss"] != plain.rows[-1]["validation_loss"]
    best = max(run.rows, key=lambda each: (each["validation_accuracy"], -each["validation_loss"]))
    classifier = run.classifier
    logits = classifier.logits(uneven.validation.images)
    labels = torch.as_tensor(uneven.validation.labels)
    loss = torch.nn.functional.cross_entropy(logits, labels).item()
    assert loss == pytest.approx(best["validation_loss"], rel=0.02)  # it may compute in another precision
    checkpoint, _ = load_tensors(run.checkpoint)
    kept, raw = _tensors(run)["fc.weight"], checkpoint["network.fc.weight"]
    assert kept.equal(checkpoint["averages.fc.weight"])
    assert raw.equal(_tensors(plain)["fc.weight"])
    assert not kept.equal(raw)


def test_the_best_epoch_is_that_of_the_figure_and_its_column_is_kept(uneven, tmp_path) -> None:
    for choose_by, column in (("macro-f1", "validation_macro_f1"), ("loss", "validation_loss")):
        out = tmp_path / choose_by
        events = []
        fields = {**SMALL, "model": "compact-small", "epochs": 6, "choose_by": choose_by}
        run = train(uneven, out=out, device="cpu", on_event=events.append, **fields)
        values = [each[column] for each in run.rows]
        wanted = min(values) if choose_by == "loss" else max(values)
        assert values[events[-1].data["best_epoch"] - 1] == wanted
        assert run.recipe.choose_by == choose_by
    assert run.evaluation["validation"].macro_f1 <= 1


def test_a_target_is_one_of_the_figure(uneven, tmp_path) -> None:
    fields = {**SMALL, "model": "compact-small", "epochs": 60, "choose_by": "loss", "target": 0.3}
    run = train(uneven, out=tmp_path / "run", device="cpu", on_event=ignore, **fields)
    losses = [each["validation_loss"] for each in run.rows]
    assert losses[-1] <= 0.3
    assert all(loss > 0.3 for loss in losses[:-1])


@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_balance_helps_the_rare_classes(uneven, tmp_path, balance) -> None:
    found = {}
    for name in ("none", balance):
        fields = {"model": "mlp", "batch": 16, "epochs": 2, "balance": name, "optimizer": "sgd"}
        run = train(uneven, out=tmp_path / name, device="cpu", on_event=ignore, learning_rate=0.005, **fields)
        found[name] = run.evaluation["test"].recall
    assert found[balance][2] > found["none"][2]


def test_what_cannot_go_together_is_refused_and_leaves_nothing(uneven, tmp_path) -> None:
    for fields, sentence in (
        ({"model": "mlp", "stochastic_depth": 0.2}, "has no residual block"),
        ({"prune": 0.5, "balance": "sampling"}, "prune is 0.5 and balance is 'sampling'"),
        ({"robust": "linf:8/255", "choose_by": "macro-f1"}, "choose_by is 'macro-f1', and a robust"),
    ):
        with pytest.raises(RecipeError, match=sentence):
            train(uneven, out=tmp_path / "run", device="cpu", on_event=ignore, **fields)
    assert not list(tmp_path.iterdir())


def test_robust_and_pruned_trainings_take_the_controls(uneven, tmp_path) -> None:
    controls = {"dropout": 0.2, "l1": 1e-5, "average_weights": 0.5, "patience": 5, "balance": "weights"}
    fields = {**SMALL, "epochs": 1.5, **controls, "stochastic_depth": 0.2}
    for name, more in (("robust", {"robust": "linf:4/255"}), ("pruned", {"prune": 0.3})):
        run = train(uneven, out=tmp_path / name, device="cpu", on_event=ignore, **fields, **more)
        assert run.is_finished
        assert json.loads((run.path / "overfitting.json").read_text())["verdict"] == run.overfitting.verdict


def test_two_processes_train_what_one_does(torchrun, uneven, tmp_path) -> None:
    np.savez(
        tmp_path / "uneven.npz",
        x_train=uneven.train.images[:, 0],
        y_train=uneven.train.labels,
        x_test=uneven.test.images[:, 0],
        y_test=uneven.test.labels,
    )
    controls = {"l1": 1e-4, "average_weights": 0.5, "balance": "weights", "choose_by": "macro-f1"}
    data = {"data": str(tmp_path / "uneven.npz"), "precision": "float32", "model": "mlp", "batch": 16}
    wanted = [
        {**data, **controls, "epochs": 2, "optimizer": "adamw", "out": str(tmp_path / "weights")},
        {**data, "balance": "sampling", "epochs": 1, "optimizer": "sgd", "out": str(tmp_path / "sampling")},
    ]
    script = Path(__file__).with_name("in_processes.py")
    process = torchrun(2, str(script), json.dumps(wanted), log=tmp_path / "said")
    assert process.wait(timeout=120) == 0, (tmp_path / "said").read_text()
    for fields in wanted:
        together = Run(Path(fields.pop("out")))
        alone = train(**fields, device="cpu", out=tmp_path / f"{together.path.name}-alone", on_event=ignore)
        for file in ("last", "model"):
            expected, found = _tensors(alone, file), _tensors(together, file)
            assert all((found[key] - expected[key]).abs().max() < 5e-4 for key in expected)
        assert together.overfitting.train_images == alone.overfitting.train_images
