"""A training leaves a run that holds everything promised, and ends as its recipe says."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch
from PIL import Image

import striate
from striate.core.errors import RecipeError, RunError, ShapeError, TrainingError
from striate.core.events import ignore
from striate.core.tensors import load_tensors
from striate.training import Run, train
from striate.training.run import COLUMNS

FILES = {
    "recipe.toml",
    "results.csv",
    "events.jsonl",
    "model.safetensors",
    "last.safetensors",
    "evaluation.json",
    "curves.png",
    "confusion.png",
    "predictions.png",
    "checkpoint",
}


def test_a_run_holds_everything_and_the_classifier_it_measured(fit, digits) -> None:
    run, events = fit(digits, epochs=4)
    assert {path.name for path in run.path.iterdir()} - {".lock"} == FILES
    assert [row["epoch"] for row in run.rows] == [1, 2, 3, 4]
    assert tuple(run.rows[0]) == COLUMNS
    assert run.rows[-1]["share"] == 1
    evaluation = run.evaluation["test"]
    assert evaluation.accuracy > 0.9
    assert evaluation.images == len(digits.test)
    low, high = evaluation.interval
    assert low < evaluation.accuracy < high
    # The file holds the very network that was measured, calibration included.
    classifier = run.classifier
    probabilities = classifier.probabilities(digits.test.images)
    right = (probabilities.argmax(1).numpy() == digits.test.labels).mean()
    assert right == pytest.approx(evaluation.accuracy)
    likelihood = torch.nn.functional.nll_loss(probabilities.log(), torch.tensor(digits.test.labels))
    assert likelihood.item() == pytest.approx(evaluation.negative_log_likelihood, rel=1e-4)
    for name in ("curves", "confusion", "predictions"):
        Image.open(run.path / f"{name}.png").verify()
    kinds = [event.kind for event in events]
    assert kinds.count("epoch") == 4
    assert kinds[-1] == "done"
    lines = (run.path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines][-1] == "done"


def test_the_same_seed_gives_the_same_weights_and_another_does_not(fit, digits, tmp_path) -> None:
    def weights(name: str, seed: int) -> bytes:
        run, _ = fit(digits, out=tmp_path / name, seed=seed)
        tensors, _ = load_tensors(run.path / "last.safetensors")
        return b"".join(tensors[key].numpy().tobytes() for key in sorted(tensors))

    first = weights("a", 5)
    assert first == weights("b", 5)
    assert first != weights("c", 6)


def test_the_callers_random_numbers_are_left_alone(fit, digits) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    fit(digits, epochs=0.1)
    assert torch.rand(2).equal(expected)


def test_a_run_in_minutes_ends_within_five_percent(fit, digits) -> None:
    seconds = 6.0
    run, events = fit(digits, minutes=seconds / 60)
    (done,) = [event.data for event in events if event.kind == "done"]
    assert done["training_seconds"] == pytest.approx(seconds, rel=0.05)
    assert run.rows[-1]["learning_rate"] < 0.1 * max(row["learning_rate"] for row in run.rows)
    shares = [row["share"] for row in run.rows]
    assert shares == sorted(shares)
    assert any("images/s: about" in str(event.data) for event in events if event.kind == "note")


def test_a_target_stops_a_run_when_validation_reaches_it(fit, digits) -> None:
    run, _ = fit(digits, epochs=40, target=0.5)
    accuracies = [row["validation_accuracy"] for row in run.rows]
    assert accuracies[-1] >= 0.5
    assert all(accuracy < 0.5 for accuracy in accuracies[:-1])
    assert len(accuracies) < 40


def test_the_model_is_the_best_epoch_not_the_last(fit, digits) -> None:
    run, events = fit(digits, epochs=6, learning_rate=0.2, schedule="linear")
    best = max(row["validation_accuracy"] for row in run.rows)
    assert run.evaluation["validation"].accuracy == pytest.approx(best)
    done = events[-1].data
    assert run.rows[done["best_epoch"] - 1]["validation_accuracy"] == pytest.approx(best)


@pytest.mark.parametrize("optimizer", ["muon", "sgd", "adamw"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_optimizer_learns_in_every_precision(fit, digits, optimizer, precision) -> None:
    run, _ = fit(digits, optimizer=optimizer, precision=precision, epochs=3)
    assert run.rows[-1]["validation_accuracy"] > 0.8


def test_fractions_of_an_epoch_and_batches_larger_than_the_set_work(fit, digits, tmp_path) -> None:
    run, _ = fit(digits, epochs=0.25)
    assert len(run.rows) == 1
    assert run.rows[0]["step"] == round(0.25 * (len(digits.train) // 64))
    run, _ = fit(digits, epochs=2, batch=100_000, out=tmp_path / "large")
    assert [row["step"] for row in run.rows] == [1, 2]


def test_a_rate_beyond_reason_stops_the_run_and_keeps_the_best_weights(fit, digits, tmp_path) -> None:
    with pytest.raises(TrainingError, match=r"the (loss|weights) became (nan|inf) at step \d+ .*rate"):
        fit(digits, optimizer="sgd", learning_rate=1e3, epochs=20, precision="float32", weight_decay=1.0)
    run = Run(tmp_path / "run")
    assert not run.is_finished
    for path in (run.checkpoint, run.path / "last.safetensors"):
        tensors, _ = load_tensors(path)
        assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    if run.rows:
        assert np.isfinite(run.classifier.logits(digits.test.images[:5]).numpy()).all()


def test_arrays_in_memory_train_like_files(fit) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 200)
    images = random.integers(0, 100, (200, 12, 12), dtype=np.uint8)
    images[labels == 1, :6] += 120
    run, _ = fit((images, labels), epochs=4, batch=16)
    assert run.evaluation["validation"].accuracy > 0.9
    assert set(run.evaluation) == {"validation"}


def test_a_folder_with_broken_files_trains_and_lists_them(fit, tmp_path) -> None:
    random = np.random.default_rng(0)
    for name, low in (("dark", 0), ("bright", 150)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(low, low + 100, (20 + number, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    (tmp_path / "photos" / "dark" / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    (tmp_path / "photos" / "dark" / "new\nline.png").write_bytes(b"")
    run, _ = fit(tmp_path / "photos", epochs=2, batch=4)
    listed = (run.path / "rejected.csv").read_text()
    assert "broken.jpg" in listed
    assert "new\nline.png" in listed
    assert run.classifier.classes == ("bright", "dark")


def test_the_default_directory_is_named_and_numbered(digits, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for expected in ("runs/digits", "runs/digits-2"):
        run = train(digits, epochs=0.1, model="compact-small", on_event=ignore)
        assert str(run.path) == expected


def test_nothing_is_made_for_a_recipe_that_is_wrong(digits, tmp_path) -> None:
    with pytest.raises(RecipeError, match="did you mean 'epochs'"):
        train(digits, out=tmp_path / "run", epoch=3)
    with pytest.raises(RecipeError, match="did you mean"):
        train(digits, out=tmp_path / "run", model="compact-smal", on_event=ignore)
    tiny = np.zeros((20, 3, 3), dtype=np.uint8), np.arange(20) % 2
    with pytest.raises(ShapeError, match="3x3 pixels are too small"):
        train(tiny, out=tmp_path / "run", on_event=ignore)
    with pytest.raises(RunError, match="nothing to train on"):
        train(on_event=ignore)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_holds_a_run_is_left_alone(fit, digits) -> None:
    run, _ = fit(digits, epochs=0.1)
    before = (run.path / "results.csv").read_bytes()
    with pytest.raises(RunError, match="holds a run already"):
        fit(digits, epochs=0.1)
    assert (run.path / "results.csv").read_bytes() == before


def test_images_that_stream_from_a_file_train_to_the_same_weights(fit, digits, tmp_path) -> None:
    np.save(tmp_path / "images.npy", digits.train.images)
    mapped = striate.Dataset(
        **{
            **{name: getattr(digits, name) for name in ("name", "source", "classes", "validation", "test")},
            "train": type(digits.train)(np.load(tmp_path / "images.npy", mmap_mode="r"), digits.train.labels),
            "flip": digits.flip,
            "fill": digits.fill,
        }
    )
    resident, _ = fit(digits, epochs=1, out=tmp_path / "resident")
    streamed, events = fit(mapped, epochs=1, out=tmp_path / "streamed")
    assert [event.data["resident"] for event in events if event.kind == "start"] == [False]
    left, _ = load_tensors(resident.path / "last.safetensors")
    right, _ = load_tensors(streamed.path / "last.safetensors")
    assert all(left[name].equal(right[name]) for name in left)


def test_checkpoints_and_reports_cost_little_beside_training(fit, digits) -> None:
    began = time.perf_counter()
    _, events = fit(digits, minutes=3 / 60)
    assert time.perf_counter() - began < 3 * 3
    assert events[-1].data["finish_seconds"] < 6
