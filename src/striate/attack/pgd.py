"""Projected gradient descent: from random points of the ball, many steps, and again from others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from striate.attack.ascending import Ascent, check_steps
from striate.attack.attack import BallAttack
from striate.attack.draws import Draws
from striate.attack.losses import Loss, log_odds
from striate.attack.victim import Victim
from striate.core.errors import AttackError


@dataclass(frozen=True, kw_only=True)
class PGD(BallAttack):
    """Ascend a loss by steps that are projected into the ball, from random points of it.

    Images that have fallen make no more steps and no more restarts. Of the others the point with the largest
    loss is given.

    Args:
        ball: where changed images may lie.
        goal: what the model shall answer.
        steps: of each restart, at least 1.
        relative_step: the length of each, as a share of the radius; by default ``2.5 / steps``.
        restarts: how many times to begin, at least 1.
        random_start: whether to begin at random points of the ball, or at the images.
        loss: of N x classes logits and N classes, larger where the model believes less in these; by default
            the logarithm of the odds, which makes the steps of the cross entropy.

    Raises:
        AttackError: where there is no step or restart, or restarts would all be the same.

    Source: Madry, Makelov, Schmidt, Tsipras and Vladu, Towards deep learning models resistant to adversarial
    attacks (2018), section 2.1.

    >>> from striate.attack.balls import Linf
    >>> PGD(Linf(8 / 255), steps=10, restarts=2).relative_step is None
    True
    """

    steps: int = 40
    relative_step: float | None = None
    restarts: int = 1
    random_start: bool = True
    loss: Loss = log_odds

    def __post_init__(self) -> None:
        check_steps(self.steps, self.relative_step)
        if self.restarts < 1:
            raise AttackError(f"{self.restarts} restarts make no attack; 1 is the least")
        if self.restarts > 1 and not self.random_start:
            raise AttackError(f"{self.restarts} restarts from the image itself are all the same; 1 is enough")

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        self.ball.check_bounded("a step")
        region, best = self.ball.region(images), images.clone()
        highest = images.new_full((len(images),), -torch.inf)
        rows, goal = torch.arange(len(images), device=images.device), self.goal
        share = 2.5 / self.steps if self.relative_step is None else self.relative_step
        for restart in range(self.restarts):
            begin = self.ball.start(images, draws.derived(restart)) if self.random_start else images
            ascent = Ascent(
                ball=self.ball, goal=goal, loss=self.loss, steps=self.steps, length=self.ball.length(share)
            )
            reached = ascent.climb(victim, begin, labels, region)
            better = (reached.scores > highest[rows]) | reached.met
            best[rows[better]] = reached.points[better]
            highest[rows[better]] = reached.scores[better]
            left = (~reached.met).nonzero().squeeze(1)
            if not len(left):
                break
            rows, images, labels, draws = rows[left], images[left], labels[left], draws.rows(left)
            goal, region = goal.rows(left), region.rows(left)
        return best
