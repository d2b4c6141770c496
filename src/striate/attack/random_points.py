"""Random points of the ball: what chance alone does to a model, which every attack must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from striate.attack.attack import BallAttack
from striate.attack.draws import Draws
from striate.attack.losses import aimed, margin
from striate.attack.victim import Victim
from striate.core.errors import AttackError


@final
@dataclass(frozen=True, kw_only=True)
class RandomPoints(BallAttack):
    """Try random points of the ball, and give the one that comes nearest to the goal.

    Args:
        ball: where changed images may lie.
        goal: what the model shall answer.
        tries: how many points of each image, at least 1; an image that has fallen gets no more.

    Raises:
        AttackError: where there is no try.

    >>> from striate.attack.balls import Linf
    >>> RandomPoints(Linf(8 / 255), tries=10).needs_gradient
    False
    """

    needs_gradient: ClassVar[bool] = False

    tries: int = 20

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise AttackError(f"{self.tries} tries make no attack; 1 is the least")

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        self.ball.check_bounded("a random point")
        best = images.clone()
        highest = images.new_full((len(images),), -torch.inf)
        rows = torch.arange(len(images), device=images.device)
        for number in range(self.tries):
            points = self.ball.start(images[rows], draws.rows(rows).derived(number))
            logits, goal = victim.logits(points), self.goal.rows(rows)
            nearness = aimed(margin, goal, logits, labels[rows]).nan_to_num(nan=-torch.inf).to(highest)
            met = goal.is_met(logits, labels[rows])
            better = (nearness > highest[rows]) | met
            best[rows[better]], highest[rows[better]] = points[better], nearness[better]
            rows = rows[~met]
            if not len(rows):
                break
        return best
