"""Coverage is held against what other images of the same kind would cover."""

import numpy as np
import pytest
import torch

from striate.gan.reach import (
    UNLIKE,
    UNREACHED,
    expected_coverage,
    judge_coverage,
    judge_resemblance,
)
from striate.metrics.estimates import Estimate
from striate.metrics.neighbours import DENSITY_NEIGHBOURS, neighbour_estimates


def normal(count: int, *, seed: int, width: int = 4) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("real", "samples"), [(100, 100), (60, 200), (200, 50)])
def test_samples_of_the_data_cover_as_much_as_expected(real, samples):
    covered = [
        neighbour_estimates(normal(real, seed=2 * seed + 1), normal(samples, seed=2 * seed)).coverage.value
        for seed in range(40)
    ]
    error = np.std(covered) / np.sqrt(len(covered))
    assert np.mean(covered) == pytest.approx(expected_coverage(real, samples), abs=4 * error)


def test_equal_numbers_approach_one_less_a_power_of_two():
    assert expected_coverage(10**6, 10**6) == pytest.approx(1 - 2.0**-DENSITY_NEIGHBOURS, abs=1e-4)


@pytest.mark.parametrize(("factor", "level"), [(0.99, "warning"), (1.01, "note")])
def test_verdicts_go_by_the_upper_bound(factor, level):
    among = Estimate(0.01, (0.0, UNLIKE * 0.9 * factor))
    covered = Estimate(0.01, (0.0, UNREACHED * 0.97 * factor))
    found = judge_resemblance(among, 0.9, 300), judge_coverage(covered, 0.97, 500)
    assert [finding.level for finding in found] == [level, level]
    assert [bool(finding.advice) for finding in found] == [level == "warning"] * 2
    assert [finding.images for finding in found] == [300, 500]
