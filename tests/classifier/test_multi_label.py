"""A classifier that says any number of labels: its probabilities, its file, its predictions, its figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from striate.classifier import Classifier, evaluate, evaluate_labels, load, read_header
from striate.core.errors import ModelFileError, ShapeError
from striate.data import Split
from striate.metrics import evaluate_label_logits

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 3, 12, 10), dtype=np.uint8)
TABLE = np.random.default_rng(1).integers(0, 2, (30, 3), dtype=np.uint8)


@pytest.fixture
def several(classifier: Classifier) -> Classifier:
    middle = (classifier.logits(IMAGES) / classifier.temperature).sigmoid().median(dim=0).values
    classifier.thresholds = middle.tolist()
    return classifier


def test_probabilities_are_of_each_label_by_itself(several: Classifier) -> None:
    expected = torch.sigmoid(several.logits(IMAGES) / several.temperature)
    assert several.multi_label
    assert several.probabilities(IMAGES).equal(expected)


def test_a_prediction_holds_what_reaches_its_threshold(several: Classifier) -> None:
    probabilities = several.probabilities(IMAGES)
    counts = set()
    for row, one in zip(probabilities.tolist(), several.predict(IMAGES), strict=True):
        expected = {
            name: value
            for name, value, threshold in zip(several.classes, row, several.thresholds, strict=True)
            if value >= threshold
        }
        assert dict(one.labels) == expected
        assert list(one.labels) == sorted(one.labels, key=lambda pair: -pair[1])
        assert (one.label, one.probability) == one.top[0] == max(one.top, key=lambda pair: pair[1])
        assert json.loads(json.dumps(one.to_dict()))["labels"] == [list(pair) for pair in one.labels]
        counts.add(len(one.labels))
    assert len(counts) > 1


def test_the_file_keeps_the_thresholds_and_is_of_version_2(several: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    several.save(path)
    again = load(path, device="cpu", precision="float32")
    assert again.thresholds == several.thresholds
    assert again.probabilities(IMAGES).equal(several.probabilities(IMAGES))
    assert read_header(path).thresholds == several.thresholds
    with safe_open(path, "pt") as file:
        assert (file.metadata()["multi_label"], file.metadata()["format_version"]) == ("true", "2")
    several.thresholds = None
    several.save(path)
    assert read_header(path).thresholds is None
    with safe_open(path, "pt") as file:
        assert (file.metadata()["multi_label"], file.metadata()["format_version"]) == ("false", "1")


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [("[0.5]", "1 thresholds for 3 labels"), ("[0.5, 2, 0.5]", "a threshold is 2"), ("7", "wrong kind")],
)
def test_a_wrong_header_is_refused(several: Classifier, tmp_path: Path, thresholds: str, words: str) -> None:
    path = tmp_path / "model.safetensors"
    several.save(path)
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata() | {"thresholds": thresholds}
    save_file(tensors, path, metadata)
    with pytest.raises(ModelFileError, match=words):
        load(path)


@pytest.mark.parametrize("values", [(0.5,), (0.5, 0.5, 1.5), (0.5, 0.5, float("nan")), (0.5, 0.5, "a")])
def test_wrong_thresholds_are_refused(classifier: Classifier, values) -> None:
    with pytest.raises(ShapeError, match="threshold"):
        classifier.thresholds = values


def test_it_is_measured_by_tables_and_by_classes(several: Classifier) -> None:
    found = evaluate_labels(several, Split(IMAGES, TABLE))
    expected = evaluate_label_logits(
        several.logits(IMAGES),
        torch.from_numpy(TABLE),
        several.classes,
        temperature=several.temperature,
        thresholds=several.thresholds,
    )
    assert found == expected
    classes = np.arange(30) % 3
    of_classes = evaluate_labels(several, Split(IMAGES, classes))
    assert of_classes == evaluate_labels(several, Split(IMAGES, np.eye(3, dtype=np.uint8)[classes]))


def test_each_kind_is_measured_by_its_own(several: Classifier) -> None:
    with pytest.raises(ShapeError, match="evaluate_labels measures it"):
        evaluate(several, Split(IMAGES, np.zeros(30, np.int64)))
    several.thresholds = None
    with pytest.raises(
        ShapeError, match="may have several of 3 labels, where this classifier knows one class"
    ):
        evaluate(several, Split(IMAGES, TABLE))
    with pytest.raises(ShapeError, match="evaluate measures it"):
        evaluate_labels(several, Split(IMAGES, TABLE))


def test_files_are_told_apart_from_pictures_without_labels(several: Classifier, tmp_path: Path) -> None:
    several.thresholds = (1.0,) * 3
    Image.fromarray(IMAGES[0].transpose(1, 2, 0)).save(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    whole, broken = several.predict(tmp_path)
    assert (whole.labels, whole.error) == ((), None)
    assert whole.label in several.classes
    assert broken.labels == ()
    assert broken.error is not None
