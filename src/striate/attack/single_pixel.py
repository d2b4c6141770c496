"""Change one pixel, or a few, found by differential evolution; no gradients are needed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from striate.attack.attack import BallAttack
from striate.attack.balls import L0
from striate.attack.boundary import check_norm
from striate.attack.draws import Draws
from striate.attack.judging import Judge
from striate.attack.victim import Victim
from striate.core.errors import AttackError

FACTOR = 0.5
"""Which share of the difference of two members is added to a third one."""

ELEMENTS_AT_ONCE = 2**24
"""How many values the candidates have that are judged at once."""


@dataclass(frozen=True, kw_only=True)
class SinglePixel(BallAttack):
    """Search places and colours of a few pixels by differential evolution.

    A member of an image's population is a place and a colour for each pixel. In each generation a child
    ``a + 0.5 (b - c)`` of three different members stands against the member whose number it has, and takes
    its place where its margin is larger. An image is finished when a member meets the goal.

    Args:
        ball: by L0, whose radius is the number of pixels: 1 to change a single one.
        population: members for each image, at least 4.
        generations: how many, at least 1; the model is asked ``population * (generations + 1)`` times at
            most.
        goal: what the model shall answer.

    Raises:
        AttackError: for another norm or an infinite radius, or where a number is too small.

    Source: Su, Vargas and Sakurai, One pixel attack for fooling deep neural networks (2019), section III;
    there members are compared by the probability of the class, which tells less than the margin where a
    model is sure, and places and colours that leave the image are drawn anew, where here they are cut to it.

    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    >>> images = torch.rand(1, 1, 4, 4)
    >>> attack = SinglePixel(L0(1), population=8, generations=3)
    >>> (attack(network, images, network(images).argmax(dim=1)) != images).sum().item() <= 1
    True
    """

    needs_gradient: ClassVar[bool] = False

    population: int = 400
    generations: int = 100

    def __post_init__(self) -> None:
        check_norm(self.ball, (L0,), "the single-pixel attack")
        self.ball.check_bounded("the single-pixel attack")
        if self.population < 4 or self.generations < 1:
            raise AttackError(
                f"{self.generations} generations of {self.population} members cannot be; a population of 4 "
                "and one generation are the least"
            )

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        if self.ball.eps == 0:
            return images
        judge = Judge(victim, labels, self.goal)
        rows = torch.arange(len(images), device=images.device)
        members = self._first_members(images, draws)
        best, margins = images.clone(), images.new_empty(members.shape[:2])
        children = members
        for generation in range(self.generations + 1):
            if generation:
                children = self._children(members[rows], draws.rows(rows).derived(generation))
            found, met = self._judged(judge, images, rows, children)
            better = (found > margins[rows]) if generation else torch.ones_like(met)
            members[rows] = torch.where(better[..., None], children, members[rows])
            margins[rows] = torch.where(better, found, margins[rows])
            place = torch.where(met, torch.inf, margins[rows]).argmax(dim=1)
            met_now = met.any(dim=1)
            each = torch.arange(len(rows), device=rows.device)
            winners = torch.where(met_now[:, None], children[each, place], members[rows, place])
            best[rows] = _painted(images[rows], winners)
            rows = rows[~met_now]
            if not len(rows):
                break
        return best

    def _first_members(self, images: Tensor, draws: Draws) -> Tensor:
        """Draw members (N x population x pixels * (axes + channels)): places, and colours, all in [0, 1]."""
        axes, channels = images.ndim - 2, images.shape[1]
        pixels = int(min(self.ball.eps, math.prod(images.shape[2:])))
        places = draws.uniform("places", (self.population, pixels, axes))
        colours = draws.normal("colours", (self.population, pixels, channels)) / 2 + 0.5
        return torch.cat([places, colours.clamp(0, 1)], dim=3).flatten(2).to(images)

    def _children(self, members: Tensor, draws: Draws) -> Tensor:
        """Add the difference of two members to a third one, all different, for each child."""
        count = members.shape[1]
        first = draws.integers("first", (count,), count)
        second = draws.integers("second", (count,), count - 1)
        second = second + (second >= first)
        third = draws.integers("third", (count,), count - 2)
        low, high = torch.minimum(first, second), torch.maximum(first, second)
        third = third + (third >= low)
        third = third + (third >= high)
        each = torch.arange(len(members), device=members.device)[:, None]
        return (members[each, first] + FACTOR * (members[each, second] - members[each, third])).clamp(0, 1)

    def _judged(self, judge: Judge, images: Tensor, rows: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
        """Give the margins (rows x population) of members, and which ones meet the goal."""
        owners, flat = rows.repeat_interleave(members.shape[1]), members.flatten(0, 1)
        at_once = max(1, ELEMENTS_AT_ONCE // images[0].numel())
        parts = [
            judge(_painted(images[some], part), some)
            for some, part in zip(torch.split(owners, at_once), torch.split(flat, at_once), strict=True)
        ]
        margins, met = (torch.cat(each).view(members.shape[:2]) for each in zip(*parts, strict=True))
        return margins, met


def _painted(images: Tensor, members: Tensor) -> Tensor:
    """Paint the pixels of a member (R x numbers) into each image."""
    channels, size = images.shape[1], images.shape[2:]
    numbers = members.view(len(members), -1, len(size) + channels)
    places = torch.zeros(numbers.shape[:2], dtype=torch.long, device=images.device)
    for axis, side in enumerate(size):
        places = places * side + (numbers[..., axis] * side).long().clamp(max=side - 1)
    colours = numbers[..., len(size) :].transpose(1, 2)
    flat = images.flatten(2).scatter(2, places[:, None].expand_as(colours), colours)
    return flat.view_as(images)
