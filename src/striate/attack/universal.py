"""One change for all images: a universal perturbation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from striate.attack.attack import BallAttack
from striate.attack.balls import L1, L2, Linf
from striate.attack.boundary import check_norm
from striate.attack.draws import Draws
from striate.attack.shared import SharedChange, batches, bounded_loss, told
from striate.attack.victim import Victim
from striate.core.errors import AttackError
from striate.core.events import OnEvent

FIRST_STEP = 0.1
"""The length of the first step, as a share of the radius; it falls evenly to 0."""


@dataclass(frozen=True, kw_only=True)
class Universal(SharedChange[Tensor], BallAttack):
    """Learn one change of the ball that misleads a model on as many images as can be.

    The mean of the cross entropy of ``x + v``, cut to [0, 1], is ascended over batches of images, each image
    adding at most 9; v is projected into the ball after each step. Called, it gives the images that it learnt
    from with v added; `learn` gives v itself, C x spatial, for others.

    Args:
        ball: where v may lie, by L-infinity, L2 or L1, of finite radius.
        steps: how many, at least 1.
        batch: images in each, at least 1.
        goal: what the model shall answer.

    Raises:
        AttackError: for another norm or an infinite radius, or where a number is below 1.

    Source: Shafahi, Najibi, Xu, Dickerson, Davis and Goldstein, Universal adversarial training (2020),
    section 3; the idea of such a change is of Moosavi-Dezfooli, Fawzi, Fawzi and Frossard, Universal
    adversarial perturbations (2017).

    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    >>> images = torch.rand(4, 1, 4, 4)
    >>> change = Universal(Linf(0.1), steps=5).learn(network, images, network(images).argmax(dim=1))
    >>> change.shape, change.abs().max().item() <= 0.1
    (torch.Size([1, 4, 4]), True)
    """

    steps: int = 200
    batch: int = 100

    def __post_init__(self) -> None:
        check_norm(self.ball, (Linf, L2, L1), "the universal perturbation")
        self.ball.check_bounded("the universal perturbation")
        if min(self.steps, self.batch) < 1:
            raise AttackError(
                f"{self.steps} steps on batches of {self.batch} images cannot be; 1 is the least of both"
            )

    def _learnt(
        self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws, on_event: OnEvent
    ) -> Tensor:
        change = torch.zeros_like(images[:1])
        for number, rows in enumerate(batches(draws, self.batch, self.steps)):
            changed = images[rows] + change
            score = bounded_loss(self.goal.rows(rows), labels[rows])
            _, _, gradient = victim.gradient(changed.clamp(0, 1), score)
            # What is cut to [0, 1] does not move with v.
            gradient = gradient.masked_fill((changed < 0) | (changed > 1), 0.0)
            length = self.ball.length(FIRST_STEP * (1 - number / self.steps))
            step = self.ball.step(gradient.mean(dim=0, keepdim=True))
            change = self._inside(change + length * step)
            told(on_event, "learning a universal perturbation", number + 1, self.steps)
        return change[0]

    def _applied(self, learnt: Tensor, images: Tensor, draws: Draws) -> Tensor:
        del draws
        return images + learnt

    def _inside(self, change: Tensor) -> Tensor:
        """Bring a change into the ball; that it may leave [0, 1] with an image does not matter here."""
        if isinstance(self.ball, Linf):
            return change.clamp(-self.ball.eps, self.ball.eps)
        norm = float(self.ball.norms(change))
        return change * min(1.0, self.ball.eps / max(norm, 1e-12))
