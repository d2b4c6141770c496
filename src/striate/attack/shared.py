"""Attacks that learn one change from many images: what they have in common, and what they learn by."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, final

import torch
from torch import Generator, Tensor

from striate.attack.attack import Attack
from striate.attack.draws import Draws
from striate.attack.goals import Goal
from striate.attack.losses import aimed, cross_entropy
from striate.attack.victim import Model, Score, Victim
from striate.core.errors import AttackError
from striate.core.events import Event, OnEvent, ignore

CEILING = 9.0
"""What one image adds to the loss at most: a few that have long fallen shall not outweigh the others."""

Learnt = TypeVar("Learnt")


@dataclass(frozen=True, kw_only=True)
class SharedChange(Attack, Generic[Learnt]):
    """An attack that learns one change from all the images that it is given.

    Subclasses give `_learnt` and `_applied`. What one image becomes depends on the others.

    Args:
        goal: what the model shall answer.
    """

    @abstractmethod
    def _learnt(
        self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws, on_event: OnEvent
    ) -> Learnt:
        """Learn from images, none of which meets the goal yet."""

    @abstractmethod
    def _applied(self, learnt: Learnt, images: Tensor, draws: Draws) -> Tensor:
        """Change images by what was learnt."""

    @final
    def learn(
        self,
        model: Model,
        images: Tensor,
        labels: Tensor,
        *,
        generator: Generator | None = None,
        on_event: OnEvent = ignore,
    ) -> Learnt:
        """Learn the change alone, to be tried on other images.

        Args:
            model: takes images in [0, 1] and gives logits.
            images: N x C x spatial, floating point in [0, 1]; those that meet the goal already teach nothing.
            labels: N whole numbers, the true classes.
            generator: of all that is random; by default the same each time.
            on_event: is given the progress.

        Returns:
            What the attack changes images by.

        Raises:
            AttackError: as when the attack is called, and where all images meet the goal already.
        """
        teacher = _Teacher(goal=self.goal, attack=self, on_event=on_event)
        teacher(model, images, labels, generator=generator)
        if not teacher.found:
            raise AttackError(
                f"all {len(images)} images meet the goal as they are, so that there is nothing to learn from"
            )
        learnt: Learnt = teacher.found[0]
        return learnt

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        learnt = self._learnt(victim, images, labels, draws, ignore)
        return self._applied(learnt, images, draws)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Teacher(Attack):
    """Goes through what is checked and prepared for an attack, keeps what it learns, and changes nothing."""

    attack: SharedChange[Any]
    on_event: OnEvent
    found: list[Any] = field(default_factory=list)

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        attack = replace(self.attack, goal=self.goal)
        self.found.append(attack._learnt(victim, images, labels, draws, self.on_event))
        return images

    def _confined(self, images: Tensor, changed: Tensor) -> Tensor:
        del changed
        return images


def batches(draws: Draws, size: int, steps: int) -> Iterator[Tensor]:
    """Go through the images again and again, each time in another order.

    Args:
        draws: of the images.
        size: of a batch, at least 1; at most all images are taken.
        steps: how many batches.

    Yields:
        int64, which images.

    >>> [len(rows) for rows in batches(Draws(torch.arange(5)), 2, 4)]
    [2, 2, 2, 2]
    """
    waiting = torch.empty(0, dtype=torch.long, device=draws.seeds.device)
    size, times = min(size, len(draws)), 0
    for _ in range(steps):
        if len(waiting) < size:
            waiting = torch.cat([waiting, draws.uniform(("order", times), ()).argsort()])
            times += 1
        yield waiting[:size]
        waiting = waiting[size:]


def bounded_loss(goal: Goal, labels: Tensor) -> Score:
    """Give what is ascended for a change that many images share: the cross entropy towards a goal, bounded.

    Args:
        goal: aligned with the images.
        labels: N int64, the true classes.

    Returns:
        A function from N x classes logits to N numbers, at most 9.

    Source: Shafahi, Najibi, Xu, Dickerson, Davis and Goldstein, Universal adversarial training (2020),
    section 3.
    """
    return lambda logits: aimed(cross_entropy, goal, logits, labels).clamp(max=CEILING)


def told(on_event: OnEvent, what: str, done: int, total: int) -> None:
    """Tell how far learning is.

    Args:
        on_event: is given the progress.
        what: is learnt.
        done: steps so far.
        total: steps in all.
    """
    on_event(Event("prepare", {"what": what, "done": done, "total": total, "unit": "steps"}))
