"""Ascend a score with momentum and steps that halve by themselves where they gain nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeAlias

import torch
from torch import Tensor

from striate.attack.ascending import Reached
from striate.attack.ball import Ball, Region, per_image
from striate.attack.goals import Goal
from striate.attack.victim import Score, Victim

MOMENTUM = 0.75
"""The share of a new step in what is done; the rest goes on as the last one went."""

ENOUGH = 0.75
"""Where more than this share of the steps gained, their length stays."""

Scores: TypeAlias = Callable[[Tensor], Score]
"""Gives what is ascended by some of the images, from which ones they are."""


@dataclass(eq=False)
class _Standing:
    """Where the images stand that have not fallen; every tensor has a row for each."""

    rows: Tensor
    labels: Tensor
    points: Tensor
    former: Tensor
    gradients: Tensor
    best: Tensor
    best_gradients: Tensor
    best_scores: Tensor
    last_scores: Tensor
    lengths: Tensor
    gains: Tensor
    halved: Tensor
    checked_scores: Tensor

    def keep(self, index: Tensor) -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name)[index])

    def take(self, points: Tensor, scores: Tensor, gradients: Tensor) -> None:
        """Move on to new points."""
        gained, better = scores > self.last_scores, scores > self.best_scores
        self.gains = self.gains + gained
        self.former, self.points = self.points, points
        self.gradients, self.last_scores = gradients, scores
        where = per_image(better, points)
        self.best = torch.where(where, points, self.best)
        self.best_gradients = torch.where(where, gradients, self.best_gradients)
        self.best_scores = torch.where(better, scores, self.best_scores)

    def halve(self, since: int) -> None:
        """Halve the steps that gained too seldom; go back to the best points there."""
        stuck = ~self.halved & (self.checked_scores >= self.best_scores)
        self.halved = (self.gains <= ENOUGH * since) | stuck
        self.lengths = torch.where(self.halved, self.lengths / 2, self.lengths)
        where = per_image(self.halved, self.points)
        self.points = torch.where(where, self.best, self.points)
        self.gradients = torch.where(where, self.best_gradients, self.gradients)
        self.checked_scores, self.gains = self.best_scores, torch.zeros_like(self.gains)


@dataclass(frozen=True, eq=False)
class AdaptiveAscent:
    """Climb as Auto-PGD does: the length of steps begins at twice the radius, and halves image by image.

    At checkpoints, which come ever closer, it halves where the score rose in three quarters of the steps or
    fewer, or where neither it nor the best score has changed since the last one; such an image goes on from
    its best point. Images that have fallen are dropped at once.

    Args:
        ball: gives the directions of steps.
        steps: how many; a forward and a backward pass each, and a forward pass after the last.

    Source: Croce and Hein, Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks (2020), algorithm 1.
    """

    ball: Ball
    steps: int

    def climb(
        self, victim: Victim, points: Tensor, labels: Tensor, goal: Goal, region: Region, scores: Scores
    ) -> Reached:
        """Climb from points.

        Args:
            victim: the model, inside its block.
            points: where to begin, N x C x spatial, inside the region.
            labels: N int64, the true classes.
            goal: aligned with the images.
            region: of the images; every step ends in it.
            scores: what is ascended.

        Returns:
            Of each image the point where the goal was met, or else where the score was largest.
        """
        reached = Reached(points.clone(), _lowest(points), torch.zeros_like(labels, dtype=torch.bool))
        standing, due = self._begin(points, labels), self._checkpoints()
        checked = 0
        for step in range(self.steps + 1):
            now = standing.points if step == 0 else self._next(standing, region, first=step == 1)
            wanted, aligned = scores(standing.rows), goal.rows(standing.rows)
            if step < self.steps:
                logits, values, gradients = victim.gradient(now, wanted)
                fallen = victim.confirmed(aligned, logits, now, standing.labels)
            else:
                logits, gradients = victim.logits(now), standing.gradients
                values, fallen = wanted(logits), aligned.is_met(logits, standing.labels)
            standing.take(now, values.to(points.dtype), gradients)
            if bool(fallen.any()):
                places = fallen.nonzero().squeeze(1)
                _record(reached, standing, places, points=standing.points)
                reached.met[standing.rows[places]] = True
                left = (~fallen).nonzero().squeeze(1)
                standing.keep(left)
                region = region.rows(left)
                if not len(left):
                    return reached
            if step in due:
                standing.halve(step - checked)
                checked = step
        _record(reached, standing, slice(None), points=standing.best)
        return reached

    def _begin(self, points: Tensor, labels: Tensor) -> _Standing:
        lowest, nothing = _lowest(points), torch.zeros_like(points)
        return _Standing(
            rows=torch.arange(len(points), device=points.device),
            labels=labels,
            points=points,
            former=points,
            gradients=nothing,
            best=points,
            best_gradients=nothing,
            best_scores=lowest,
            last_scores=-lowest,  # so that the first values are no gain
            lengths=torch.full_like(lowest, self.ball.length(2.0)),
            gains=torch.zeros_like(labels),
            halved=torch.zeros_like(labels, dtype=torch.bool),
            checked_scores=lowest,
        )

    def _next(self, standing: _Standing, region: Region, *, first: bool) -> Tensor:
        points = standing.points
        direction = self.ball.ascent(points, standing.gradients)
        step = region.project(points + per_image(standing.lengths, points) * direction)
        if first:
            return step
        return region.project(
            points + MOMENTUM * (step - points) + (1 - MOMENTUM) * (points - standing.former)
        )

    def _checkpoints(self) -> set[int]:
        """Give the steps after which lengths are looked at: after 22 % of all, then ever sooner, to 6 %."""
        apart, least = max(int(0.22 * self.steps), 1), max(int(0.06 * self.steps), 1)
        shorter, due, step = max(int(0.03 * self.steps), 1), set[int](), 0
        while step + apart <= self.steps:
            step += apart
            due.add(step)
            apart = max(apart - shorter, least)
        return due


def _lowest(points: Tensor) -> Tensor:
    return points.new_full((len(points),), -torch.inf)


def _record(reached: Reached, standing: _Standing, places: Tensor | slice, *, points: Tensor) -> None:
    rows = standing.rows[places]
    reached.points[rows] = points[places]
    reached.scores[rows] = standing.best_scores[places]
