"""Confusion matrices and what follows from them, against scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from striate.core.errors import ShapeError
from striate.metrics import confusion_matrix, macro_f1, per_class


@st.composite
def pairs(draw):
    classes = draw(st.integers(2, 8))
    label = st.integers(0, classes - 1)
    both = draw(st.lists(st.tuples(label, label), min_size=1, max_size=40))
    predicted, labels = torch.tensor(both).T
    return predicted, labels, classes


@given(pairs())
def test_counts_agree_with_scikit_learn(given):
    predicted, labels, classes = given
    ours = confusion_matrix(predicted, labels, classes)
    assert ours.dtype == torch.int64
    assert np.array_equal(ours, oracle.confusion_matrix(labels, predicted, labels=range(classes)))


@given(pairs())
def test_figures_per_class_agree_with_scikit_learn(given):
    predicted, labels, classes = given
    ours = per_class(confusion_matrix(predicted, labels, classes))
    theirs = oracle.precision_recall_fscore_support(labels, predicted, labels=range(classes), zero_division=0)
    for figures, expected in zip(ours, theirs, strict=False):
        assert figures.tolist() == pytest.approx(expected.tolist())


@given(pairs())
def test_macro_f1_agrees_with_scikit_learn(given):
    predicted, labels, classes = given
    ours = macro_f1(confusion_matrix(predicted, labels, classes))
    assert ours == pytest.approx(oracle.f1_score(labels, predicted, average="macro", zero_division=0))


def test_macro_f1_of_nothing_is_zero():
    assert macro_f1(torch.zeros(3, 3, dtype=torch.long)) == 0


def test_a_class_that_never_occurs_is_zero_and_not_nan():
    figures = per_class(torch.tensor([[3, 0, 0], [0, 2, 0], [0, 0, 0]]))
    assert [float(values[2]) for values in figures] == [0, 0, 0]


def test_one_class_is_always_right():
    matrix = confusion_matrix(torch.tensor([0, 0]), torch.tensor([0, 0]), 1)
    assert matrix.tolist() == [[2]]
    assert [values.tolist() for values in per_class(matrix)] == [[1], [1], [1]]


def test_no_images_give_a_matrix_of_zeros():
    nothing = torch.zeros(0, dtype=torch.long)
    assert confusion_matrix(nothing, nothing, 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("predicted", "labels", "classes", "sentence"),
    [
        (torch.tensor([0]), torch.tensor([0, 1]), 2, r"\(1,\) and labels \(2,\)"),
        (torch.tensor([[0]]), torch.tensor([[0]]), 2, r"one shape \(N,\)"),
        (torch.tensor([0]), torch.tensor([0]), 0, "of 0 classes"),
        (torch.tensor([2]), torch.tensor([0]), 2, "from 2 to 2, but there are 2 classes"),
        (torch.tensor([0]), torch.tensor([-1]), 2, "from -1 to -1"),
        (torch.tensor([0.5]), torch.tensor([0]), 2, "float32"),
    ],
)
def test_what_does_not_fit_is_refused(predicted, labels, classes, sentence):
    with pytest.raises(ShapeError, match=sentence):
        confusion_matrix(predicted, labels, classes)


def test_a_matrix_that_is_not_square_is_refused():
    with pytest.raises(ShapeError, match=r"\(2, 3\)"):
        per_class(torch.zeros(2, 3))
