"""Measure robust accuracy within a time: many attacks, each on what stands, and a verdict on the result."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from striate.attack.ball import Ball
from striate.attack.curves import Measured
from striate.attack.draws import Draws
from striate.attack.evaluated import Evaluation, RadiusPoint, joined
from striate.attack.ladder import LEVELS, Level, ladder
from striate.attack.masking import Masking, probed
from striate.attack.radius_curve import falling_radii
from striate.attack.random_points import RandomPoints
from striate.attack.sampling import stratified
from striate.attack.siege import NONE, Siege, Tried, measured_pace
from striate.attack.signs import FORWARDS, GRADIENTS
from striate.attack.victim import Model, Victim
from striate.core.errors import AttackError
from striate.core.events import OnEvent, ignore
from striate.core.seeds import derive

MOST = 1000
"""So many images are attacked at most: their interval is 6 points wide at its widest."""

FIRST = 16
"""So many are attacked first, to learn how long an image takes."""

AT_ONCE, SOON = 256, 0.02
"""So many pass at once where speed is measured, if that takes less than this share of the time."""

SAMPLING, MASKING, CURVE = 0.45, 0.7, 0.85
"""Shares of the time when the light attacks, the checks for masking, and the curve have ended; the rest is
for stronger attacks."""

CHECKED, LEAST_CHECKED = 64, 12
"""Images on which masking is looked for, at most, and what is tried at least."""


def evaluate(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    seconds: float = 120.0,
    generator: Generator | None = None,
    on_event: OnEvent = ignore,
) -> Evaluation:
    """Measure how much accuracy attacks leave, within a time, and say how far to believe it.

    A sample that has the shares of the classes is attacked by APGD-CE, APGD-T and Square, lightly; then the
    images that still stand by the same attacks with more steps and queries, and last by the standard
    AutoAttack (FAB-T among them), as far as the time goes. How many images are attacked follows from the
    time. What fell stays fallen, so that more time can only lower the figure. Between the rounds gradient
    masking is looked for, and the accuracy at other radii is measured. By L0 projected gradient descent takes
    the place of all.

    Gradients are taken in float32. Success is what the model answers as it is deployed: call this inside
    ``torch.autocast`` for a model that is deployed so.

    Args:
        model: takes images in [0, 1] and gives logits; it is left as it was.
        images: N x C x spatial: floating point in [0, 1], or uint8 of 0 to 255.
        labels: N, the true classes.
        ball: in which images may be changed, of finite radius over 0.
        seconds: how long all may take; what is begun is ended, so that it can become a little more.
        generator: of the choice of images and all that is random, on the CPU; by default the same each time.
        on_event: is given the progress.

    Returns:
        Accuracies with intervals, what each attack did, the curve, and the verdict.

    Raises:
        AttackError: where images, labels or logits are not what an attack takes, the radius or the time is
            out of range, or no attack is left because the model has no gradients.

    Source: the attacks are those of Croce and Hein, Reliable evaluation of adversarial robustness with an
    ensemble of diverse parameter-free attacks (2020); the rounds and the time are ours.

    >>> from striate.attack.balls import Linf
    >>> def bright(images):
    ...     mean = images.mean(dim=(1, 2, 3))
    ...     return torch.stack([mean, torch.full_like(mean, 0.5)], dim=1)
    >>> images = torch.tensor([0.4, 0.55, 0.9]).view(3, 1, 1, 1).expand(3, 1, 4, 4)
    >>> found = evaluate(bright, images, torch.tensor([1, 0, 0]), ball=Linf(0.2), seconds=5)
    >>> round(found.clean.value, 2), round(found.robust.value, 2)
    (1.0, 0.33)
    """
    began = time.monotonic()
    _check(images, labels, ball, seconds)
    if generator is None:
        generator = Generator().manual_seed(derive(0, "evaluate"))
    rows = stratified(torch.as_tensor(labels), MOST, generator=generator)
    some, own = _floats(images[rows[:AT_ONCE]]), torch.as_tensor(labels)[rows[:AT_ONCE]]
    # An attack refuses what no attack can be believed on.
    RandomPoints(ball, tries=1)(model, some[:FIRST], own[:FIRST])
    with Victim(model) as victim:
        work = _Work(victim, ball, began=began, seconds=seconds, on_event=on_event)
        work.prepare(some, own, most=int(torch.as_tensor(labels).max()))
        work.sample(images, torch.as_tensor(labels), rows, generator)
        work.look_for_masking()
        falls, radii = falling_radii(work.siege, ball, classes=work.classes, until=work.at(CURVE))
        for level in LEVELS[1:]:
            work.go_on(level)
    return work.result(rows, falls, radii)


@dataclass(eq=False)
class _Work:
    """An evaluation in the making."""

    victim: Victim
    ball: Ball
    began: float
    seconds: float
    on_event: OnEvent
    siege: Siege = field(init=False)
    classes: int = 0
    tried: list[Tried] = field(default_factory=list)
    level: str | None = None
    masking: Masking | None = None
    bound: float = 0.0  # seconds that the light attacks would have taken, had every image stood to their end
    spent: float = 0.0

    def at(self, share: float) -> float:
        """Give when a share of the time will be over."""
        return self.began + share * self.seconds

    def prepare(self, images: Tensor, labels: Tensor, *, most: int) -> None:
        """Measure the model's speed, and refuse one that nothing can be tried on."""
        where = self.victim.device or images.device
        images, labels = images.to(where), labels.to(where).long()
        self.classes = self.victim.logits(images[:1]).shape[1]
        if most >= self.classes:
            raise AttackError(
                f"a label is {most}, and the model has {self.classes} classes, 0 to {self.classes - 1}"
            )
        pace = measured_pace(self.victim, images[:FIRST], labels[:FIRST])
        if pace.seconds(1, 1) * len(images) < SOON * self.seconds:
            pace = measured_pace(self.victim, images, labels)
        self.siege = Siege(self.victim, pace, self.on_event)
        if not ladder(self.ball, LEVELS[0], classes=self.classes, differentiable=pace.differentiable):
            raise AttackError(
                f"no gradient comes back through the model, and by {self.ball.name} there is no attack "
                "without; linf, l2 and l1 have one"
            )

    def sample(self, images: Tensor, labels: Tensor, rows: Tensor, generator: Generator) -> None:
        """Attack lightly as many images as there is time for, in parts, each to its end."""
        where, count = self.victim.device or images.device, FIRST
        draws, complete = Draws.of(generator, len(rows)), True
        while (taken := len(self.siege)) < len(rows) and count and complete:
            part = slice(taken, taken + count)
            some = _floats(images[rows[part]]).to(where)
            added = self.siege.extend(
                some, labels[rows[part]].to(where).long(), Draws(draws.seeds[part].to(where))
            )
            complete = self._round(LEVELS[0], added, self.at(CURVE))
            self.spent = time.monotonic() - self.began
            left = self.at(SAMPLING) - time.monotonic()
            count = int(0.8 * left * len(self.siege) / self.spent) if left > 0 else 0
            count = count if count > len(self.siege) // 10 else 0  # crumbs are slow
        self.level = LEVELS[0].name if complete else None

    def look_for_masking(self) -> None:
        """Check for masked gradients on as many images as there is time for."""
        rows = self.siege.right.nonzero().squeeze(1)
        left = self.at(MASKING) - time.monotonic()
        if not len(rows) or left <= 0:
            return
        # Most images fall before an attack ends, about as often here as they did until now.
        share = self.spent / max(self.bound, 1e-9)
        each = self.siege.pace.seconds(GRADIENTS, FORWARDS) * max(share, 0.1)
        rows = rows[: max(LEAST_CHECKED, min(CHECKED, int(left / each)))]
        siege = self.siege
        self.masking = probed(
            self.victim,
            siege.images[rows],
            siege.labels[rows],
            ball=self.ball,
            draws=siege.draws(rows).derived("masking"),
            until=self.at(CURVE),
            on_event=self.on_event,
        )

    def go_on(self, level: Level) -> None:
        """Attack what stands with more steps and queries, until the time is over."""
        before = LEVELS[LEVELS.index(level) - 1].name
        rows = torch.arange(len(self.siege), device=self.siege.labels.device)
        if self._round(level, rows, self.at(1.0)) and self.level == before:
            self.level = level.name

    def _round(self, level: Level, rows: Tensor, until: float) -> bool:
        """Attack with all attacks of a level; say whether there was time for all that stood."""
        complete = True
        rungs = ladder(self.ball, level, classes=self.classes, differentiable=self.siege.differentiable)
        for rung in rungs:
            if not len(rows) or not bool(self.siege.standing[rows].any()):
                continue
            tried = self.siege.assault(rung, rows, key=(level.name, rung.name), until=until)
            self.bound += tried.attacked * self.siege.pace.seconds(rung.gradients, rung.forwards)
            self.tried.append(tried)
            complete &= tried.attacked == tried.standing
        return complete

    def result(self, rows: Tensor, falls: Tensor, radii: list[float]) -> Evaluation:
        """Put together what was found."""
        siege, count = self.siege, len(self.siege)
        falls = falls.clone()
        newly = siege.right & ~siege.standing
        falls[newly] = falls[newly].clamp(max=float(self.ball.eps))
        clean = Measured.mean(siege.right.sum().item(), count)
        points = [RadiusPoint(eps, Measured.mean((falls > eps).sum().item(), count)) for eps in radii]
        nearest = [None if number == NONE else siege.names[number] for number in siege.nearest.tolist()]
        return Evaluation(
            ball=self.ball,
            images=count,
            clean=clean,
            robust=Measured.mean(siege.standing.sum().item(), count),
            attacks=joined(self.tried),
            curve=(RadiusPoint(0.0, clean), *points),
            level=self.level,
            masking=self.masking,
            notes=self._notes(),
            seconds=time.monotonic() - self.began,
            rows=rows[:count],
            strongest=tuple(nearest),
            fallen=newly.cpu(),
            changed=siege.changed.cpu(),
        )

    def _notes(self) -> tuple[str, ...]:
        notes, standing = [], int(self.siege.standing.sum())
        if self.level != LEVELS[-1].name and standing:
            rungs = ladder(
                self.ball, LEVELS[-1], classes=self.classes, differentiable=self.siege.differentiable
            )
            each = sum(self.siege.bound(rung) for rung in rungs)
            reached = (
                "no round of attacks came to its end" if self.level is None else f"attacks were {self.level}"
            )
            notes.append(
                f"{reached}, so that the truth may be lower: about {1 + int(each * standing / 60)} minutes "
                f"more would give the {standing:,} images that stand the standard AutoAttack"
            )
        if not self.siege.differentiable:
            notes.append(
                "no gradient comes back through the model: only attacks without gradients were tried"
            )
        if self.masking is None:
            notes.append("there was no time to look for masked gradients, or no image is answered right")
        return tuple(notes)


