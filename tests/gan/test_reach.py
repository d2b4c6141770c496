"""Coverage is held against what other images of the same kind would cover."""

import pytest

from striate.gan.reach import UNLIKE, UNREACHED, judge_coverage, judge_resemblance
from striate.metrics.estimates import Estimate


@pytest.mark.parametrize(("factor", "level"), [(0.99, "warning"), (1.01, "note")])
def test_verdicts_go_by_the_upper_bound(factor, level):
    among = Estimate(0.01, (0.0, UNLIKE * 0.9 * factor))
    covered = Estimate(0.01, (0.0, UNREACHED * 0.97 * factor))
    found = judge_resemblance(among, 0.9, 300), judge_coverage(covered, 0.97, 500)
    assert [finding.level for finding in found] == [level, level]
    assert [bool(finding.advice) for finding in found] == [level == "warning"] * 2
    assert [finding.images for finding in found] == [300, 500]
