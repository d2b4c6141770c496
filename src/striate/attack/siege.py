"""Images under attack after attack, within a time: which fell, to what, and which stand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from striate.attack.draws import Draws, Key
from striate.attack.goals import Untargeted
from striate.attack.ladder import Rung
from striate.attack.losses import cross_entropy, margin
from striate.attack.victim import Victim
from striate.core.errors import AttackError
from striate.core.events import Event, OnEvent

AT_ONCE = 500
"""So many images are attacked at once, at most."""

SHARE = 0.5
"""Of the time that is left, what the next images may take."""

FEWEST = 8
"""Fewer images than this are not attacked because the time is short: so few at once are slow."""

UNKNOWN = 2.0
"""By this an attack is thought to be slower than the model alone, before any was tried."""

NONE = -1
"""The number of the attack that came nearest, where none was tried."""


@dataclass(frozen=True)
class Pace:
    """How fast a model answers.

    Args:
        forward: seconds an image, without gradients.
        gradient: seconds an image, forward and backward; ``None`` where no gradient comes back.
    """

    forward: float
    gradient: float | None

    @property
    def differentiable(self) -> bool:
        """Whether the model has gradients."""
        return self.gradient is not None

    def seconds(self, gradients: int, forwards: int) -> float:
        """Say how long an image takes.

        Args:
            gradients: passes forward and backward.
            forwards: passes forward alone.

        Returns:
            Seconds.
        """
        return gradients * (self.gradient or 0.0) + forwards * self.forward


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What one attack of an evaluation did.

    Args:
        name: of the attack.
        how: its strength in words.
        attacked: how many images it was tried on: those that stood, as far as there was time.
        standing: how many stood before.
        fell: how many fell to it.
        seconds: that it took.
    """

    name: str
    how: str
    attacked: int
    standing: int
    fell: int
    seconds: float


def measured_pace(victim: Victim, images: Tensor, labels: Tensor) -> Pace:
    """Measure how fast a model answers.

    Args:
        victim: the model, inside its block.
        images: some, as many as pass at once.
        labels: N int64.

    Returns:
        The faster of two passes of each kind.
    """

    def forward() -> None:
        victim.logits(images).sum().item()  # which waits for the device

    def gradient() -> None:
        victim.gradient(images, lambda logits: cross_entropy(logits, labels))[2].sum().item()

    fast = min(_seconds(forward) for _ in range(2)) / len(images)
    try:
        slow = min(_seconds(gradient) for _ in range(2)) / len(images)
    except AttackError:
        return Pace(fast, None)
    return Pace(fast, slow)


