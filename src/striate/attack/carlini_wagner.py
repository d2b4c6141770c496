"""Carlini and Wagner's attack: the smallest L2 change, by Adam, with its weight found by halving."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from striate.attack.ascending import check_steps
from striate.attack.attack import BallAttack
from striate.attack.ball import per_image
from striate.attack.balls import L2
from striate.attack.boundary import check_norm
from striate.attack.draws import Draws
from striate.attack.goals import Goal
from striate.attack.losses import aimed, margin
from striate.attack.victim import Victim
from striate.core.errors import AttackError

INNER = 0.999999
"""Pixels begin by this share on their way from grey to 0 or 1, where tanh has a slope."""

GROWTH = 10.0
"""By this the weight of the margin grows while no change has been found."""

_MEAN, _SQUARE, _SMALLEST = 0.9, 0.999, 1e-8  # as Kingma and Ba (2015) chose them


@dataclass(frozen=True, kw_only=True)
class CarliniWagner(BallAttack):
    """Search the smallest L2 change that meets the goal, by descending its size and the margin together.

    Pixels are ``(tanh(v) + 1) / 2``, which cannot leave [0, 1]. Adam descends
    ``|x' - x|^2 + c * max(confidence - margin, 0)``, where the margin is above 0 where the goal is met. The
    weight c is found for each image: it falls to the middle of its bounds where a change was found, and grows
    tenfold or to their middle where none was. An image for which none is found inside the ball comes back
    as it is.

    Args:
        ball: `L2`, also of infinite radius.
        goal: what the model shall answer.
        steps: of Adam for each weight, at least 1.
        weights: how many weights are tried, at least 1.
        first_weight: the first one, above 0.
        learning_rate: of Adam, above 0.
        confidence: the margin that is wanted, from 0, in logits.

    Raises:
        AttackError: where one of these is out of its range, or the norm is another.

    Source: Carlini and Wagner, Towards evaluating the robustness of neural networks (2017), section VI.A;
    there the first weight is 0.001, and there are 10,000 steps of 0.01 for each.

    >>> CarliniWagner(L2(torch.inf)).weights
    6
    """

    steps: int = 100
    weights: int = 6
    first_weight: float = 0.1
    learning_rate: float = 0.05
    confidence: float = 0.0

    def __post_init__(self) -> None:
        check_norm(self.ball, (L2,), "Carlini and Wagner's attack")
        check_steps(self.steps, None)
        if self.weights < 1:
            raise AttackError(f"{self.weights} weights are nothing to try; 1 is the least")
        if not (self.first_weight > 0 and self.learning_rate > 0 and self.confidence >= 0):
            raise AttackError(
                f"a first weight of {self.first_weight} and a learning rate of {self.learning_rate} are "
                f"above 0, and a confidence of {self.confidence} is at least 0; one of them is not"
            )

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        del draws
        found = _Found(images.clone(), torch.full_like(labels, torch.inf, dtype=torch.float64))
        low, high = torch.zeros_like(found.sizes), torch.full_like(found.sizes, torch.inf)
        weights = torch.full_like(found.sizes, self.first_weight)
        for _ in range(self.weights):
            met = self._descend(victim, _Descent.begin(images, labels, weights), found)
            high = torch.where(met, torch.minimum(high, weights), high)
            low = torch.where(met, low, torch.maximum(low, weights))
            weights = torch.where(high.isinf(), weights * GROWTH, (low + high) / 2)
        outside = ~(found.sizes <= self.ball.eps)
        return torch.where(per_image(outside, images), images, found.points)

    def _descend(self, victim: Victim, descent: _Descent, found: _Found) -> Tensor:
        """Descend with given weights; keep what is smaller than before, and say where the goal was met."""
        met, labels = torch.zeros_like(descent.labels, dtype=torch.bool), descent.labels
        for step in range(1, self.steps + 1):
            points = descent.points()
            logits, margins, gradient = victim.gradient(points, partial(_margins, self.goal, labels))
            success = victim.confirmed(self.goal, logits, points, labels) & (margins >= self.confidence)
            met |= success
            found.offer(success, points, descent.images)
            enough = per_image(margins >= self.confidence, points)
            descent.move(gradient.nan_to_num().masked_fill(enough, 0.0), self.learning_rate, step)
        return met


@dataclass(eq=False)
class _Found:
    """The smallest change of each image that meets the goal: its point and its L2 norm."""

    points: Tensor
    sizes: Tensor

    def offer(self, success: Tensor, points: Tensor, images: Tensor) -> None:
        sizes = torch.linalg.vector_norm((points - images).flatten(1), dim=1, dtype=torch.float64)
        smaller = success & (sizes < self.sizes)
        self.points = torch.where(per_image(smaller, points), points, self.points)
        self.sizes = torch.where(smaller, sizes, self.sizes)


@dataclass(eq=False)
class _Descent:
    """Adam on the variables of images."""

    labels: Tensor
    images: Tensor
    weights: Tensor
    variables: Tensor
    means: Tensor
    squares: Tensor

    @classmethod
    def begin(cls, images: Tensor, labels: Tensor, weights: Tensor) -> _Descent:
        return cls(
            labels=labels,
            images=images,
            weights=per_image(weights.to(images.dtype), images),
            variables=((2.0 * images - 1.0) * INNER).atanh(),
            means=torch.zeros_like(images),
            squares=torch.zeros_like(images),
        )

    def points(self) -> Tensor:
        return (self.variables.tanh() + 1.0) / 2.0

    def move(self, gradient: Tensor, rate: float, step: int) -> None:
        """Make a step of Adam, the number of which counts from 1, given the gradient of the margin."""
        points = self.points()
        slope = 2.0 * points * (1.0 - points)  # of the points by their variables
        descended = (2.0 * (points - self.images) - self.weights * gradient) * slope
        self.means = self.means.lerp(descended, 1.0 - _MEAN)
        self.squares = self.squares.lerp(descended.square(), 1.0 - _SQUARE)
        mean = self.means / (1.0 - _MEAN**step)
        square = self.squares / (1.0 - _SQUARE**step)
        self.variables = self.variables - rate * mean / (square.sqrt() + _SMALLEST)


def _margins(goal: Goal, labels: Tensor, logits: Tensor) -> Tensor:
    return aimed(margin, goal, logits, labels)
