"""What attacks share that look for the smallest change: which norms they take, and the way back."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.attack.ball import Ball, per_image
from striate.attack.goals import Goal
from striate.attack.victim import Victim
from striate.core.errors import AttackError

HALVINGS = 10
"""After so many the share of a change is known to a thousandth."""


def check_norm(ball: Ball, balls: tuple[type[Ball], ...], what: str) -> None:
    """Refuse a norm that an attack is not defined for.

    Args:
        ball: the one given.
        balls: the kinds that it is defined for.
        what: the attack, in words.

    Raises:
        AttackError: where the ball is of none of them.

    >>> from striate.attack.balls import L2
    >>> check_norm(L2(1.0), (L2,), "the attack")
    """
    if not isinstance(ball, balls):
        names = " and ".join(each.name for each in balls)
        raise AttackError(f"{what} is defined for {names}, and not for {ball.name}; pgd takes each norm")


def nearer(victim: Victim, goal: Goal, images: Tensor, found: Tensor, labels: Tensor) -> Tensor:
    """Go back from changed images towards the clean ones while the goal stays met, by halving.

    Args:
        victim: the model, inside its block.
        goal: aligned with the images.
        images: the clean ones, N x C x spatial.
        found: of their shape; the goal is met by each.
        labels: N int64.

    Returns:
        Of their shape; the goal is met by each, and none is farther from its clean image than before.
    """
    change = found - images
    low = torch.zeros(len(images), dtype=images.dtype, device=images.device)
    high, nearest = torch.ones_like(low), found
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        tried = images + per_image(middle, change) * change
        met = goal.is_met(victim.logits(tried), labels)
        nearest = torch.where(per_image(met, tried), tried, nearest)
        low, high = torch.where(met, low, middle), torch.where(met, middle, high)
    return nearest
