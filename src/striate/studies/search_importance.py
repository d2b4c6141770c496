"""How much of the order of trials each parameter explains by itself."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

import numpy as np

LEAST_TRIALS = 6
"""Of fewer trials nothing is said."""

MOST_VALUES = 3
"""Numbers that took more values than these are put into three groups of about one size."""


class Tried(Protocol):
    """A trial as far as importance goes."""

    @property
    def values(self) -> Mapping[str, str | int | float]:
        """Of its parameters, by name."""

    @property
    def state(self) -> str:
        """``complete`` where it came to its end."""

    @property
    def accuracy(self) -> float:
        """What it reached."""


@dataclass(frozen=True)
class Importance:
    """The share of the variance of the trials' ranks by accuracy that a parameter explains.

    Args:
        name: of the parameter.
        share: in [0, 1]; 0 where groups differ no more than by chance.
        trials: how many complete trials had the parameter.
    """

    name: str
    share: float
    trials: int


def importances(trials: Sequence[Tried]) -> list[Importance]:
    """Compute how much of the order of complete trials each parameter explains by itself.

    Epsilon squared of a one-way analysis of variance of the ranks by accuracy, so that one trial that failed
    does not count for more than another: with trials in groups by the parameter's value,
    ``(SS_between - (k - 1) SS_within / (n - k)) / SS_total``, which is 0 in the mean where the value does not
    matter. Parameters that matter only together with others are not seen; values were drawn to be good, and
    not evenly.

    Args:
        trials: those that were pruned or diverged are left out.

    Returns:
        A figure for each parameter that took two values or more in at least six complete trials, the largest
        first.

    Source: Kelley, An unbiased correlation ratio measure, PNAS 21 (1935); on ranks, Kruskal
    and Wallis, Use of Ranks in One-Criterion Variance Analysis (1952).
    """
    complete = [trial for trial in trials if trial.state == "complete"]
    names = dict.fromkeys(name for trial in complete for name in trial.values)
    found = []
    for name in names:
        having = [trial for trial in complete if name in trial.values]
        groups = _groups([trial.values[name] for trial in having])
        if len(having) >= LEAST_TRIALS and 1 < len(set(groups)) < len(having):
            share = explained(_ranks([trial.accuracy for trial in having]), groups)
            found.append(Importance(name, share, len(having)))
    return sorted(found, key=lambda each: -each.share)


def explained(values: Sequence[float], groups: Sequence[Hashable]) -> float:
    """Compute the share of a variance that lies between groups, corrected for chance.

    Args:
        values: more than there are groups.
        groups: of each value its group.

    Returns:
        Epsilon squared, but at least 0; 0 where all values are equal.

    >>> explained([1.0, 1.0, 2.0, 2.0], "aabb")
    1.0
    """
    total = sum((value - fmean(values)) ** 2 for value in values)
    by_group: dict[Hashable, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        by_group.setdefault(group, []).append(value)
    within = sum((value - fmean(each)) ** 2 for each in by_group.values() for value in each)
    if total <= 1e-18:
        return 0.0
    by_chance = (len(by_group) - 1) * within / (len(values) - len(by_group))
    return max(0.0, (total - within - by_chance) / total)


def _ranks(values: Sequence[float]) -> list[float]:
    """Give how many values each is above, equal ones counted as half."""
    return [sum((value > other) + (value == other) / 2 for other in values) for value in values]


def _groups(values: Sequence[str | int | float]) -> list[Hashable]:
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values) or len(set(values)) <= MOST_VALUES:
        return list(values)
    edges = np.quantile(numbers, [1 / 3, 2 / 3])
    return [int(group) for group in np.searchsorted(edges, numbers)]
