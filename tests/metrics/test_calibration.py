"""Likelihood, Brier score, calibration error and temperature against torch, scikit-learn and torchmetrics."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from striate.core.errors import ShapeError
from striate.metrics import brier_score, expected_calibration_error, fit_temperature, negative_log_likelihood

seeds = st.integers(0, 10_000)
sizes = {"images": st.integers(1, 50), "classes": st.integers(2, 12)}


def batch(seed: int, images: int, classes: int, scale: float = 2.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, classes, generator=generator, dtype=torch.float64) * scale
    return logits, torch.randint(classes, (images,), generator=generator)


def drawn_from(logits: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Labels that the probabilities of these logits tell the truth about."""
    generator = torch.Generator().manual_seed(seed)
    return torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)


@given(seed=seeds, **sizes)
def test_likelihood_agrees_with_scikit_learn(seed, images, classes):
    logits, labels = batch(seed, images, classes)
    theirs = log_loss(labels, logits.softmax(1), labels=range(classes))
    assert negative_log_likelihood(logits, labels) == pytest.approx(theirs)


@given(seed=seeds, images=st.integers(1, 50), classes=st.integers(3, 12))
def test_brier_agrees_with_scikit_learn(seed, images, classes):
    logits, labels = batch(seed, images, classes)
    theirs = brier_score_loss(labels, logits.softmax(1), labels=range(classes), scale_by_half=False)
    assert brier_score(logits, labels) == pytest.approx(theirs)


@given(seed=seeds, bins=st.integers(1, 30), **sizes)
def test_calibration_error_agrees_with_torchmetrics(seed, images, classes, bins):
    logits, labels = batch(seed, images, classes)
    theirs = multiclass_calibration_error(
        logits.softmax(1), labels, num_classes=classes, n_bins=bins, norm="l1", validate_args=False
    )
    assert expected_calibration_error(logits, labels, bins) == pytest.approx(float(theirs), abs=1e-5)


@given(seed=seeds, bins=st.integers(1, 30), scale=st.floats(0, 100), **sizes)
def test_every_figure_stays_in_its_range(seed, images, classes, bins, scale):
    logits, labels = batch(seed, images, classes, scale)
    assert 0 <= negative_log_likelihood(logits, labels) < math.inf
    assert 0 <= brier_score(logits, labels) <= 2 + 1e-12
    assert 0 <= expected_calibration_error(logits, labels, bins) <= 1 + 1e-12
    assert 0.05 <= fit_temperature(logits, labels) <= 20


def test_equal_probabilities_earn_what_the_formulas_say():
    logits, labels = torch.zeros(8, 4), torch.arange(8) % 4
    assert negative_log_likelihood(logits, labels) == pytest.approx(math.log(4))
    assert brier_score(logits, labels) == pytest.approx(3 / 4)
    assert expected_calibration_error(logits, labels) == pytest.approx(0)


def test_certainty_lies_in_the_last_bin():
    logits, labels = torch.tensor([[1000.0, 0.0], [1000.0, 0.0], [30.0, 0.0]]), torch.tensor([0, 1, 1])
    assert expected_calibration_error(logits, labels) == pytest.approx(2 / 3)


def test_gaps_of_opposite_sign_cancel_within_a_bin_and_not_between_bins():
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.2, 0.0], [0.2, 0.0]])
    sure, unsure = (torch.tensor([high, 0.0]).softmax(0)[0].item() for high in (2.0, 0.2))
    error = expected_calibration_error(logits, torch.tensor([0, 1, 0, 0]))
    assert error == pytest.approx((abs(0.5 - sure) + abs(1 - unsure)) / 2)


@pytest.mark.parametrize("bins", [0, -3])
def test_no_bins_are_refused(bins):
    with pytest.raises(ShapeError, match=f"{bins} bins"):
        expected_calibration_error(torch.zeros(1, 2), torch.tensor([0]), bins)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 7.0])
def test_the_temperature_that_labels_were_drawn_with_is_found(temperature):
    logits, _ = batch(1, 8000, 10, scale=3)
    labels = drawn_from(logits)
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_temperature_agrees_with_a_minimiser_of_the_likelihood(seed):
    logits, _ = batch(seed, 5000, 8, scale=3)
    labels = drawn_from(logits, seed)
    wrong_by = (1.7 + seed) * logits
    best = minimize_scalar(
        lambda log: negative_log_likelihood(wrong_by / math.exp(log), labels),
        bounds=(math.log(0.05), math.log(20)),
        method="bounded",
        options={"xatol": 1e-8},
    )
    ours = fit_temperature(wrong_by, labels)
    assert ours == pytest.approx(math.exp(best.x), rel=0.01)
    assert negative_log_likelihood(wrong_by / ours, labels) == pytest.approx(best.fun, abs=1e-4)


@given(seed=seeds, **sizes)
def test_temperature_minimises_the_smoothed_likelihood(seed, images, classes):
    logits, labels = batch(seed, images, classes)
    smoothing = 1 / (images + 1)

    def loss(temperature: float) -> float:
        return float(
            torch.nn.functional.cross_entropy(logits / temperature, labels, label_smoothing=smoothing)
        )

    ours = fit_temperature(logits, labels)
    grid = [0.05, 0.2, 0.5, 0.9 * ours, 1.0, 1.1 * ours, 2, 5, 20]
    assert loss(ours) <= min(loss(t) for t in grid if 0.05 <= t <= 20) + 1e-9


@given(seed=seeds, **sizes)
def test_temperature_undoes_a_scale(seed, images, classes):
    logits, labels = batch(seed, images, classes)
    once, twice = fit_temperature(logits, labels), fit_temperature(2 * logits, labels)
    if 0.051 < once < 9.99:  # neither is at a bound
        assert twice == pytest.approx(2 * once, rel=1e-6)


def test_temperature_lowers_the_calibration_error_of_an_overconfident_network():
    logits, _ = batch(3, 4000, 10, scale=2)
    labels = drawn_from(logits)
    sure = 4 * logits
    before = expected_calibration_error(sure, labels)
    after = expected_calibration_error(sure / fit_temperature(sure, labels), labels)
    assert before > 0.15
    assert after < 0.03


@pytest.mark.parametrize("images", [1, 9, 999])
def test_images_that_are_all_right_earn_no_certainty(images):
    logits = torch.tensor([[9.0, 0.0, 0.0]]).repeat(images, 1)
    labels = torch.zeros(images, dtype=torch.long)
    confidence = (logits / fit_temperature(logits, labels)).softmax(1)[0, 0]
    assert confidence == pytest.approx((images + 1 / 3) / (images + 1), abs=1e-3)


def test_the_temperature_is_bounded():
    labels = torch.zeros(4, dtype=torch.long)
    assert fit_temperature(torch.tensor([[0.0, 1.0]]).repeat(4, 1), labels) == pytest.approx(20)
    assert fit_temperature(torch.tensor([[1e-3, 0.0]]).repeat(4, 1), labels) == pytest.approx(0.05)
    assert fit_temperature(torch.tensor([[1e30, 0.0]]).repeat(4, 1), labels) == pytest.approx(20)


@pytest.mark.parametrize("classes", [1, 7])
def test_where_no_temperature_is_better_it_is_one(classes):
    logits = torch.arange(3.0)[:, None].expand(3, classes)
    assert fit_temperature(logits, torch.zeros(3, dtype=torch.long)) == 1