def _floats(images: Tensor) -> Tensor:
    """Give images as numbers in [0, 1], at least in float32."""
    if images.dtype == torch.uint8:
        return images.float() / 255
    low, high = (float(each) for each in images.aminmax()) if images.numel() else (0.0, 1.0)
    if images.is_floating_point() and not (low >= 0 and high <= 1):  # a NaN fails too
        raise AttackError(
            f"images lie in [0, 1], and some have values from {low:.4g} to {high:.4g}: did you pass "
            "normalised images? Give pixels, and let the model normalise them"
        )
    return images.to(torch.promote_types(images.dtype, torch.float32))


def _check(images: Tensor, labels: Tensor, ball: Ball, seconds: float) -> None:
    ball.check_bounded("an evaluation")
    if ball.eps == 0:
        raise AttackError("a radius of 0 leaves nothing to attack; 8/255 by linf or 0.5 by l2 are usual")
    if not 0 < seconds < float("inf"):
        raise AttackError(f"{seconds} seconds are no time for an evaluation; 120 are usual")
    labels = torch.as_tensor(labels)
    if labels.shape != images.shape[:1] or labels.is_floating_point() or labels.dtype == torch.bool:
        raise AttackError(
            f"labels are {labels.dtype} of shape {tuple(labels.shape)} for {len(images)} images, where one "
            "whole number from 0 is wanted for each"
        )
    if len(labels) and int(labels.min()) < 0:
        raise AttackError(f"a label is {int(labels.min())}, where classes are numbered from 0")
