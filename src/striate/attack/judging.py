"""Judge candidates of images without gradients: how near each is to the goal, and which ones meet it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from striate.attack.goals import Goal
from striate.attack.losses import aimed, margin
from striate.attack.victim import Victim

CANDIDATES_AT_ONCE = 256
"""Where fewer images are left than this, several candidates of each are judged at once."""


@dataclass(frozen=True, eq=False)
class Judge:
    """Says by the margin of the logits, as the model is deployed, what a changed image is worth.

    Args:
        victim: the model, inside its block.
        labels: N int64, the true classes.
        goal: aligned with them.
    """

    victim: Victim
    labels: Tensor
    goal: Goal

    def __call__(self, changed: Tensor, owners: Tensor) -> tuple[Tensor, Tensor]:
        """Judge changed images.

        Args:
            changed: R x C x spatial.
            owners: R int64, of which of the N images each is.

        Returns:
            R margins towards the goal, ``-inf`` where a logit is NaN, and R booleans: which ones meet it.
        """
        logits, goal, labels = self.victim.logits(changed), self.goal.rows(owners), self.labels[owners]
        margins = aimed(margin, goal, logits, labels)
        return torch.where(margins.isnan(), -torch.inf, margins), goal.is_met(logits, labels)
