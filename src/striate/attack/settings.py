"""Search a few numbers for each image, such as an angle and a shift, for those that mislead a model most."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from striate.attack.draws import Draws
from striate.attack.judging import CANDIDATES_AT_ONCE, Judge

Apply: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Changes R images as R x D settings say, each number in [-1, 1]; settings of 0 change nothing."""

TRIES = 8
"""Random settings around the best in each round of refining."""

FIRST_SPREAD = 0.5
LAST_SPREAD = 0.05
"""How far these lie from the best, at most, in the first round and in the last; in between it shrinks evenly
in ratio."""


def worst_settings(
    judge: Judge, images: Tensor, grid: Tensor, *, apply: Apply, draws: Draws, refinements: int
) -> Tensor:
    """Change each image by the settings whose margin is largest: first from a grid, then around the best.

    Images are dropped when they meet the goal; what is found does not depend on which others there are.

    Args:
        judge: of the images.
        images: N x C x spatial.
        grid: G x D, tried in this order by all images.
        apply: changes images as settings say.
        draws: of the images.
        refinements: how many rounds of random settings follow, from 0.

    Returns:
        The changed images; those as they are for which nothing had a larger margin.
    """
    search = _Search(judge, images, apply, grid.shape[1])
    grid = grid.to(images)
    start = 0
    while start < len(grid) and len(search.rows):
        count = max(1, CANDIDATES_AT_ONCE // len(search.rows))
        block = grid[start : start + count]
        search.try_all(block.expand(len(search.rows), -1, -1))
        start += len(block)
    for number in range(refinements):
        if not len(search.rows):
            break
        spread = FIRST_SPREAD * (LAST_SPREAD / FIRST_SPREAD) ** (number / max(1, refinements - 1))
        drawn = draws.rows(search.rows).uniform(("refine", number), (TRIES, grid.shape[1])).to(images)
        around = search.settings[search.rows][:, None] + spread * (2 * drawn - 1)
        search.try_all(around.clamp(-1, 1))
    return search.best


class _Search:
    """The worst settings found of each image, and which images do not meet the goal yet."""

    def __init__(self, judge: Judge, images: Tensor, apply: Apply, numbers: int) -> None:
        self._judge, self._images, self._apply = judge, images, apply
        self.rows = torch.arange(len(images), device=images.device)
        self.best = images.clone()
        self.settings = images.new_zeros(len(images), numbers)
        self._margins, _ = judge(images, self.rows)

    def try_all(self, settings: Tensor) -> None:
        """Try settings (rows x some x D); keep the first that meets the goal, or else the best."""
        tried = settings.shape[1]
        owners = self.rows.repeat_interleave(tried)
        changed = self._apply(self._images[owners], settings.flatten(0, 1)).clamp(0, 1)
        margins, met = self._judge(changed, owners)
        value, place = torch.where(met, torch.inf, margins).view(-1, tried).max(dim=1)
        better = value > self._margins[self.rows]
        kept = self.rows[better]
        chosen = (torch.arange(len(self.rows), device=place.device) * tried + place)[better]
        self.best[kept], self._margins[kept] = changed[chosen], value[better]
        self.settings[kept] = settings.flatten(0, 1)[chosen]
        self.rows = self.rows[value < torch.inf]
