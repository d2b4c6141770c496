"""The fitted power law: exact where there is no noise, near a known law where there is, honest intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import LayerError
from striate.studies.power_law import PowerLaw, fit_power_law

COUNTS = (250, 500, 1000, 2000, 4000)


@given(
    scale=st.floats(0.02, 0.3),
    exponent=st.integers(20, 120).map(lambda each: each / 100),
    floor=st.floats(0, 0.1),
)
def test_errors_that_follow_a_law_give_that_law(scale, exponent, floor) -> None:
    law = PowerLaw(scale=scale, exponent=exponent, floor=floor, reference=4000)
    errors = [law.at(count) for count in COUNTS]
    if max(errors) > 0.95:
        return
    found = fit_power_law(COUNTS, [[error] for error in errors]).law
    assert found.reference == 4000
    assert found.exponent == pytest.approx(exponent, abs=0.0101)
    for count in (*COUNTS, 8000):
        assert found.at(count) == pytest.approx(law.at(count), rel=0.02, abs=1e-4)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=5))
def test_any_errors_give_a_law_that_never_rises_and_is_no_worse_than_their_mean(means) -> None:
    counts = COUNTS[: len(means)]
    law = fit_power_law(counts, [[mean] for mean in means]).law
    assert law.scale >= 0
    assert law.floor >= 0
    errors = np.array(means)
    weights = 1 / np.maximum(errors * (1 - errors), 1e-4)
    fitted = np.array([law.at(count) for count in counts])
    constant = (weights * errors).sum() / weights.sum()
    assert (weights * (errors - fitted) ** 2).sum() <= (weights * (errors - constant) ** 2).sum() + 1e-9


def test_intervals_cover_the_law_about_as_often_as_they_say() -> None:
    law = PowerLaw(scale=0.1, exponent=0.4, floor=0.02, reference=4000)
    generator = np.random.default_rng(0)
    covered = 0
    for number in range(40):
        errors = [law.at(count) + 0.004 * generator.standard_normal(5) for count in COUNTS]
        low, high = fit_power_law(COUNTS, errors, seed=number).interval(lambda each: each.at(8000))
        covered += low <= law.at(8000) <= high
    assert 33 <= covered <= 40


def test_more_noise_is_a_wider_interval_and_a_single_seed_has_none() -> None:
    widths = []
    for noise in (0.001, 0.01):
        errors = [[0.3 / count**0.3 + noise, 0.3 / count**0.3 - noise] for count in COUNTS]
        low, high = fit_power_law(COUNTS, errors).interval(lambda each: each.at(8000))
        widths.append(high - low)
    assert widths[0] < widths[1] / 4
    assert fit_power_law(COUNTS, [[0.1]] * 5).interval(lambda each: each.floor) is None


def test_a_bend_that_no_law_has_widens_the_interval() -> None:
    straight = [[0.2, 0.201], [0.15, 0.151], [0.11, 0.111], [0.08, 0.081], [0.06, 0.061]]
    bent = [[0.2, 0.201], [0.19, 0.191], [0.11, 0.111], [0.1, 0.101], [0.02, 0.021]]
    widths = []
    for errors in (straight, bent):
        low, high = fit_power_law(COUNTS, errors).interval(lambda each: each.at(4000))
        widths.append(high - low)
    assert widths[1] > 3 * widths[0]


def test_two_numbers_of_images_make_no_curve() -> None:
    with pytest.raises(LayerError, match="2 numbers of images make no curve; 3"):
        fit_power_law([10, 20, 20], [[0.1], [0.2], [0.3]])
