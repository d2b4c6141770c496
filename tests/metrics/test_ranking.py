"""Average precision: scikit-learn's figures with ties and without, what is undefined, and its intervals."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from striate.core.errors import ShapeError, TrainingError
from striate.core.intervals import wilson
from striate.metrics import average_precision, mean_average_precision
from striate.metrics.ranking import influences, mean_interval, precision_interval, telling


def drawn(seed: int, images: int, classes: int, levels: int = 10**6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(levels, (images, classes), generator=generator).double() / levels
    labels = torch.randint(2, (images, classes), generator=generator)
    return scores, labels


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 4), st.sampled_from([1, 2, 3, 10, 10**6]))
def test_it_is_that_of_scikit_learn(seed, images, classes, levels):
    scores, labels = drawn(seed, images, classes, levels)
    found = average_precision(scores, labels)
    for column in range(classes):
        if labels[:, column].any():
            expected = average_precision_score(labels[:, column].numpy(), scores[:, column].numpy())
            assert found[column].item() == pytest.approx(expected, abs=1e-12)
        else:
            assert math.isnan(found[column])


def test_it_is_that_of_torchmetrics():
    classification = pytest.importorskip("torchmetrics.functional.classification")
    scores, labels = drawn(3, 200, 5)
    expected = classification.multilabel_average_precision(scores, labels, num_labels=5, average=None)
    assert torch.allclose(average_precision(scores, labels), expected.double(), atol=1e-6)
    macro = classification.multilabel_average_precision(scores, labels, num_labels=5)
    assert mean_average_precision(scores, labels) == pytest.approx(macro.item(), abs=1e-6)


@given(st.integers(0, 1000))
def test_only_the_order_matters(seed):
    scores, labels = drawn(seed, 30, 3)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(seed))
    found = average_precision(scores, labels)
    assert torch.allclose(average_precision(5 * scores**3 - 2, labels), found, equal_nan=True)
    assert torch.allclose(average_precision(scores[order], labels[order]), found, equal_nan=True)


def test_labels_of_no_image_and_of_all_are_left_out_of_the_mean():
    labels = torch.tensor([[1, 0, 1], [1, 0, 0], [1, 0, 1]])
    scores = torch.tensor([[0.1, 0.2, 0.3], [0.2, 0.3, 0.2], [0.3, 0.4, 0.1]])
    assert telling(labels).tolist() == [False, False, True]
    assert mean_average_precision(scores, labels) == pytest.approx((1 + 2 / 3) / 2)
    assert mean_average_precision(scores[:, :2], labels[:, :2]) == 0


@pytest.mark.parametrize(
    ("scores", "labels", "words"),
    [
        (torch.zeros(3, 2), torch.zeros(3, 3), r"\(3, 3\); to scores \(3, 2\)"),
        (torch.zeros(3, 2), torch.zeros(3), "fits the same"),
        (torch.zeros(3), torch.zeros(3), "floats of the shape"),
        (torch.zeros(0, 2), torch.zeros(0, 2), "at least one image"),
        (torch.zeros(3, 2).long(), torch.zeros(3, 2), "floats of the shape"),
        (torch.zeros(1, 2), torch.tensor([[0.5, 1]]), "a label is 0.5"),
        (torch.zeros(1, 2), torch.tensor([[0, 2]]), "a label is 2"),
    ],
)
def test_what_does_not_fit_is_said(scores, labels, words):
    with pytest.raises(ShapeError, match=words):
        average_precision(scores, labels)


def test_scores_that_are_no_numbers_are_said():
    with pytest.raises(TrainingError, match="1 of 2 images"):
        average_precision(torch.tensor([[math.nan], [1.0]]), torch.tensor([[1], [0]]))


@settings(max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([3, 10**6]))
def test_influences_are_the_slopes_by_weights_of_scikit_learn(seed, levels):
    scores, labels = drawn(seed, 12, 2, levels)
    labels[0] = 1
    found = influences(scores, labels)
    assert torch.allclose(found.sum(dim=0), torch.zeros(2).double(), atol=1e-12)
    for image in (0, 7):
        for column in range(2):
            values = []
            for step in (-1e-5, 1e-5):
                weights = np.ones(12)
                weights[image] += step
                truth, scored = labels[:, column].numpy(), scores[:, column].numpy()
                values.append(average_precision_score(truth, scored, sample_weight=weights))
            assert found[image, column].item() == pytest.approx((values[1] - values[0]) / 2e-5, abs=1e-6)


def test_intervals_are_wilsons_of_as_many_images_as_have_the_label():
    assert precision_interval(0.5, 10) == wilson(5, 10)
    assert precision_interval(1.0, 7)[1] == pytest.approx(1)
    assert precision_interval(1.0, 7)[0] < 0.7


def test_the_interval_of_the_mean_is_wide_where_labels_are_rare_or_go_together():
    scores, labels = drawn(0, 400, 4)
    labels[:, 1:] = (labels[:, 1:] == 1) & (scores[:, 1:] > 0.3)
    low, high = mean_interval(scores, labels)
    once = mean_interval(scores[:, :1], labels[:, :1])
    again = mean_interval(scores[:, :1].repeat(1, 4), labels[:, :1].repeat(1, 4))
    assert again == pytest.approx(once)  # the same four times over tells no more
    rare = labels.clone()
    rare[:, 3] = 0
    rare[0, 3] = 1
    assert high - low < once[1] - once[0]
    rare_low, rare_high = mean_interval(scores, rare)
    assert rare_high - rare_low > 3 * (high - low)
    assert mean_interval(scores, torch.ones_like(labels)) == (0, 1)
    perfect = mean_interval(labels.double(), labels)
    assert perfect[1] == pytest.approx(1)
    assert 0.97 < perfect[0] < 1


@pytest.mark.parametrize("hard", [0.0, 0.7, 2.0])
def test_intervals_cover_what_they_say(hard):
    """200 samples of scores of known average precision, that of a large sample."""
    generator = np.random.default_rng(0)

    def sample(images: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = generator.random((images, 6)) < 0.2
        shift = generator.normal(0, hard, (images, 1))  # images that are hard are so for all labels
        scores = 1.5 * labels + generator.normal(0, 1, (images, 6)) + shift * (1 - 2 * labels)
        return torch.from_numpy(scores), torch.from_numpy(labels.astype(np.int64))

    scores, labels = sample(100_000)
    truth, mean = average_precision(scores, labels), mean_average_precision(scores, labels)
    covered, covered_mean = [], []
    for _ in range(200):
        scores, labels = sample(150)
        counts = labels.sum(dim=0)
        for value, own, images in zip(average_precision(scores, labels), truth, counts, strict=True):
            low, high = precision_interval(float(value), float(images))
            covered.append(low <= own <= high)
        low, high = mean_interval(scores, labels)
        covered_mean.append(low <= mean <= high)
    assert np.mean(covered) >= 0.93
    assert np.mean(covered_mean) >= 0.88  # of so few images it is too high by up to half a standard error
