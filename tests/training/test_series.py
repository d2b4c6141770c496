"""Series, volumes and clips are trained by the same command, resumed exactly, streamed to the same bits."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import striate
from striate.core.errors import DataError, RecipeError, ShapeError
from striate.core.events import ignore
from striate.core.tensors import load_tensors
from striate.data import memory
from striate.data.batches import Batches
from striate.data.stored_numbers import MappedNumbers
from striate.recipes.deciding import LAYERS_OF_FEW
from striate.training import train


def waves(count: int, *, channels: int = 2, length: int = 64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Series of one of three frequencies, anywhere in time, in noise; the last channel holds noise alone."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    phases, time = random.uniform(0, 2 * np.pi, (count, 1)), np.arange(length)
    wave = np.sin(2 * np.pi * (4 + 2 * labels[:, None]) * time / length + phases)
    series = random.normal(size=(count, channels, length)) * 0.4
    series[:, 0] += wave
    return series * 200 - 1000, labels


def blobs(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clips of a blob that moves right, left, down or up: no frame by itself tells which."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    ways = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)])[labels]
    middles = random.uniform(4, 6, (count, 2))
    rows, columns = np.mgrid[:10, :10]
    clips = random.integers(0, 60, (count, 1, 5, 10, 10))
    for item in range(count):
        for frame in range(5):
            row, column = middles[item] + (frame - 2) * ways[item]
            clips[item, 0, frame] += (150 * (np.hypot(rows - row, columns - column) < 1.8)).astype(np.int64)
    return clips.astype(np.uint8), labels


FAST = {"model": "compact-small", "batch": 32, "device": "cpu", "on_event": ignore}


def test_series_are_learnt_with_nothing_said(tmp_path) -> None:
    arrays = dict(
        zip(("x_train", "y_train", "x_test", "y_test"), (*waves(180), *waves(90, seed=1)), strict=True)
    )
    np.savez(tmp_path / "waves.npz", **arrays)
    run = train(tmp_path / "waves.npz", out=tmp_path / "run", epochs=8, device="cpu", on_event=ignore)
    assert (run.recipe.model, run.recipe.layers) == ("stacked", LAYERS_OF_FEW)
    assert (run.recipe.size, run.recipe.flip, run.recipe.average_mirrored) == (None, False, False)
    assert run.evaluation["test"].accuracy > 0.95
    assert {"predictions.png", "confusion.png", "curves.png"} <= {path.name for path in run.path.iterdir()}
    classifier = striate.load(run.path)
    assert classifier.preprocessing.numbers
    np.testing.assert_allclose(classifier.preprocessing.mean, [-1000, -1000], atol=5)
    found = classifier.predict(arrays["x_test"][:6])
    assert sum(each.label == str(label) for each, label in zip(found, arrays["y_test"], strict=False)) >= 5


def test_clips_are_learnt_and_one_frame_is_not_enough(tmp_path) -> None:
    clips, labels = blobs(128)
    fields = {**FAST, "batch": 16, "epochs": 6}
    run = train((clips, labels), out=tmp_path / "clips", **fields)
    assert run.evaluation["validation"].accuracy > 0.8
    frame = train((clips[:, :, 2], labels), out=tmp_path / "frame", **fields)
    assert frame.evaluation["validation"].accuracy < 0.5


@pytest.mark.parametrize("kind", ["series", "clips"])
def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, kind) -> None:
    items, labels = waves(90) if kind == "series" else blobs(48)
    augment = "warp,noise,amplitude,mixup" if kind == "series" else "window,shift,crop,noise"
    fields = {**FAST, "epochs": 3, "augment": augment}
    train((items, labels), out=tmp_path / "whole", **fields)

    class Stop(Exception):
        pass

    def stop(event) -> None:
        if event.kind == "epoch" and event.data["epoch"] == 2:
            raise Stop

    with pytest.raises(Stop):
        train((items, labels), out=tmp_path / "cut", **{**fields, "on_event": stop})
    train((items, labels), resume=tmp_path / "cut", device="cpu", on_event=ignore)
    for name in ("last.safetensors", "model.safetensors"):
        expected, found = (load_tensors(tmp_path / run / name)[0] for run in ("whole", "cut"))
        assert all(expected[key].equal(found[key]) for key in expected)
        assert all(expected[key].stride() == found[key].stride() for key in expected)


def test_what_is_read_from_the_file_is_trained_to_the_same_bits(tmp_path, monkeypatch) -> None:
    series, labels = waves(120)
    np.savez(tmp_path / "waves.npz", x=series.transpose(0, 2, 1), y=labels)
    seen, runs = [], []

    class Watched(Batches):
        def __init__(self, split, **options) -> None:
            seen.append(type(split.images))
            super().__init__(split, **options)

    monkeypatch.setattr("striate.training.session.Batches", Watched)
    for number, free in enumerate((1e9, 0.0)):
        monkeypatch.setattr(memory, "available_memory", lambda free=free: free)
        out = tmp_path / str(number)
        runs.append(train(tmp_path / "waves.npz", out=out, epochs=2, augment="shift,noise", **FAST))
    assert seen == [np.ndarray, MappedNumbers]
    expected, found = (load_tensors(run.path / "last.safetensors")[0] for run in runs)
    assert all(expected[key].equal(found[key]) for key in expected)
    assert runs[0].evaluation == runs[1].evaluation


@pytest.mark.parametrize(("model", "size"), [("resnet20", 64), ("lenet", 64), ("mlp", 64), ("stacked", 64)])
def test_classic_networks_are_trained_on_series(tmp_path, model, size) -> None:
    series, labels = waves(48, length=size)
    run = train((series, labels), out=tmp_path / "run", epochs=1, **{**FAST, "model": model, "batch": 16})
    assert np.isfinite(run.evaluation["validation"].negative_log_likelihood)


def test_a_run_on_series_can_be_the_start_of_another(tmp_path) -> None:
    first = train(waves(120), out=tmp_path / "first", epochs=4, **FAST)
    fields = {"device": "cpu", "on_event": ignore, "pretrained": str(first.path)}
    for freeze in ("backbone", "none"):
        run = train(waves(60, seed=1), out=tmp_path / freeze, epochs=2, freeze=freeze, **fields)
        assert run.evaluation["validation"].images == 9


def test_controls_of_other_kinds_are_refused_before_anything_is_written(tmp_path) -> None:
    data = waves(60)
    cases = [
        ({"augment": "hue"}, RecipeError, "'hue' is no change of series"),
        ({"robust": "linf:8/255"}, RecipeError, "series of arrays are of other numbers; leave robust out"),
        ({"average_shifted": 1}, RecipeError, "only images are looked at shifted"),
        ({"shift": 64}, RecipeError, "a shift of 64 values leaves nothing of series of 64"),
        ({"model": "sprint"}, ShapeError, "'sprint' takes images, and these are series of 64"),
        ({"pretrained": "efficientnet-lite0"}, (DataError, ShapeError), "series"),
    ]
    for fields, error, words in cases:
        with pytest.raises(error, match=words):
            train(data, out=tmp_path / "run", **{**FAST, "model": None, "epochs": 1, **fields})
    assert not (tmp_path / "run").exists()


def test_the_same_series_on_both_sides_is_leakage(tmp_path) -> None:
    series, labels = waves(60)
    arrays = {"x_train": series, "y_train": labels, "x_val": series[:20], "y_val": labels[:20]}
    arrays |= {
        f"names_{part}": np.array([f"{part}{row}" for row in range(len(arrays[f"y_{part}"]))])
        for part in ("train", "val")
    }
    with pytest.raises(DataError, match=r"also holds 20 of the 20 validation images.*'val0' is 'train0'"):
        train(arrays, out=tmp_path / "run", epochs=1, **FAST)
    run = train(arrays, out=tmp_path / "run", epochs=1, allow_leakage=True, **FAST)
    assert json.loads((run.path / "evaluation.json").read_text())["validation"]["images"] == 20


def test_volumes_of_numbers_train_robustly_only_as_pixels(tmp_path) -> None:
    clips, labels = blobs(48)
    run = train((clips, labels), out=tmp_path / "run", epochs=1, robust="linf:8/255", **FAST)
    assert 0 <= run.rows[-1]["robust_accuracy"] <= 1
    assert torch.isfinite(torch.tensor(run.rows[-1]["validation_loss"]))
