"""What an attack is: a value that is called with a model and images, and gives changed images."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

import torch
from torch import Generator, Tensor

from striate.attack.ball import Ball, per_image
from striate.attack.draws import Draws
from striate.attack.goals import Goal, Untargeted
from striate.attack.victim import Model, Victim
from striate.core.errors import AttackError
from striate.nn.inputs import by

SURE = 1e-3
"""Rows of values from 0 to 1 whose sums are this near to 1 are probabilities."""


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """A way to change images so that a model answers what is wanted; what it may change, its subclasses say.

    Subclasses are final frozen dataclasses. They give `_search` and `_confined`, and set ``needs_gradient``.

    Args:
        goal: what the model shall answer.
    """

    needs_gradient: ClassVar[bool] = True

    goal: Goal = field(default=Untargeted())

    @abstractmethod
    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        """Change images, none of which meets the goal yet.

        Args:
            victim: the model, inside its block.
            images: N x C x spatial in [0, 1], N at least 1, at least float32.
            labels: N int64.
            draws: of these images; ``self.goal`` is aligned with them too.

        Returns:
            Of the images' shape: of each image one that meets the goal, or else the best found.
        """

    @abstractmethod
    def _confined(self, images: Tensor, changed: Tensor) -> Tensor:
        """Bring changed images to where the attack may go, in the type of the clean ones."""

    @final
    def __call__(
        self,
        model: Model,
        images: Tensor,
        labels: Tensor,
        *,
        generator: Generator | None = None,
        seeds: Tensor | None = None,
    ) -> Tensor:
        """Attack a model.

        Args:
            model: takes images in [0, 1] and gives logits: a ``torch.nn.Module``, which is in evaluation mode
                meanwhile and left as it was, or any other callable. Normalisation belongs to it.
            images: N x C x spatial, floating point in [0, 1].
            labels: N whole numbers, the true classes.
            generator: of all that is random; by default the same each time.
            seeds: N int64 instead, one for each image: what an image gets then does not depend on others.

        Returns:
            Changed images, of the shape, type and device of the clean ones. Those whose goal is met already
            come back as they are.

        Raises:
            AttackError: where images are outside [0, 1], labels do not fit, the model gives no logits or NaN,
                or no gradient comes back through it and the attack needs one.
        """
        _check_images(images)
        labels = _checked_labels(labels, images)
        wide = torch.promote_types(images.dtype, torch.float32)
        with Victim(model, dtype=None if images.dtype == wide else images.dtype) as victim:
            where = victim.device or images.device
            given, labels = images.detach().to(where, wide), labels.to(where)
            draws = Draws(_seeds(generator, seeds, images).to(where))
            logits = victim.logits(given)
            check_logits(logits, labels, self.goal)
            changed = self.run(victim, given, labels, draws, logits=logits)
        if images.dtype != wide:
            changed = self._narrowed(images.detach().to(where), given, changed)
        return changed.to(images.device)

    @final
    def run(
        self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws, *, logits: Tensor | None = None
    ) -> Tensor:
        """Attack the images that do not meet the goal yet, of a model that is borrowed already.

        Nothing is checked here; attacks that are made of others, and evaluations, call it.

        Args:
            victim: the model, inside its block.
            images: N x C x spatial in [0, 1], at least float32.
            labels: N int64.
            draws: of these images.
            logits: of the images, where they are known.

        Returns:
            Of the images' shape: the changed ones, and as they are those that meet the goal already.
        """
        logits = victim.logits(images) if logits is None else logits
        rows = (~self.goal.is_met(logits, labels)).nonzero().squeeze(1)
        result = images.detach().clone()
        if not len(rows):
            return result
        aligned, part = replace(self, goal=self.goal.rows(rows)), result[rows]
        found = aligned._search(victim, part.clone(), labels[rows], draws.rows(rows)).detach()
        broken = found.isnan().flatten(1).any(dim=1)
        found = torch.where(per_image(broken, found), part, found)
        result[rows] = self._confined(part, found)
        return result

    def _narrowed(self, images: Tensor, given: Tensor, changed: Tensor) -> Tensor:
        """Round changed images to the type of the clean ones, inside where the attack may go."""
        same = (changed == given).flatten(1).all(dim=1)
        return torch.where(per_image(same, images), images, self._confined(images, changed))


@dataclass(frozen=True)
class BallAttack(Attack):
    """An attack that stays in a ball around each image.

    Args:
        ball: where changed images may lie.
    """

    ball: Ball

    @final
    def _confined(self, images: Tensor, changed: Tensor) -> Tensor:
        return self.ball.project(images, changed)


def check_logits(logits: Tensor, labels: Tensor, goal: Goal) -> None:
    """Refuse what a model answers to clean images where no attack on it could be believed.

    Args:
        logits: N x classes.
        labels: N int64.
        goal: aligned with them.

    Raises:
        AttackError: where there is one class, a logit is NaN, these are probabilities, or a label or target
            is of no class.

    >>> check_logits(torch.tensor([[2.0, -1.0]]), torch.tensor([1]), Untargeted())
    """
    classes = logits.shape[1]
    if classes < 2:
        raise AttackError(f"the model has {classes} class, so that no answer can be wrong; two are needed")
    broken = int(logits.isnan().any(dim=1).sum())
    if broken:
        raise AttackError(
            f"the model's logits for {broken} of {len(logits)} clean images are NaN; mend the model, or "
            "leave these images out"
        )
    sums = logits.sum(dim=1)
    if bool((logits >= 0).all()) and bool(((sums - 1).abs() < SURE).all()):
        raise AttackError(
            "the model gives probabilities: all are from 0 to 1, and those of an image sum to 1; attacks "
            "need its logits, from before the softmax"
        )
    for what, values in (("label", labels), ("target", goal.classes(labels))):
        wrong = values[(values < 0) | (values >= classes)]
        if len(wrong):
            raise AttackError(
                f"a {what} is {int(wrong[0])}, and the model has {classes} classes, 0 to {classes - 1}"
            )


def _check_images(images: Tensor) -> None:
    if not isinstance(images, Tensor) or not images.is_floating_point():
        kind = (
            str(images.dtype).removeprefix("torch.") if isinstance(images, Tensor) else type(images).__name__
        )
        raise AttackError(
            f"images are {kind}, where a floating-point tensor in [0, 1] is wanted; images.float() / 255 "
            "makes one of uint8"
        )
    if images.ndim < 3 or images.numel() == 0:
        raise AttackError(
            f"images are {by(images.shape) or 'no axis'}, where N x C x spatial is wanted, each from 1"
        )
    low, high = (float(each) for each in images.detach().aminmax())
    if not (low >= 0 and high <= 1):
        hint = "did you pass normalised images? Give pixels, and let the model normalise them"
        if low >= 0:
            hint = "did you pass bytes? Divide them by 255" if high > 1.5 else "clamp them"
        elif math.isnan(low):
            hint = "leave images with NaN out"
        extreme = f"min {low:.1f}" if not low >= 0 else f"max {high:.4g}"
        raise AttackError(f"images lie in [0, 1], and these have {extreme}: {hint}")


def _checked_labels(labels: Tensor, images: Tensor) -> Tensor:
    labels = torch.as_tensor(labels)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise AttackError(f"labels are {_name(labels)}, where the whole numbers of classes are wanted")
    if labels.shape != images.shape[:1]:
        raise AttackError(
            f"labels are {by(labels.shape) or 'one number'} for {len(images)} images; give one for each"
        )
    return labels.long()


def _seeds(generator: Generator | None, seeds: Tensor | None, images: Tensor) -> Tensor:
    if seeds is None:
        return Draws.of(generator, len(images)).seeds
    if generator is not None:
        raise AttackError("a generator and seeds are both given; one of them is enough")
    if seeds.dtype != torch.int64 or seeds.shape != images.shape[:1]:
        raise AttackError(
            f"seeds are {_name(seeds)} of {by(seeds.shape) or 'no axis'}, where "
            f"{len(images)} int64 are wanted, one for each image"
        )
    return seeds


def _name(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")
