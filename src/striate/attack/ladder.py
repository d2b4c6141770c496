"""The attacks of an evaluation, from light to full strength, and what an image costs at most in each."""

from __future__ import annotations

from dataclasses import dataclass

from striate.attack.attack import BallAttack
from striate.attack.ball import Ball
from striate.attack.balls import L0
from striate.attack.ensemble import Ensemble
from striate.attack.losses import margin
from striate.attack.pgd import PGD


@dataclass(frozen=True, kw_only=True)
class Level:
    """How strong the attacks of a round are.

    Args:
        name: of the level.
        steps: of attacks with gradients.
        targets: classes that targeted attacks try.
        queries: of the attack without gradients.
    """

    name: str
    steps: int
    targets: int
    queries: int


LEVELS = (
    Level(name="light", steps=10, targets=3, queries=250),
    Level(name="medium", steps=30, targets=9, queries=1500),
    Level(name="full", steps=100, targets=9, queries=5000),
)
"""Rounds, each on what stands after the one before; the last one is the standard AutoAttack."""

LAST_ONLY = "fab-t"
"""Searches for the nearest point of the boundary: only many steps make it worth its time."""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One attack of a round.

    Args:
        name: as in the catalogue.
        how: its strength in words.
        attack: what is called.
        gradients: passes forward and backward that an image takes, at most.
        forwards: passes forward alone, at most.
    """

    name: str
    how: str
    attack: BallAttack
    gradients: int
    forwards: int


def ladder(ball: Ball, level: Level, *, classes: int, differentiable: bool) -> tuple[Rung, ...]:
    """Give the attacks of a round, in their order.

    Args:
        ball: in which they stay.
        level: how strong they are.
        classes: of the model.
        differentiable: whether it has gradients; without, only what needs none is left.

    Returns:
        The attacks; none where the norm has no attack without gradients and the model none with.

    >>> from striate.attack.balls import Linf
    >>> [rung.name for rung in ladder(Linf(0.1), LEVELS[0], classes=10, differentiable=True)]
    ['apgd-ce', 'apgd-t', 'square']
    """
    rungs = _of_pixels(ball, level) if isinstance(ball, L0) else _of_ensemble(ball, level, classes)
    return tuple(rung for rung in rungs if differentiable or not rung.attack.needs_gradient)


def _of_ensemble(ball: Ball, level: Level, classes: int) -> list[Rung]:
    targets = min(level.targets, classes - 1)
    members = Ensemble(ball, steps=level.steps, targets=targets, queries=level.queries).members()
    steps, each = level.steps, f"{level.steps} steps to each of {targets} classes"
    # A step of FAB-T back into the ball takes a gradient of its own.
    costs = {
        "apgd-ce": (f"{steps} steps", steps, 1),
        "apgd-t": (each, steps * targets, targets),
        "fab-t": (each, 2 * steps * targets, targets),
        "square": (f"{level.queries} queries", 0, level.queries),
    }
    return [
        Rung(name=name, how=costs[name][0], attack=attack, gradients=costs[name][1], forwards=costs[name][2])
        for name, attack in members.items()
        if name != LAST_ONLY or level is LEVELS[-1]
    ]


def _of_pixels(ball: Ball, level: Level) -> list[Rung]:
    steps = level.steps
    by_entropy, by_margin = PGD(ball, steps=steps), PGD(ball, steps=steps, loss=margin)
    return [
        Rung(name="pgd", how=f"{steps} steps", attack=by_entropy, gradients=steps, forwards=1),
        Rung(name="pgd, margin", how=f"{steps} steps", attack=by_margin, gradients=steps, forwards=1),
    ]
