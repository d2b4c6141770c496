"""The evaluation of several labels: its figures against scikit-learn's, and its way through JSON."""

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, log_loss

from striate.core.errors import RunError, ShapeError
from striate.core.intervals import wilson
from striate.metrics import MultiLabelEvaluation, evaluate_label_logits
from striate.metrics.multi_label_evaluation import label_calibration_error


def drawn(seed: int = 0, images: int = 200, classes: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(images, classes, generator=generator).double() - 1
    labels = (torch.rand(images, classes, generator=generator) < logits.sigmoid()).long()
    return logits, labels


def test_the_figures_are_those_of_the_oracles():
    logits, labels = drawn()
    thresholds = [0.3, 0.4, 0.5, 0.6, 0.2]
    found = evaluate_label_logits(logits, labels, list("abcde"), temperature=2.0, thresholds=thresholds)
    probabilities = (logits / 2).sigmoid()
    said = probabilities >= torch.tensor(thresholds)
    precisions = [average_precision_score(labels[:, k], logits[:, k]) for k in range(5)]
    assert found.images == 200
    assert found.average_precision == pytest.approx(precisions)
    assert found.mean_average_precision == pytest.approx(sum(precisions) / 5)
    assert found.f1 == pytest.approx(f1_score(labels, said, average=None))
    assert found.macro_f1 == pytest.approx(f1_score(labels, said, average="macro"))
    assert found.micro_f1 == pytest.approx(f1_score(labels, said, average="micro"))
    assert found.exact_match == pytest.approx(accuracy_score(labels, said))
    assert found.exact_match_interval == wilson(round(found.exact_match * 200), 200)
    losses = [log_loss(labels[:, k], probabilities[:, k]) for k in range(5)]
    assert found.negative_log_likelihood == pytest.approx(sum(losses) / 5)
    assert found.brier == pytest.approx(((probabilities - labels) ** 2).mean().item())
    assert found.calibration_error == label_calibration_error(probabilities, labels)
    assert found.calibration_error_uncalibrated == label_calibration_error(logits.sigmoid(), labels)
    assert found.support == tuple(labels.sum(dim=0).tolist())
    for value, interval, images in zip(
        found.average_precision, found.average_precision_intervals, found.support, strict=True
    ):
        assert interval == wilson(value * images, images)
    low, high = found.interval
    assert low < found.mean_average_precision < high


def test_a_calibrated_network_has_a_small_calibration_error():
    logits, labels = drawn(images=20_000)
    thresholds = [0.5] * 5
    found = evaluate_label_logits(logits, labels, list("abcde"), thresholds=thresholds)
    assert found.calibration_error < 0.01
    assert (
        evaluate_label_logits(4 * logits, labels, list("abcde"), thresholds=thresholds).calibration_error
        > 0.1
    )


@given(st.integers(0, 100), st.integers(1, 20), st.integers(1, 5), st.floats(0.05, 20))
def test_it_goes_through_json_unchanged(seed, images, classes, temperature):
    logits, labels = drawn(seed, images, classes)
    thresholds = [0.5] * classes
    names = [f"label {number}" for number in range(classes)]
    found = evaluate_label_logits(logits, labels, names, temperature=temperature, thresholds=thresholds)
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert MultiLabelEvaluation.from_dict(json.loads(text)) == found


def test_labels_that_no_image_has_have_no_figure():
    labels = torch.tensor([[0, 1], [0, 0]])
    found = evaluate_label_logits(torch.zeros(2, 2), labels, ["a", "b"], thresholds=[0.6, 0.6])
    assert found.average_precision == (None, 0.5)
    assert found.average_precision_intervals[0] is None
    assert (found.mean_average_precision, found.macro_f1, found.support) == (0.5, 0, (0, 1))
    nothing = evaluate_label_logits(torch.zeros(2, 2), torch.zeros(2, 2), ["a", "b"], thresholds=[0.6, 0.6])
    assert (nothing.mean_average_precision, nothing.interval, nothing.exact_match) == (0, (0, 1), 1)


@pytest.mark.parametrize("temperature", [0, -1, math.nan, math.inf])
def test_a_temperature_must_be_over_zero(temperature):
    with pytest.raises(ShapeError, match="temperature"):
        evaluate_label_logits(
            torch.zeros(1, 1), torch.ones(1, 1), "a", temperature=temperature, thresholds=[0.5]
        )


def test_names_and_thresholds_must_be_as_many_as_labels():
    with pytest.raises(ShapeError, match="2 names and 1 thresholds for 1 columns"):
        evaluate_label_logits(torch.zeros(1, 1), torch.ones(1, 1), "ab", thresholds=[0.5])


def test_what_is_no_evaluation_is_said():
    values = evaluate_label_logits(torch.zeros(1, 1), torch.ones(1, 1), "a", thresholds=[0.5]).to_dict()
    del values["brier"]
    with pytest.raises(RunError, match="lacks brier"):
        MultiLabelEvaluation.from_dict(values)
    with pytest.raises(RunError, match="damaged in thresholds"):
        MultiLabelEvaluation.from_dict({**values, "brier": 0.5, "thresholds": 0.5})
