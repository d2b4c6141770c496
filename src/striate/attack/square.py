"""Square: change squares at random, and keep what makes the model less sure; no gradients are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from striate.attack.attack import BallAttack
from striate.attack.balls import L1, L2, Linf
from striate.attack.boundary import check_norm
from striate.attack.draws import Draws
from striate.attack.judging import Judge
from striate.attack.square_moves import Corners, Masses, Moves
from striate.attack.victim import Victim
from striate.core.errors import AttackError

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""After so many of 10,000 queries the share of the image that a square covers is halved."""

ROWS_AT_ONCE = {"cpu": 256}
ROWS_AT_ONCE_ELSEWHERE = 1024
"""Where fewer images are left than this, several queries of each are asked at once, ahead of time."""

AHEAD = 0.25
"""How many of the queries that are made ahead for an image shall be kept, on average."""

IMAGES_AT_ONCE = 256
"""So many images are searched together: the numbers for all their queries are drawn before."""


@dataclass(frozen=True, kw_only=True)
class Square(BallAttack):
    """Search at random, with squares that become smaller; a change is kept where it raises the margin.

    For L-infinity an image starts with stripes of ``x - eps`` and ``x + eps`` along the last axis, and each
    query sets every channel of a square to one of both. For L2 and L1 it starts with bumps, and each query
    takes the change out of one square and lays it onto another, with a new bump. The share of the image that
    a square covers begins at ``share`` and is halved nine times, after 10, 50, 200, 500, 1,000, 2,000, 4,000,
    6,000 and 8,000 of 10,000 queries. Squares are intervals in one dimension and cubes in three.

    Where few images are left, queries are made ahead, and those behind the first that was kept are dropped:
    that changes the time, not the result.

    Args:
        ball: where changed images may lie, by L-infinity, L2 or L1, of finite radius.
        queries: how often the model may be asked about an image, at least 1.
        share: of the image that the first squares cover, in (0, 1].
        goal: what the model shall answer.

    Raises:
        AttackError: for another norm or an infinite radius, or where a number is out of range.

    Source: Andriushchenko, Croce, Flammarion and Hein, Square attack: a query-efficient black-box adversarial
    attack via random search (2020), algorithms 1 to 3; for L1, Croce and Hein, Mind the box: l1-APGD for
    sparse adversarial attacks on image classifiers (2021), section 4. There a bump has one orientation in
    all images, and squares of an L2 or L1 query do not overlap; here each image has its own, and they may.

    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    >>> images = torch.rand(1, 1, 4, 4)
    >>> changed = Square(Linf(0.1), queries=20)(network, images, network(images).argmax(dim=1))
    >>> (changed - images).abs().max().item() < 0.1001
    True
    """

    needs_gradient: ClassVar[bool] = False

    queries: int = 5000
    share: float = 0.8

    def __post_init__(self) -> None:
        check_norm(self.ball, (Linf, L2, L1), "Square")
        self.ball.check_bounded("Square")
        if self.queries < 1 or not 0 < self.share <= 1:
            raise AttackError(
                f"Square with {self.queries} queries and a share of {self.share} cannot be; there is at "
                "least one query, and the share is over 0 and at most 1"
            )

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        kind = Corners if isinstance(self.ball, Linf) else Masses
        found = []
        for rows in torch.split(torch.arange(len(images), device=images.device), IMAGES_AT_ONCE):
            judge = Judge(victim, labels[rows], self.goal.rows(rows))
            found.append(self._searched(judge, kind(self.ball, images[rows]), draws.rows(rows)))
        return torch.cat(found)

    def _searched(self, judge: Judge, moves: Moves, draws: Draws) -> Tensor:
        best = moves.first(draws)
        rows = torch.arange(len(best), device=best.device)
        losses, met = judge(best, rows)
        sides = moves.sides(self._shares()).to(best.device)
        numbers = draws.uniform("queries", (self.queries, moves.numbers))
        asked = torch.ones_like(rows)
        most, ahead = ROWS_AT_ONCE.get(best.device.type, ROWS_AT_ONCE_ELSEWHERE), 1
        while len(rows := rows[(~met & (asked < self.queries))[rows]]):
            left = self.queries - int(asked[rows].min())
            ahead = max(1, min(ahead, left, most // len(rows)))
            owners = rows.repeat_interleave(ahead)
            which = asked[rows][:, None] + torch.arange(ahead, device=rows.device)
            which = which.clamp(max=self.queries - 1).flatten()
            proposed = moves.proposals(owners, best[owners], sides[which], numbers[owners, which])
            found, reached = judge(proposed, owners)
            better = ((found > losses[owners]) | reached).view(len(rows), ahead)
            moved, first = better.any(dim=1), better.byte().argmax(dim=1)
            asked[rows] += torch.where(moved, first + 1, ahead)
            chosen = torch.arange(len(rows), device=rows.device)[moved] * ahead + first[moved]
            kept = rows[moved]
            best[kept], losses[kept], met[kept] = proposed[chosen], found[chosen], reached[chosen]
            ahead = round(AHEAD * len(rows) * ahead / max(1, len(kept)))
        return best

    def _shares(self) -> Tensor:
        """Give the share of the image that the square of each query covers."""
        past = torch.arange(self.queries) * (10_000 / self.queries)
        return self.share * 0.5 ** torch.bucketize(past, torch.tensor(HALVINGS, dtype=past.dtype))
