"""Ascend a loss in steps of one length inside a region, and stop for each image as soon as it has fallen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from striate.attack.ball import Ball, Region, per_image
from striate.attack.goals import Goal
from striate.attack.losses import Loss, aimed
from striate.attack.victim import Score, Victim
from striate.core.errors import AttackError


@dataclass(frozen=True, eq=False)
class Reached:
    """What an ascent reached of each image.

    Args:
        points: N x C x spatial: where the goal was met, or else where the score was largest.
        scores: N, the scores there.
        met: N booleans.
    """

    points: Tensor
    scores: Tensor
    met: Tensor


@dataclass(frozen=True, eq=False)
class Standing:
    """The images of a pass that have not fallen.

    Args:
        goal: aligned with them.
        region: of them.
        rows: int64, which of all images they are.
        points: where they stand.
        labels: their true classes.
    """

    goal: Goal
    region: Region
    rows: Tensor
    points: Tensor
    labels: Tensor

    def of(self, left: Tensor) -> Standing:
        """Keep some of them.

        Args:
            left: int64, which ones.

        Returns:
            These.
        """
        return Standing(
            self.goal.rows(left),
            self.region.rows(left),
            self.rows[left],
            self.points[left],
            self.labels[left],
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Ascent:
    """A climb of some steps: a forward and a backward pass each, and a forward pass after the last.

    Args:
        ball: gives the directions of steps.
        goal: aligned with the images.
        loss: what is ascended, aimed at the goal.
        steps: how many.
        length: of a step, in the ball's norm.
        momentum: the share of all former gradients, each over its mean size, that is added to the next; 0
            takes the plain gradient.
    """

    ball: Ball
    goal: Goal
    loss: Loss
    steps: int
    length: float
    momentum: float = 0.0

    def climb(self, victim: Victim, points: Tensor, labels: Tensor, region: Region) -> Reached:
        """Climb from points, and drop the images that have fallen from the next passes.

        As many images as pass at once make all their steps before the next ones begin: they stay in caches.

        Args:
            victim: the model, inside its block.
            points: where to begin, N x C x spatial, inside the region.
            labels: N int64, the true classes.
            region: of these images; every step ends in it.

        Returns:
            The points reached, in their order.
        """
        reached = Reached(
            points.clone(),
            points.new_full((len(points),), -torch.inf),
            torch.zeros_like(labels, dtype=torch.bool),
        )
        everything = torch.arange(len(points), device=points.device)
        for rows in torch.split(everything, victim.at_once(points)):
            own = Standing(self.goal.rows(rows), region.rows(rows), rows, points[rows], labels[rows])
            self._climb_together(victim, own, reached)
        return reached

    def _climb_together(self, victim: Victim, standing: Standing, reached: Reached) -> None:
        """Climb from points that pass together, and note what each image reached."""
        velocity = torch.zeros(())
        best, highest = standing.points, standing.points.new_full((len(standing.points),), -torch.inf)
        for step in range(self.steps + 1):
            goal, points, labels = standing.goal, standing.points, standing.labels
            if step < self.steps:
                logits, scores, gradient = victim.gradient(points, self._score(goal, labels))
                fallen = victim.confirmed(goal, logits, points, labels)
            else:
                logits = victim.logits(points)
                scores, fallen = self._score(goal, labels)(logits), goal.is_met(logits, labels)
            better = (scores.to(highest.dtype) > highest) | fallen
            best = torch.where(per_image(better, points), points, best)
            highest = torch.where(better, scores.to(highest.dtype), highest)
            if step == self.steps or bool(fallen.any()):
                _note(reached, standing.rows, best, highest, fallen)
            if step == self.steps or bool(fallen.all()):
                return
            if self.momentum:
                velocity = self.momentum * velocity + _over_mean_size(gradient)
                gradient = velocity
            if bool(fallen.any()):
                left = (~fallen).nonzero().squeeze(1)
                standing, gradient = standing.of(left), gradient[left]
                best, highest, velocity = best[left], highest[left], gradient
            stepped = standing.points + self.length * self.ball.ascent(standing.points, gradient)
            standing = replace(standing, points=standing.region.project(stepped))

    def _score(self, goal: Goal, labels: Tensor) -> Score:
        return lambda logits: aimed(self.loss, goal, logits, labels)


def check_steps(steps: int, relative_step: float | None) -> None:
    """Refuse steps that no ascent can be made of.

    Args:
        steps: how many.
        relative_step: the length of each, as a share of the radius.

    Raises:
        AttackError: where there is none, or they have no length.

    >>> check_steps(10, 0.1)
    """
    if steps < 1:
        raise AttackError(f"an attack of {steps} steps cannot be; 1 is the least")
    if relative_step is not None and not 0 < relative_step < float("inf"):
        raise AttackError(f"a step of {relative_step} times the radius leads nowhere; 0.1 is usual")


def _note(reached: Reached, rows: Tensor, points: Tensor, scores: Tensor, met: Tensor) -> None:
    reached.points[rows], reached.scores[rows], reached.met[rows] = points, scores, met


def _over_mean_size(gradient: Tensor) -> Tensor:
    known = gradient.nan_to_num()
    mean = known.flatten(1).abs().mean(dim=1).clamp(min=torch.finfo(known.dtype).tiny)
    return known / per_image(mean, known)
