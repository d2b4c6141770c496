"""Four attacks that fail for different reasons, one after the other, each on what is left standing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from striate.attack.apgd import APGDCE, APGDT
from striate.attack.attack import BallAttack
from striate.attack.draws import Draws
from striate.attack.fab import FABT
from striate.attack.losses import aimed, margin
from striate.attack.square import Square
from striate.attack.victim import Victim

LIKELIEST = 3
"""How many targets are worth all steps, unless the ensemble is thorough."""


@dataclass(frozen=True, kw_only=True)
class Ensemble(BallAttack):
    """Attack by APGD-CE, APGD-T, FAB-T and Square in turn, each on the images that the ones before left.

    Three of them use gradients, of different scores and in different ways; the fourth needs none, so that a
    model which hides them does not pass for robust.

    Unless it is thorough it spends where most is gained: half of the steps by APGD-CE; then a quarter of them
    towards every target by APGD-T, and all of them towards the three likeliest; two fifths by FAB-T, towards
    these three; and two fifths of the queries.

    Args:
        ball: where changed images may lie, by L-infinity, L2 or L1, of finite radius.
        steps: of each gradient attack, at least 1.
        targets: how many classes APGD-T and FAB-T try, at least 1.
        queries: of Square, at least 1.
        thorough: whether each attack has all steps, targets and queries, as published; it takes about three
            times as long.
        goal: what the model shall answer.

    Raises:
        AttackError: for L0 or an infinite radius, or where a number is below 1.

    Source: Croce and Hein, Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks (2020), the standard AutoAttack; differences are said at each attack.

    >>> from striate.attack.balls import Linf
    >>> [type(member).__name__ for member in Ensemble(Linf(8 / 255)).members().values()]
    ['APGDCE', 'APGDT', 'FABT', 'Square']
    """

    steps: int = 100
    targets: int = 9
    queries: int = 5000
    thorough: bool = False

    def __post_init__(self) -> None:
        self.ball.check_bounded("the ensemble")
        self.members()

    def members(self) -> dict[str, BallAttack]:
        """Give the four attacks in their order, with all steps, targets and queries.

        Returns:
            Name -> attack, each with the ball and goal of the ensemble.
        """
        return {
            "apgd-ce": APGDCE(self.ball, goal=self.goal, steps=self.steps),
            "apgd-t": APGDT(self.ball, goal=self.goal, steps=self.steps, targets=self.targets),
            "fab-t": FABT(self.ball, goal=self.goal, steps=self.steps, targets=self.targets),
            "square": Square(self.ball, goal=self.goal, queries=self.queries),
        }

    def _stages(self) -> tuple[BallAttack, ...]:
        """Give what is run, one after the other."""
        if self.thorough:
            return tuple(self.members().values())
        ball, goal, steps = self.ball, self.goal, self.steps
        likeliest = min(LIKELIEST, self.targets)
        return (
            APGDCE(ball, goal=goal, steps=math.ceil(steps / 2)),
            APGDT(ball, goal=goal, steps=math.ceil(steps / 4), targets=self.targets),
            APGDT(ball, goal=goal, steps=steps, targets=likeliest),
            FABT(ball, goal=goal, steps=math.ceil(steps * 0.4), targets=likeliest),
            Square(ball, goal=goal, queries=math.ceil(self.queries * 0.4)),
        )

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        best, logits = images.clone(), victim.logits(images)
        highest = aimed(margin, self.goal, logits, labels)
        rows = torch.arange(len(images), device=images.device)
        for number, stage in enumerate(self._stages()):
            goal, own = self.goal.rows(rows), labels[rows]
            changed = replace(stage, goal=goal).run(
                victim, images[rows], own, draws.derived(number).rows(rows), logits=logits[rows]
            )
            answers = victim.logits(changed)
            scores, met = aimed(margin, goal, answers, own), goal.is_met(answers, own)
            better = (scores > highest[rows]) | met
            best[rows[better]], highest[rows[better]] = changed[better], scores[better]
            rows = rows[~met]
            if not len(rows):
                break
        return best
