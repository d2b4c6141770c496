"""Confident learning against cleanlab, and on labels whose errors are known."""

import numpy as np
import pytest
import torch
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues
from hypothesis import assume, given
from hypothesis import strategies as st

from striate.core.errors import ShapeError
from striate.metrics import confident_joint, suspect_labels


def noisy(seed, *, images=300, classes=4, wrong=0.15):
    """Probabilities of a fair judge, and labels some of which are wrong."""
    random = np.random.default_rng(seed)
    true = random.integers(0, classes, images)
    logits = random.normal(0, 1, (images, classes))
    logits[np.arange(images), true] += 3
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.where(random.random(images) < wrong, random.integers(0, classes, images), true)
    return probabilities, labels, true


def is_plain(probabilities, labels):
    """Say whether the paper and cleanlab must agree, up to which of two equal halves is rounded up.

    Of several classes that are reached the paper counts the likeliest; cleanlab the likeliest of all.
    """
    classes = probabilities.shape[1]
    thresholds = np.array([probabilities[labels == k, k].mean() for k in range(classes)])
    reached = probabilities >= thresholds - 1e-6
    several = reached.sum(axis=1) > 1
    if not reached[several, probabilities[several].argmax(axis=1)].all():
        return False
    counted = np.zeros((classes, classes))
    sure = reached.any(axis=1)
    np.add.at(counted, (labels[sure], np.where(reached, probabilities, -1).argmax(axis=1)[sure]), 1)
    counted /= counted.sum(axis=1, keepdims=True)
    exact = counted * np.bincount(labels)[:, None]
    off = np.sort(exact - exact.round(), axis=1)
    tied = (np.diff(off, axis=1) < 1e-9) & (np.abs(off[:, 1:]) > 1e-9)
    return not tied.any()


@given(st.integers(0, 10_000), st.integers(2, 6), st.sampled_from([0.0, 0.1, 0.4]))
def test_the_joint_is_cleanlabs(seed, classes, wrong):
    probabilities, labels, _ = noisy(seed, classes=classes, wrong=wrong)
    assume(len(np.unique(labels)) == classes and is_plain(probabilities, labels))
    found = confident_joint(torch.from_numpy(probabilities), torch.from_numpy(labels))
    np.testing.assert_array_equal(found.numpy(), compute_confident_joint(labels, probabilities))


@given(st.integers(0, 10_000), st.integers(2, 6), st.sampled_from([0.05, 0.2]))
def test_the_suspects_are_cleanlabs_in_its_order(seed, classes, wrong):
    probabilities, labels, _ = noisy(seed, classes=classes, wrong=wrong)
    assume(len(np.unique(labels)) == classes and is_plain(probabilities, labels))
    found = suspect_labels(torch.from_numpy(probabilities), torch.from_numpy(labels))
    wanted = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    assert found.tolist() == wanted.tolist()


def test_wrong_labels_are_found_and_right_ones_left_alone():
    probabilities, labels, true = noisy(0, images=2000, wrong=0.1)
    found = suspect_labels(torch.from_numpy(probabilities), torch.from_numpy(labels)).numpy()
    wrong = np.flatnonzero(labels != true)
    assert np.isin(wrong, found).mean() > 0.75
    assert np.isin(found, wrong).mean() > 0.75
    assert np.isin(found[:50], wrong).mean() > 0.95  # the most suspect first


def test_every_row_of_the_joint_has_as_many_images_as_the_label():
    probabilities, labels, _ = noisy(3, classes=5, wrong=0.3)
    joint = confident_joint(torch.from_numpy(probabilities), torch.from_numpy(labels))
    assert joint.sum(dim=1).tolist() == np.bincount(labels).tolist()
    assert (joint >= 0).all()


def test_classes_without_labels_and_labels_of_one_image():
    probabilities = torch.tensor([[0.6, 0.3, 0.1], [0.7, 0.2, 0.1], [0.9, 0.05, 0.05]])
    labels = torch.tensor([0, 0, 2])
    joint = confident_joint(probabilities, labels)
    assert joint[1].tolist() == [0, 0, 0]
    assert suspect_labels(probabilities, labels).tolist() == []


@pytest.mark.parametrize(
    ("probabilities", "labels", "sentence"),
    [
        (torch.rand(4), torch.zeros(4, dtype=torch.long), "floats of the shape"),
        (torch.full((4, 2), 0.5), torch.zeros(3, dtype=torch.long), r"fits \(4,\)"),
        (torch.full((4, 2), 0.5), torch.tensor([0, 1, 2, 0]), "0 to 1"),
        (torch.full((4, 2), 0.7), torch.zeros(4, dtype=torch.long), "4 of 4 rows are no probabilities.* 1.4"),
        (torch.full((1, 2), torch.nan), torch.zeros(1, dtype=torch.long), "no probabilities"),
    ],
)
def test_what_does_not_fit_is_refused(probabilities, labels, sentence):
    with pytest.raises(ShapeError, match=sentence):
        suspect_labels(probabilities, labels)
