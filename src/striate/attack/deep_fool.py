"""DeepFool: step onto the nearest boundary of classes, as if these were planes, until one is crossed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from striate.attack.ascending import check_steps
from striate.attack.attack import BallAttack
from striate.attack.balls import L2, Linf
from striate.attack.boundary import check_norm, nearer
from striate.attack.draws import Draws
from striate.attack.goals import Goal, Targeted
from striate.attack.victim import Victim
from striate.core.errors import AttackError

GRADIENT_BYTES = 256 * 2**20
"""So much the gradients of all classes may take at once; of more images, one part follows the other."""

BEYOND = 1e-4
"""Every step goes this far beyond its plane, as in the authors' program; else it may end before it."""

_SMALLEST = 1e-12


@dataclass(frozen=True, kw_only=True)
class DeepFool(BallAttack):
    """Find a small change that crosses a boundary of classes, by taking these for planes again and again.

    With f the logits, y the class to be left and w the gradient of ``f_k - f_y``, the nearest plane is that
    of the class k with the smallest ``|f_k - f_y| / |w|``; the step onto it is ``|f_k - f_y| w / |w|^2`` by
    L2 and ``|f_k - f_y| sign(w) / |w|_1`` by L-infinity. Of the steps' sum, made a little larger, the share
    that is needed is kept. An image for which none is found inside the ball comes back as it is.

    Args:
        ball: `L2` or `Linf`, also of infinite radius.
        goal: what the model shall answer.
        steps: at most, at least 1.
        overshoot: by which share the sum of the steps is enlarged, from 0.
        candidates: how many classes are looked at, the most likely ones of the clean image, at least 1.

    Raises:
        AttackError: where there is no step or candidate, the overshoot is below 0, or the norm is another.

    Source: Moosavi-Dezfooli, Fawzi and Frossard, DeepFool: a simple and accurate method to fool deep neural
    networks (2016), algorithm 2 and section 3.3; there steps may leave [0, 1], and nothing is taken back.

    >>> DeepFool(L2(torch.inf)).overshoot
    0.02
    """

    steps: int = 50
    overshoot: float = 0.02
    candidates: int = 10

    def __post_init__(self) -> None:
        check_norm(self.ball, (L2, Linf), "DeepFool")
        check_steps(self.steps, None)
        if self.candidates < 1 or self.overshoot < 0:
            raise AttackError(
                f"{self.candidates} candidates and an overshoot of {self.overshoot} are too few or too "
                "little; 1 and 0 are the least"
            )

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        del draws
        each = 4 * images[0].numel() * (self.candidates + 1)
        rows = torch.arange(len(images), device=images.device)
        parts = torch.split(rows, max(1, GRADIENT_BYTES // each))
        return torch.cat(
            [
                replace(self, goal=self.goal.rows(part))._nearest(victim, images[part], labels[part])
                for part in parts
            ]
        )

    def _nearest(self, victim: Victim, images: Tensor, labels: Tensor) -> Tensor:
        classes = self._classes(victim.logits(images), labels)
        crossed, met = self._walk(victim, images, labels, classes)
        rows = met.nonzero().squeeze(1)
        if not len(rows):
            return images
        goal, clean = self.goal.rows(rows), images[rows]
        found = nearer(victim, goal, clean, crossed[rows], labels[rows])
        inside = self.ball.norms(found - clean) <= self.ball.eps
        result = images.clone()
        result[rows[inside]] = found[inside]
        return result

    def _classes(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Give the classes whose boundaries are looked at; the first is the one to be left, or the target."""
        first = self.goal.classes(labels)[:, None]
        others = logits.scatter(1, first, -torch.inf)
        return torch.cat(
            [first, others.topk(min(self.candidates, others.shape[1] - 1), dim=1).indices], dim=1
        )

    def _walk(self, victim: Victim, images: Tensor, labels: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Step until a boundary is crossed; give the points, and whether it was."""
        result, met = images.clone(), torch.zeros_like(labels, dtype=torch.bool)
        rows, points, total = (
            torch.arange(len(images), device=images.device),
            images,
            torch.zeros_like(images),
        )
        goal: Goal = self.goal
        for step in range(self.steps + 1):
            if step == self.steps:
                fallen = goal.is_met(victim.logits(points), labels[rows])
            else:
                logits, gradients = victim.jacobian(points, classes[rows])
                fallen = victim.confirmed(goal, logits, points, labels[rows])
            result[rows[fallen]], met[rows[fallen]] = points[fallen], True
            left = (~fallen).nonzero().squeeze(1)
            if step == self.steps or not len(left):
                break
            rows, goal = rows[left], goal.rows(left)
            values = logits[left].gather(1, classes[rows])
            total = total[left] + self._onto_plane(values, gradients[left])
            points = (images[rows] + (1 + self.overshoot) * total).clamp(0.0, 1.0)
        return result, met

    def _onto_plane(self, values: Tensor, gradients: Tensor) -> Tensor:
        """Give the step onto the nearest plane, from N x K values and N x K x C x spatial gradients.

        Away from the first class that is the nearest of all; towards it, as the target, the plane between it
        and the class that is above it most.
        """
        towards = isinstance(self.goal, Targeted)
        gaps = (values[:, 1:] - values[:, :1]).to(gradients.dtype)
        normals = (gradients[:, 1:] - gradients[:, :1]).flatten(2).nan_to_num()
        lengths = normals.abs().sum(dim=2) if isinstance(self.ball, Linf) else normals.norm(dim=2)
        lengths = lengths.clamp(min=_SMALLEST)
        nearest = gaps.argmax(dim=1) if towards else (gaps.abs() / lengths).argmin(dim=1)
        each = torch.arange(len(gaps), device=gaps.device)
        gap, normal, length = gaps[each, nearest].abs(), normals[each, nearest], lengths[each, nearest]
        direction = normal.sign() if isinstance(self.ball, Linf) else normal / length[:, None]
        step = (gap / length + BEYOND)[:, None] * direction * (-1.0 if towards else 1.0)
        return step.view_as(gradients[:, 0])
