"""Evaluating is predicting and counting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

from striate.classifier import Classifier, evaluate
from striate.core.errors import DataError, ShapeError
from striate.core.events import Event
from striate.data import Split


@pytest.fixture
def split() -> Split:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (300, 3, 12, 10), dtype=np.uint8)
    return Split(images, generator.integers(0, 3, 300))


def test_figures_equal_those_of_scikit_learn(classifier: Classifier, split: Split) -> None:
    probabilities = classifier.probabilities(split.images).double().numpy()
    predicted = probabilities.argmax(axis=1)
    events: list[Event] = []
    found = evaluate(classifier, split, events.append)
    assert found.images == 300
    assert found.classes == classifier.classes
    assert found.temperature == 1.5
    assert found.accuracy == pytest.approx(accuracy_score(split.labels, predicted))
    assert found.confusion == confusion_matrix(split.labels, predicted, labels=[0, 1, 2]).tolist()
    loss = log_loss(split.labels, probabilities / probabilities.sum(axis=1, keepdims=True))
    assert found.negative_log_likelihood == pytest.approx(loss, rel=1e-4)
    assert [event.data["done"] for event in events] == [256, 300]


def test_no_image_is_an_error(classifier: Classifier) -> None:
    empty = Split(np.zeros((0, 3, 12, 10), np.uint8), np.zeros(0, np.int64))
    with pytest.raises(DataError, match="no image"):
        evaluate(classifier, empty)


def test_images_of_another_size_are_an_error(classifier: Classifier) -> None:
    other = Split(np.zeros((2, 1, 8, 8), np.uint8), np.zeros(2, np.int64))
    with pytest.raises(ShapeError, match="2x1x8x8"):
        evaluate(classifier, other)


def test_the_mode_of_the_network_is_kept(classifier: Classifier, split: Split) -> None:
    classifier.train()
    before = {name: tensor.clone() for name, tensor in classifier.network.state_dict().items()}
    evaluate(classifier, split)
    assert classifier.training
    assert all(torch.equal(before[name], tensor) for name, tensor in classifier.network.state_dict().items())
