"""Temperature and thresholds of several labels: at their optima, against brute force and torch; odd input."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from striate.core.errors import ShapeError
from striate.metrics import choose_thresholds, fit_label_temperature, label_f1
from striate.metrics.multi_label import FEWEST


def drawn(
    seed: int, images: int = 300, classes: int = 4, scale: float = 3.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that are ``scale`` times too large for their labels."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, classes, generator=generator).double()
    labels = (torch.rand(images, classes, generator=generator) < logits.sigmoid()).long()
    return scale * logits, labels


def loss(logits: torch.Tensor, labels: torch.Tensor, temperature: float) -> float:
    share = 1 / (len(labels) + 1)
    wanted = (1 - share) * labels + share / 2
    return F.binary_cross_entropy_with_logits(logits / temperature, wanted.double()).item()


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_made_logits_too_large(scale):
    logits, labels = drawn(0, images=4000, scale=scale)
    found = fit_label_temperature(logits, labels)
    assert found == pytest.approx(scale, rel=0.1)
    for factor in (0.98, 1.02):
        assert loss(logits, labels, found) < loss(logits, labels, factor * found)


@pytest.mark.parametrize(
    ("logits", "labels", "expected"),
    [
        (torch.zeros(5, 2), torch.ones(5, 2), 1),
        (torch.tensor([[9.0], [-9.0]]), torch.tensor([[0], [1]]), 20),
        (torch.tensor([[0.01], [-0.01]]).repeat(500, 1), torch.tensor([[1], [0]]).repeat(500, 1), 0.05),
    ],
)
def test_the_temperature_is_clipped_where_it_has_no_best(logits, labels, expected):
    assert fit_label_temperature(logits, labels) == pytest.approx(expected)


def best_f1(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    """The highest F1 of any threshold, by trying all."""
    tried = [*probabilities.tolist(), 2.0]
    return max(label_f1((probabilities >= each)[:, None], labels[:, None])[2].item() for each in tried)


@given(st.integers(0, 1000), st.integers(FEWEST, 60), st.sampled_from([2, 5, 10**6]))
def test_thresholds_give_the_highest_f1(seed, images, levels):
    generator = torch.Generator().manual_seed(seed)
    probabilities = (torch.randint(levels, (images, 3), generator=generator).double() + 0.5) / levels
    labels = torch.randint(2, (images, 3), generator=generator)
    labels[:FEWEST] = 1
    found = choose_thresholds(probabilities, labels)
    assert ((found > 0) & (found <= 1)).all()
    _, _, reached = label_f1(probabilities >= found, labels)
    for column in range(3):
        assert reached[column].item() == pytest.approx(best_f1(probabilities[:, column], labels[:, column]))


def test_a_threshold_lies_between_two_images():
    probabilities = torch.tensor([[0.9], [0.8], [0.7], [0.6], [0.5], [0.1], [0.05]]).double()
    labels = torch.tensor([[1], [1], [1], [1], [1], [0], [0]])
    assert choose_thresholds(probabilities, labels).item() == pytest.approx(0.3)
    assert choose_thresholds(probabilities, torch.ones_like(labels)).item() == pytest.approx(0.025)


def test_rare_labels_have_the_threshold_of_all_together():
    logits, labels = drawn(1, images=200, classes=4)
    probabilities = logits.sigmoid()
    labels[:, 2:] = 0
    labels[:3, 2] = 1
    found = choose_thresholds(probabilities, labels)
    assert found[2] == found[3]
    assert found[2].item() not in found[:2].tolist()
    micro = label_f1((probabilities >= found[2]).reshape(-1, 1), labels.reshape(-1, 1))[2].item()
    assert micro == pytest.approx(best_f1(probabilities.flatten(), labels.flatten()))
    assert choose_thresholds(probabilities, torch.zeros_like(labels)).tolist() == [0.5] * 4


def test_figures_of_labels_are_those_of_scikit_learn():
    logits, labels = drawn(2)
    said = logits > 0.5
    said[:, 3] = False
    labels[:, 1] = 0
    theirs = precision_recall_fscore_support(labels.numpy(), said.numpy(), average=None, zero_division=0)
    for ours, expected in zip(label_f1(said, labels), theirs, strict=False):
        assert ours.tolist() == pytest.approx(expected.tolist())


def test_what_does_not_fit_is_said():
    with pytest.raises(ShapeError, match="fits the same"):
        fit_label_temperature(torch.zeros(2, 3), torch.zeros(2))
    with pytest.raises(ShapeError, match="a label is 3"):
        choose_thresholds(torch.zeros(1, 1), torch.tensor([[3]]))
