"""What attacks reached on the same images, and whether one that should be weaker went further."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from striate.attack.attack import Attack
from striate.attack.draws import Draws, Key
from striate.attack.goals import Untargeted
from striate.attack.losses import margin
from striate.attack.victim import Victim
from striate.core.intervals import wilson

BEATEN = 0.02
"""An attack makes a difference where what it fells alone is surely more than this share of all images."""

FURTHER = 1.1
"""An attack went further on an image where it gained this many times as much."""

FEW = 5
"""Of fewer images nothing is said by how far attacks went."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What an attack reached of each image, as the model answers when it is deployed.

    Args:
        met: N booleans, which fell.
        gains: N, by how much the margin of the best wrong class over the true one rose.
    """

    met: Tensor
    gains: Tensor

    def joined(self, other: Outcome) -> Outcome:
        """Give what the better of two attacks reached of each image.

        Args:
            other: of the same images.

        Returns:
            The outcome of both.
        """
        return Outcome(self.met | other.met, torch.maximum(self.gains, other.gains))


@dataclass(frozen=True)
class Beaten:
    """How an attack did on the images that a stronger one left standing.

    Args:
        images: how many there are in all.
        left: how many these are.
        felled: how many of them it felled.
        further: on how many it went further.
    """

    images: int
    left: int
    felled: int
    further: int

    @property
    def surely(self) -> bool:
        """Whether chance is no explanation: 95 % intervals lie beyond what an honest model shows."""
        further = self.left >= FEW and wilson(self.further, self.left)[0] > 0.5
        return further or makes_difference(self.felled, self.images)


@dataclass(frozen=True, eq=False)
class Trial:
    """Images that a model answers right, on which attacks are tried.

    Args:
        victim: the model, inside its block.
        images: N x C x spatial in [0, 1].
        labels: N int64.
        draws: of these images.
        logits: of the clean images.
    """

    victim: Victim
    images: Tensor
    labels: Tensor
    draws: Draws
    logits: Tensor

    def outcome(self, attack: Attack, key: Key) -> Outcome:
        """Try an attack on all images.

        Args:
            attack: of any ball.
            key: what its random numbers are for.

        Returns:
            What it reached.
        """
        changed = attack.run(
            self.victim, self.images, self.labels, self.draws.derived(key), logits=self.logits
        )
        logits = self.victim.logits(changed)
        before = margin(self.logits, self.labels)
        gains = (margin(logits, self.labels) - before).nan_to_num(nan=-torch.inf)
        return Outcome(Untargeted().is_met(logits, self.labels), gains)


def compared(rival: Outcome, strong: Outcome) -> Beaten:
    """Count what a rival did where a stronger attack failed.

    Args:
        rival: the outcome that should be the worse one.
        strong: the other, on the same images.

    Returns:
        The counts.

    >>> strong = Outcome(torch.tensor([True, False]), torch.tensor([3.0, 1.0]))
    >>> compared(Outcome(torch.tensor([False, False]), torch.tensor([1.0, 2.0])), strong)
    Beaten(images=2, left=1, felled=0, further=1)
    """
    left = ~strong.met
    further = (rival.gains > FURTHER * strong.gains.clamp(min=0)) & left
    return Beaten(len(left), int(left.sum()), int((rival.met & left).sum()), int(further.sum()))


def makes_difference(felled: int, images: int) -> bool:
    """Say whether what an attack fells alone surely lowers the accuracy by more than `BEATEN`.

    Args:
        felled: how many images it felled that others left.
        images: how many there are in all, at least 1.

    Returns:
        Whether; one image alone never does.

    >>> makes_difference(2, 80), makes_difference(8, 80)
    (False, True)
    """
    return felled >= 2 and wilson(felled, images)[0] > BEATEN
