"""The evaluation: its figures against the functions and oracles, and its way through JSON."""

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss

from striate.core.errors import RunError, ShapeError
from striate.core.intervals import wilson
from striate.metrics import Evaluation, brier_score, evaluate_logits, expected_calibration_error


def evaluation(seed: int = 0, images: int = 60, classes: int = 7, temperature: float = 1.5) -> Evaluation:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, classes, generator=generator) * 3
    labels = torch.randint(classes, (images,), generator=generator)
    return evaluate_logits(logits, labels, [f"class {i}" for i in range(classes)], temperature)


def test_the_figures_are_those_of_the_oracles():
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(200, 6, generator=generator).double() * 3
    labels = torch.randint(6, (200,), generator=generator)
    found = evaluate_logits(logits, labels, list("abcdef"), 2.0)
    predicted = logits.argmax(1)
    assert found.images == 200
    assert found.accuracy == pytest.approx(accuracy_score(labels, predicted))
    assert found.interval == wilson(int((labels == predicted).sum()), 200)
    assert found.negative_log_likelihood == pytest.approx(log_loss(labels, (logits / 2).softmax(1)))
    assert found.brier == pytest.approx(brier_score(logits / 2, labels))
    assert found.calibration_error == expected_calibration_error(logits / 2, labels)
    assert found.calibration_error_uncalibrated == expected_calibration_error(logits, labels)
    assert found.f1 == pytest.approx(f1_score(labels, predicted, average=None))
    assert found.support == tuple(torch.bincount(labels).tolist())


@pytest.mark.parametrize(("classes", "given"), [(2, False), (5, False), (6, True)])
def test_top_five_is_given_where_there_are_more_than_five(classes, given):
    assert (evaluation(classes=classes).top5 is not None) == given


@given(
    seed=st.integers(0, 100),
    images=st.integers(1, 20),
    classes=st.integers(1, 8),
    temperature=st.floats(0.05, 20),
)
def test_it_goes_through_json_unchanged(seed, images, classes, temperature):
    found = evaluation(seed, images, classes, temperature)
    assert Evaluation.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_one_class_and_perfect_predictions_are_no_trouble():
    single = evaluate_logits(torch.zeros(3, 1), torch.zeros(3, dtype=torch.long), ["all"])
    assert (single.accuracy, single.negative_log_likelihood, single.brier) == (1, 0, 0)
    perfect = evaluate_logits(100 * torch.eye(6), torch.arange(6), list("abcdef"), 0.05)
    assert (perfect.accuracy, perfect.top5, perfect.f1) == (1, 1, (1,) * 6)


@pytest.mark.parametrize("temperature", [0, -1, math.nan, math.inf])
def test_a_temperature_must_be_over_zero(temperature):
    with pytest.raises(ShapeError, match="temperature"):
        evaluate_logits(torch.zeros(1, 2), torch.tensor([0]), ["a", "b"], temperature)


def test_names_must_be_as_many_as_classes():
    with pytest.raises(ShapeError, match="3 class names for 2"):
        evaluate_logits(torch.zeros(1, 2), torch.tensor([0]), ["a", "b", "c"])


def test_a_missing_figure_is_named():
    values = evaluation().to_dict()
    del values["brier"]
    with pytest.raises(RunError, match="lacks brier"):
        Evaluation.from_dict(values)


@pytest.mark.parametrize(("name", "value"), [("confusion", 3), ("interval", None), ("confusion", [["a"]])])
def test_a_damaged_figure_is_refused(name, value):
    with pytest.raises(RunError, match="damaged"):
        Evaluation.from_dict({**evaluation().to_dict(), name: value})


def test_unknown_figures_are_passed_over():
    assert Evaluation.from_dict({**evaluation().to_dict(), "newer": 1}) == evaluation()
