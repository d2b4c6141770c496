"""The Inception Score against torchmetrics, its definition and its limits."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torchmetrics.image.inception import InceptionScore

from striate.core.errors import ShapeError, TrainingError
from striate.metrics import inception_estimate, inception_score


def by_definition(probabilities):
    mean = probabilities.mean(axis=0)
    divergences = [
        sum(p * np.log(p / q) for p, q in zip(row, mean, strict=True) if p > 0) for row in probabilities
    ]
    return np.exp(np.mean(divergences))


@given(images=st.integers(1, 12), classes=st.integers(1, 6), seed=st.integers(0, 999))
def test_it_is_its_definition(images, classes, seed):
    probabilities = np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), images)
    found = inception_score(torch.from_numpy(probabilities), splits=1)
    assert found == pytest.approx(by_definition(probabilities), rel=1e-9)
    assert 1 - 1e-12 <= found <= classes + 1e-9


@pytest.mark.filterwarnings("ignore:Metric `InceptionScore`")
@pytest.mark.parametrize("splits", [2, 10])
def test_it_is_torchmetrics(splits):
    torch.manual_seed(0)
    logits = torch.randn(200, 7) * 3
    metric = InceptionScore(feature=nn.Flatten(), splits=splits)
    metric.update(logits[:, :, None, None])
    torch.manual_seed(5)
    order = torch.randperm(200)
    torch.manual_seed(5)
    expected = float(metric.compute()[0])
    found = inception_score(logits.softmax(dim=1)[order], splits=splits)
    assert found == pytest.approx(expected, rel=1e-5)


def test_its_limits_are_one_class_and_each_class_surely():
    sure = torch.eye(5).repeat(20, 1)
    assert inception_score(sure, splits=1) == pytest.approx(5)
    assert inception_score(torch.full((30, 5), 0.2), splits=3) == pytest.approx(1)
    assert inception_score(torch.eye(5)[:1].repeat(30, 1), splits=1) == pytest.approx(1)


def test_an_interval_holds_what_other_samples_give():
    def sample(seed):
        return torch.from_numpy(np.random.default_rng(seed).dirichlet(np.full(6, 0.2), 400))

    mean = np.mean([inception_score(sample(seed), splits=2) for seed in range(1000, 1100)])
    estimates = [inception_estimate(sample(seed), splits=2, seed=seed) for seed in range(60)]
    assert sum(each.interval[0] <= mean <= each.interval[1] for each in estimates) >= 52
    assert estimates[0].value == inception_score(sample(0), splits=2)


def test_few_images_make_it_too_low():
    source = np.random.default_rng(0)
    many = torch.from_numpy(source.dirichlet(np.full(10, 0.1), 20_000))
    few = np.mean([inception_score(part, splits=1) for part in many[:2000].split(20)])
    assert few < inception_score(many, splits=1) - 0.3


@pytest.mark.parametrize(
    ("probabilities", "splits", "error", "sentence"),
    [
        (torch.rand(4), 1, ShapeError, r"float32 of the shape \(4,\)"),
        (torch.eye(4).long(), 1, ShapeError, "int64"),
        (torch.zeros(0, 3), 1, ShapeError, r"\(0, 3\)"),
        (torch.eye(4), 5, ShapeError, "4 images cannot be measured in 5 splits; 1 to 4 work"),
        (torch.eye(4), 0, ShapeError, "in 0 splits"),
        (torch.full((4, 2), 0.7), 1, ShapeError, "4 of 4 rows are no probabilities"),
        (torch.tensor([[1.5, -0.5]]), 1, ShapeError, "1 of 1 rows are no probabilities"),
        (torch.full((4, 2), torch.nan), 1, TrainingError, "4 of 4 images are not finite"),
    ],
)
def test_what_is_no_probability_is_refused(probabilities, splits, error, sentence):
    with pytest.raises(error, match=sentence):
        inception_score(probabilities, splits=splits)
