"""What is minimised, by hand: smoothing, class weights, weights of images, and the figures to choose by."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle
from sklearn.utils.class_weight import compute_class_weight

from striate.training.objective import Objective, class_weights

LOGITS = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 0, 0, 0, 1, 1, 2])


def _by_hand(logits, labels, *, smoothing, weights) -> float:
    """Give the mean over images of weight by cross entropy, in plain sums."""
    total = 0.0
    for row, label, weight in zip(logits.double(), labels.tolist(), weights, strict=True):
        surprise = -(row - row.logsumexp(0))
        spread = [(1 - smoothing) * (place == label) + smoothing / 3 for place in range(3)]
        total += weight * sum(share * float(each) for share, each in zip(spread, surprise, strict=True))
    return total / len(labels)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_loss_is_the_weighted_mean(smoothing, balanced, weighted) -> None:
    of_class = class_weights(LABELS, 3)
    of_image = torch.linspace(0, 2, 7)
    objective = Objective(label_smoothing=smoothing, class_weights=of_class if balanced else None)
    found = objective.loss(LOGITS, LABELS, of_image if weighted else None)
    weights = torch.ones(7)
    weights = weights * of_class[LABELS] if balanced else weights
    weights = weights * of_image if weighted else weights
    expected = _by_hand(LOGITS, LABELS, smoothing=smoothing, weights=weights.tolist())
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_mixed_labels_count_as_their_classes_do() -> None:
    objective = Objective(class_weights=torch.tensor([1.0, 4.0, 0.5]))
    whole = F.one_hot(LABELS, 3).float()
    assert objective.loss(LOGITS, whole).item() == pytest.approx(objective.loss(LOGITS, LABELS).item())
    mixed = torch.tensor([[0.5, 0.5, 0.0]])
    expected = 2.5 * F.cross_entropy(LOGITS[:1], mixed)
    assert objective.loss(LOGITS[:1], mixed).item() == pytest.approx(expected.item())
    assert objective.hits(torch.eye(3), torch.tensor([[0.6, 0.4, 0], [0.6, 0.4, 0], [0, 0, 1]])).tolist() == [
        True,
        False,
        True,
    ]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_balanced_classes_have_equal_mass(labels) -> None:
    given = torch.tensor(labels)
    weights = class_weights(given, 5)
    there = given.unique()
    masses = torch.bincount(given, weights=weights[given].double(), minlength=5)
    assert torch.allclose(masses[there], torch.tensor(len(labels) / len(there)).double(), rtol=1e-5)
    assert weights[given].mean().item() == pytest.approx(1, rel=1e-5)
    theirs = compute_class_weight("balanced", classes=there.numpy(), y=np.array(labels))
    assert np.allclose(weights[there].numpy(), theirs, rtol=1e-5)


def test_what_is_told_is_neither_smoothed_nor_weighted() -> None:
    objective = Objective(label_smoothing=0.3, class_weights=torch.tensor([9.0, 9.0, 9.0]))
    assert objective.losses(LOGITS, LABELS).equal(F.cross_entropy(LOGITS, LABELS, reduction="none"))
    assert objective.figures(LOGITS, LABELS)["validation_loss"] == F.cross_entropy(LOGITS, LABELS).item()


@pytest.mark.parametrize(
    ("chosen_by", "column"),
    [
        ("accuracy", "validation_accuracy"),
        ("macro-f1", "validation_macro_f1"),
        ("loss", "validation_loss"),
    ],
)
def test_the_figure_is_the_one_that_is_chosen_by(chosen_by, column) -> None:
    objective = Objective(chosen_by)
    assert objective.column == column
    predicted = LOGITS.argmax(dim=1)
    expected = {
        "accuracy": (predicted == LABELS).double().mean().item(),
        "macro-f1": oracle.f1_score(LABELS, predicted, average="macro", zero_division=0),
        "loss": F.cross_entropy(LOGITS, LABELS).item(),
    }
    figures = objective.figures(LOGITS, LABELS)
    assert set(figures) == {"validation_loss", "validation_accuracy", column}
    assert figures[column] == pytest.approx(expected[chosen_by])
    better, worse = (0.3, 0.6) if chosen_by == "loss" else (0.6, 0.3)
    assert objective.signed(better) > objective.signed(worse)