class Siege:
    """Attack images, and drop those that fall from later attacks.

    Args:
        victim: the model, inside its block.
        pace: how fast it answers.
        on_event: is given the progress.
    """

    def __init__(self, victim: Victim, pace: Pace, on_event: OnEvent) -> None:
        self._victim, self.pace, self._on_event = victim, pace, on_event
        self.names: list[str] = []
        """Of the attacks, by their number."""
        self.images = self.labels = self.logits = torch.empty(0)
        self.changed = self.margins = self.nearest = torch.empty(0)
        self.right = self.standing = torch.empty(0)
        self._seeds = torch.empty(0)
        self._slowness: dict[str, float] = {}  # by attack: seconds over those that the model alone would take

    @property
    def differentiable(self) -> bool:
        """Whether the model has gradients."""
        return self.pace.differentiable

    def __len__(self) -> int:
        return len(self.images)

    def extend(self, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        """Take more images in.

        Args:
            images: N x C x spatial, floating point in [0, 1], on the model's device.
            labels: N int64.
            draws: of these images.

        Returns:
            int64, the numbers of the new images here.
        """
        before, logits = len(self), self._victim.logits(images)
        right = ~Untargeted().is_met(logits, labels)
        added = {
            "images": images,
            "labels": labels,
            "logits": logits,
            "changed": images,
            "margins": margin(logits, labels),
            "nearest": torch.full_like(labels, NONE),
            "right": right,
            "standing": right,
            "_seeds": draws.seeds,
        }
        for name, values in added.items():
            setattr(self, name, torch.cat([getattr(self, name), values]) if before else values.clone())
        return torch.arange(before, len(self), device=labels.device)

    def assault(self, rung: Rung, rows: Tensor, *, key: Key, until: float) -> Tried:
        """Try an attack on images that stand, as far as there is time.

        Args:
            rung: the attack.
            rows: which images; those that have fallen are left out.
            key: what its random numbers are for.
            until: by `time.monotonic`, when it must end.

        Returns:
            What it did.
        """
        rows, began = rows[self.standing[rows]], time.monotonic()
        if rung.name not in self.names:
            self.names.append(rung.name)
        number, attacked, fell = self.names.index(rung.name), 0, 0
        for part, changed, logits in self.stormed(rung, rows, key=key, until=until):
            met = self.met(logits, part)
            margins = margin(logits, self.labels[part]).nan_to_num(nan=-torch.inf)
            better = (margins > self.margins[part]) | met
            self.changed[part[better]] = changed[better]
            self.margins[part[better]] = margins[better]
            self.nearest[part[better]] = number
            self.standing[part[met]] = False
            attacked, fell = attacked + len(part), fell + int(met.sum())
        return Tried(
            name=rung.name,
            how=rung.how,
            attacked=attacked,
            standing=len(rows),
            fell=fell,
            seconds=time.monotonic() - began,
        )

    def stormed(
        self, rung: Rung, rows: Tensor, *, key: Key, until: float
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Attack images some at a time, as long as the next ones are sure to be done in time.

        Args:
            rung: the attack.
            rows: which images.
            key: what its random numbers are for.
            until: by `time.monotonic`, when it must end.

        Yields:
            Which images, the changed ones, and their logits.
        """
        if not len(rows):
            return
        done = 0
        self._tell(rung, done, len(rows))
        while done < len(rows):
            began = time.monotonic()
            left, bound = until - began, self.bound(rung)
            most = min(AT_ONCE, int(SHARE * left / bound), len(rows) - done)
            if most < min(FEWEST, len(rows) - done):
                return
            forwards, backwards = self._victim.forwards, self._victim.backwards
            part = rows[done : done + most]
            changed = rung.attack.run(
                self._victim,
                self.images[part],
                self.labels[part],
                self.draws(part).derived(key),
                logits=self.logits[part],
            )
            logits = self._victim.logits(changed)
            gradients = self._victim.backwards - backwards
            asked = self.pace.seconds(gradients, self._victim.forwards - forwards - gradients)
            asked = min(asked, len(part) * self.pace.seconds(rung.gradients, rung.forwards))
            self._slowness[rung.name] = (time.monotonic() - began) / max(asked, 1e-9)
            done += len(part)
            self._tell(rung, done, len(rows))
            yield part, changed, logits

    def draws(self, rows: Tensor) -> Draws:
        """Give the random numbers of some of the images.

        Args:
            rows: which images.

        Returns:
            Their draws.
        """
        return Draws(self._seeds[rows])

    def met(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Say which answers are wrong.

        Args:
            logits: N x classes.
            rows: which images these are of.

        Returns:
            N booleans.
        """
        return Untargeted().is_met(logits, self.labels[rows])

    def fallen(self, changed: Tensor, rows: Tensor) -> Tensor:
        """Say which images fall to changes that are known.

        Args:
            changed: N x C x spatial.
            rows: which images these are of.

        Returns:
            N booleans.
        """
        return self.met(self._victim.logits(changed), rows)

    def bound(self, rung: Rung) -> float:
        """Say how long an image takes at most: as the model does, times what an attack adds to that.

        Args:
            rung: the attack.

        Returns:
            Seconds.
        """
        known = self._slowness.get(rung.name, max(self._slowness.values(), default=UNKNOWN))
        return max(self.pace.seconds(rung.gradients, rung.forwards) * known, 1e-9)

    def _tell(self, rung: Rung, done: int, total: int) -> None:
        figures = {"what": f"attacking by {rung.name}, {rung.how}", "done": done, "total": total}
        self._on_event(Event("prepare", {**figures, "unit": "images"}))


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
