"""A verdict on an evaluation itself: whether a model withstands attacks, or only hides its gradients."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from striate.attack.ball import Ball
from striate.attack.comparing import Trial
from striate.attack.draws import Draws
from striate.attack.goals import Untargeted
from striate.attack.random_points import RandomPoints
from striate.attack.signs import (
    Sign,
    chance,
    climbs,
    larger_balls,
    more_restarts,
    repeated_answers,
    single_step,
    sound_gradients,
    without_gradients,
)
from striate.attack.victim import Model, Victim
from striate.core.errors import AttackError
from striate.core.events import Event, OnEvent, ignore

CHECKS = 7
"""How many are made."""


@dataclass(frozen=True, kw_only=True)
class Masking:
    """What the checks for masked gradients found.

    Args:
        images: on how many, all answered right, each check was made.
        signs: what each check found.
    """

    images: int
    signs: tuple[Sign, ...]

    @property
    def suspected(self) -> bool:
        """Whether any check found a sign."""
        return any(sign.suspected for sign in self.signs)

    @property
    def finding(self) -> str:
        """What was found, in one sentence."""
        count = f"{self.images:,} image" + ("s" if self.images > 1 else "")
        found = [sign.name for sign in self.signs if sign.suspected]
        if found:
            return f"gradient masking is suspected, by {', '.join(found)} ({count})"
        made = sum(sign.suspected is not None for sign in self.signs)
        return f"no sign of gradient masking in {made} checks ({count})"

    def to_dict(self) -> dict[str, Any]:
        """Give everything by name, ready for JSON.

        Returns:
            A dictionary of plain values, the verdict and the finding among them.
        """
        signs = [asdict(sign) for sign in self.signs]
        return {
            "images": self.images,
            "suspected": self.suspected,
            "finding": self.finding,
            "signs": signs,
        }


def masking(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    generator: Generator | None = None,
    on_event: OnEvent = ignore,
) -> Masking:
    """Look for signs that attacks fail because gradients are hidden, and not because a model is robust.

    Seven things are tried on the images that are answered right: whether answers repeat, whether gradients of
    the cross entropy are there, finite and not 0, whether a single step beats Auto-PGD with restarts, whether
    an attack without gradients does, whether random points of the ball do, whether the last restarts still
    fell images, and whether attacks go further in larger balls, until nothing stands in the widest. An attack
    beats a stronger one where it surely fells, by the 95 % Wilson interval, over 2 % of all images alone, or
    surely goes further on more than half of those that this one left.

    Args:
        model: takes images in [0, 1] and gives logits; it is left as it was.
        images: N x C x spatial in [0, 1]; some tens make the figures steady.
        labels: N, the true classes.
        ball: in which robustness is claimed.
        generator: of all that is random; by default the same each time.
        on_event: is given the progress.

    Returns:
        The signs and the verdict.

    Raises:
        AttackError: where images, labels or logits are not what an attack takes, no image is answered right,
            or the radius is infinite.

    Source: Athalye, Carlini and Wagner, Obfuscated gradients give a false sense of security (2018), section
    3.1; Carlini et al., On evaluating adversarial robustness (2019), section 5. The bounds are ours.

    >>> from striate.attack.balls import Linf
    >>> def bright(images):
    ...     mean = images.mean(dim=(1, 2, 3))
    ...     return torch.stack([mean, torch.full_like(mean, 0.5)], dim=1)
    >>> images = torch.rand(8, 1, 4, 4)
    >>> masking(bright, images, bright(images).argmax(dim=1), ball=Linf(0.02)).suspected
    False
    """
    # An attack refuses all that no attack can be believed on.
    RandomPoints(ball, tries=1)(model, images, labels)
    with Victim(model) as victim:
        where = victim.device or images.device
        given = images.detach().to(where, torch.promote_types(images.dtype, torch.float32))
        right, own = torch.arange(len(images), device=where), torch.as_tensor(labels).to(where).long()
        right = right[~Untargeted().is_met(victim.logits(given), own)]
        if not len(right):
            raise AttackError(
                f"none of {len(images)} images is answered right, so that there is nothing to attack"
            )
        draws = Draws.of(generator, len(images), where).rows(right)
        return probed(victim, given[right], own[right], ball=ball, draws=draws, on_event=on_event)


def probed(
    victim: Victim,
    images: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    draws: Draws,
    until: float = math.inf,
    on_event: OnEvent = ignore,
) -> Masking:
    """Make the checks of `masking` on a model that is borrowed already.

    Args:
        victim: the model, inside its block.
        images: N x C x spatial in [0, 1], all answered right, at least one.
        labels: N int64.
        ball: in which robustness is claimed.
        draws: of these images.
        until: by `time.monotonic`, when no check is begun any more.
        on_event: is given the progress.

    Returns:
        The signs; those for which there was no time say so.
    """
    trial = Trial(victim, images, labels, draws, victim.logits(images))
    told = _counting(on_event)
    gradient, differentiable = sound_gradients(trial, ball)
    signs = [repeated_answers(trial), gradient]
    told(1)
    if not differentiable:
        signs.append(without_gradients(trial, ball, None))
        told(CHECKS)
        return Masking(images=len(images), signs=tuple(signs))
    strong = climbs(trial, ball)
    checks: dict[str, Callable[[], Sign]] = {
        "a single step": lambda: single_step(trial, ball, strong),
        "black box": lambda: without_gradients(trial, ball, strong.all),
        "random noise": lambda: chance(trial, ball, strong),
        "restarts": lambda: more_restarts(strong),
        "larger balls": lambda: larger_balls(trial, ball, strong),
    }
    for number, (name, check) in enumerate(checks.items(), start=2):
        told(number)
        late = Sign(name=name, suspected=None, finding="not checked: the time was over", action="")
        signs.append(check() if time.monotonic() < until else late)
    told(CHECKS)
    return Masking(images=len(images), signs=tuple(signs))


def _counting(on_event: OnEvent) -> Callable[[int], None]:
    def told(done: int) -> None:
        figures = {"what": "looking for masked gradients", "done": done, "total": CHECKS}
        on_event(Event("prepare", {**figures, "unit": "checks"}))

    return told
