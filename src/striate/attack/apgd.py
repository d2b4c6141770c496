"""Auto-PGD: step lengths that choose themselves, on the cross entropy and on targeted ratios of logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from striate.attack.adaptive_steps import AdaptiveAscent
from striate.attack.ascending import check_steps
from striate.attack.attack import BallAttack
from striate.attack.draws import Draws
from striate.attack.goals import Targeted
from striate.attack.losses import aimed, log_odds, margin, targeted_dlr
from striate.attack.victim import Victim
from striate.core.errors import AttackError

Ascended: TypeAlias = Callable[[int, Tensor, Tensor], Tensor]
"""Gives N scores in a round, from its number, which images these are, and their logits."""


@dataclass(frozen=True, kw_only=True)
class APGDCE(BallAttack):
    """Ascend the cross entropy by Auto-PGD, as the logarithm of odds, which never saturates.

    Args:
        ball: where changed images may lie.
        goal: what the model shall answer.
        steps: of each restart, at least 1.
        restarts: how many times to begin at a random point of the ball, at least 1.

    Raises:
        AttackError: where there is no step or restart.

    Source: Croce and Hein, Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks (2020), sections 3 and 6. By L1 the projection is the one of their *Mind the box*
    (2021), and the share of values that a step moves stays the same.

    >>> from striate.attack.balls import Linf
    >>> APGDCE(Linf(8 / 255)).steps
    100
    """

    steps: int = 100
    restarts: int = 1

    def __post_init__(self) -> None:
        _check(self.steps, self.restarts)

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        def ascended(number: int, rows: Tensor, logits: Tensor) -> Tensor:
            del number
            return aimed(log_odds, self.goal.rows(rows), logits, labels[rows])

        rounds = _Rounds(self, self.steps, self.restarts, ascended)
        return rounds.run(victim, images, labels, draws)


@dataclass(frozen=True, kw_only=True)
class APGDT(BallAttack):
    """Ascend the targeted difference of logits ratio by Auto-PGD, towards one likely class after the other.

    Fewer than four classes have no such ratio: the difference of the logits is ascended. For a goal that is
    targeted itself, the margin of that target is.

    Args:
        ball: where changed images may lie.
        goal: what the model shall answer.
        steps: of each restart, at least 1.
        restarts: how many times to begin at a random point of the ball for each class, at least 1.
        targets: how many classes to go towards, the most likely ones first; at most all but the label.

    Raises:
        AttackError: where there is no step, restart or target.

    Source: as of `APGDCE`, and section 4 there.

    >>> from striate.attack.balls import L2
    >>> APGDT(L2(0.5)).targets
    9
    """

    steps: int = 100
    restarts: int = 1
    targets: int = 9

    def __post_init__(self) -> None:
        _check(self.steps, self.restarts)
        if self.targets < 1:
            raise AttackError(f"{self.targets} targets are nothing to go towards; 1 is the least")

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        if isinstance(self.goal, Targeted):
            return _Rounds(self, self.steps, self.restarts, partial(self._to_goal, labels)).run(
                victim, images, labels, draws
            )
        others = victim.logits(images).scatter(1, labels[:, None], -torch.inf)
        targets = others.topk(min(self.targets, others.shape[1] - 1), dim=1).indices

        def ascended(number: int, rows: Tensor, logits: Tensor) -> Tensor:
            return targeted_dlr(logits, labels[rows], targets[rows, number // self.restarts])

        rounds = _Rounds(self, self.steps, targets.shape[1] * self.restarts, ascended)
        return rounds.run(victim, images, labels, draws)

    def _to_goal(self, labels: Tensor, number: int, rows: Tensor, logits: Tensor) -> Tensor:
        del number
        return aimed(margin, self.goal.rows(rows), logits, labels[rows])


@dataclass(frozen=True, eq=False)
class _Rounds:
    """Climbs from random points, one after the other, of what has not fallen yet."""

    attack: BallAttack
    steps: int
    count: int
    ascended: Ascended

    def run(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        """Give of each image the point where the goal was met, or else where a score was largest."""
        ball, goal = self.attack.ball, self.attack.goal
        ball.check_bounded("a step")
        ascent, region, best = AdaptiveAscent(ball, self.steps), ball.region(images), images.clone()
        highest = images.new_full((len(images),), -torch.inf)
        rows = torch.arange(len(images), device=images.device)
        for number in range(self.count):
            begin = ball.start(images[rows], draws.rows(rows).derived(number))
            reached = ascent.climb(
                victim, begin, labels[rows], goal.rows(rows), region.rows(rows), self._scores(number, rows)
            )
            better = (reached.scores > highest[rows]) | reached.met
            best[rows[better]], highest[rows[better]] = reached.points[better], reached.scores[better]
            rows = rows[~reached.met]
            if not len(rows):
                break
        return best

    def _scores(self, number: int, rows: Tensor) -> Callable[[Tensor], Callable[[Tensor], Tensor]]:
        return lambda part: partial(self.ascended, number, rows[part])


def _check(steps: int, restarts: int) -> None:
    check_steps(steps, None)
    if restarts < 1:
        raise AttackError(f"{restarts} restarts make no attack; 1 is the least")
