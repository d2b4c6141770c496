"""Budgets: how much of a training is done, and when it must end, in steps or in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Budget(Protocol):
    """Says what share of a training is done and whether another step still fits."""

    def share(self, *, step: float, elapsed: float) -> float:
        """Give the share that is done, from 0 to 1.

        Args:
            step: steps taken; half of one means the middle of a step.
            elapsed: seconds of training so far.
        """

    def is_spent(self, *, step: int, elapsed: float, step_seconds: float) -> bool:
        """Say whether the training must end now.

        Args:
            step: steps taken.
            elapsed: seconds of training so far.
            step_seconds: what one more step takes.
        """

    def may_validate(self, *, elapsed: float, step_seconds: float) -> bool:
        """Say whether a validation now leaves time for more steps and the last validation.

        Args:
            elapsed: seconds of training so far.
            step_seconds: what one step takes.
        """

    def seconds_left(self, *, step: int, elapsed: float, step_seconds: float) -> float:
        """Estimate the seconds to the end.

        Args:
            step: steps taken.
            elapsed: seconds of training so far.
            step_seconds: what one step takes.
        """


@dataclass(frozen=True)
class StepBudget:
    """A training of a fixed number of steps, the same on every machine.

    Args:
        steps: how many, at least 1.

    >>> StepBudget(100).share(step=25, elapsed=9.0)
    0.25
    """

    steps: int

    def share(self, *, step: float, elapsed: float) -> float:  # noqa: ARG002
        """Give the share of the steps that are taken."""
        return min(1.0, step / self.steps)

    def is_spent(self, *, step: int, elapsed: float, step_seconds: float) -> bool:  # noqa: ARG002
        """Say whether all steps are taken."""
        return step >= self.steps

    def may_validate(self, *, elapsed: float, step_seconds: float) -> bool:  # noqa: ARG002
        """Say yes: time does not matter."""
        return True

    def seconds_left(self, *, step: int, elapsed: float, step_seconds: float) -> float:  # noqa: ARG002
        """Estimate the seconds that the steps left will take."""
        return max(0, self.steps - step) * step_seconds


@dataclass
class TimeBudget:
    """A training of a fixed time, whatever the machine manages in it.

    The share follows the elapsed time, so that a schedule ends at the end even where the speed
    changes on the way.

    Args:
        seconds: the time, over 0.
        reserve: seconds kept at the end for the last validation; set it when it has been measured.

    >>> budget = TimeBudget(60, reserve=10)
    >>> budget.share(step=0, elapsed=25)
    0.5
    >>> budget.is_spent(step=9, elapsed=49.8, step_seconds=1.0)
    True
    """

    seconds: float
    reserve: float = 0.0

    def share(self, *, step: float, elapsed: float) -> float:  # noqa: ARG002
        """Give the share of the time that has passed."""
        return min(1.0, elapsed / self._usable())

    def is_spent(self, *, step: int, elapsed: float, step_seconds: float) -> bool:  # noqa: ARG002
        """Say whether one more step would end further from the budget than stopping now does."""
        return elapsed + step_seconds / 2 >= self._usable()

    def may_validate(self, *, elapsed: float, step_seconds: float) -> bool:
        """Say whether a validation now, some steps and the last validation still fit."""
        return elapsed + 2 * self.reserve + 5 * step_seconds <= self.seconds

    def seconds_left(self, *, step: int, elapsed: float, step_seconds: float) -> float:  # noqa: ARG002
        """Give the seconds that are left."""
        return max(0.0, self.seconds - elapsed)

    def _usable(self) -> float:
        # Where the reserve would eat the budget, half of it still goes into steps.
        return max(self.seconds - self.reserve, self.seconds / 2)
