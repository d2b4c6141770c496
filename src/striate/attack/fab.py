"""FAB-T: walk along the boundary to a few other classes, ever nearer to the clean image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from striate.attack.attack import BallAttack
from striate.attack.ball import per_image
from striate.attack.balls import L1, L2, Linf
from striate.attack.boundary import check_norm, nearer
from striate.attack.draws import Draws
from striate.attack.goals import Targeted
from striate.attack.hyperplanes import change_to_plane
from striate.attack.losses import margin
from striate.attack.victim import Victim
from striate.core.errors import AttackError

FARTHEST_BIAS = 0.1
"""The largest weight of the step that begins at the clean image."""

OVERSHOOT = 1.05
"""By which factor a step goes beyond the hyperplane."""

BACKWARD = 0.9
"""Which share of its change an image keeps that has crossed the boundary."""

ELEMENTS_AT_ONCE = 2**24
"""How many values the points hold that walk at once; there are about ten tensors of that size."""


@dataclass(frozen=True, kw_only=True)
class FABT(BallAttack):
    """Search for the nearest image of another class by linearising the boundary to each of a few classes.

    At a point x the boundary to class t is taken for the hyperplane where ``z_t - z_y``, linearised, is 0.
    With the smallest changes d from x and d0 from the clean image x0 onto it, inside [0, 1], and
    ``a = min(|d| / (|d| + |d0|), 0.1)``, the next point is ``(1 - a)(x + 1.05 d) + a (x0 + 1.05 d0)``; where
    that is of another class, it is kept if it is the nearest so far, and 0.9 of its change are gone on with.
    The classes are those with the largest logits for the clean image, all at once; for a target it is that
    alone, against the strongest other. An image is finished when a point inside the ball is found; with an
    infinite radius the walk goes on to the end, and from there straight back towards the clean image.

    Args:
        ball: where changed images may lie, by L-infinity, L2 or L1; its radius may be ``math.inf``.
        steps: how many, at least 1.
        targets: how many classes are tried, at least 1; at most all others are.
        restarts: how often it begins, at least 1: at the clean image first, and then at random points half as
            far away as the best so far, or as the radius.
        goal: what the model shall answer.

    Raises:
        AttackError: for L0, or where a number is below 1.

    Source: Croce and Hein, Minimally distorted adversarial examples with a fast adaptive boundary attack
    (2020), algorithm 1; the targeted form is of Croce and Hein, Reliable evaluation of adversarial robustness
    with an ensemble of diverse parameter-free attacks (2020), appendix A. There the classes are tried one
    after the other.

    >>> from striate.attack.balls import L2
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2, 2, bias=False))
    >>> network[1].weight.data = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    >>> changed = FABT(L2(math.inf))(network, torch.tensor([[[0.6, 0.4]]]), torch.tensor([0]))
    >>> changed.mul(100).round().tolist()
    [[[50.0, 50.0]]]
    """

    steps: int = 100
    targets: int = 9
    restarts: int = 1

    def __post_init__(self) -> None:
        check_norm(self.ball, (Linf, L2, L1), "FAB-T")
        if min(self.steps, self.targets, self.restarts) < 1:
            raise AttackError(
                f"FAB-T with {self.steps} steps, {self.targets} targets and {self.restarts} restarts cannot "
                "be; each is at least 1"
            )

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        targets = self._targets(victim.logits(images), labels)
        at_once = max(1, ELEMENTS_AT_ONCE // (targets.shape[1] * images[0].numel()))
        found = []
        for rows in torch.split(torch.arange(len(images), device=images.device), at_once):
            part = replace(self, goal=self.goal.rows(rows))
            found.append(
                part._nearest(
                    victim, images[rows], labels[rows], draws=draws.rows(rows), targets=targets[rows]
                )
            )
        return torch.cat(found)

    def _targets(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Choose the classes (N x some) to whose boundaries each image walks."""
        if isinstance(self.goal, Targeted):
            return self.goal.classes(labels)[:, None]
        others = logits.scatter(1, labels[:, None], -torch.inf)
        return others.topk(min(self.targets, logits.shape[1] - 1), dim=1).indices

    def _nearest(
        self, victim: Victim, images: Tensor, labels: Tensor, *, draws: Draws, targets: Tensor
    ) -> Tensor:
        """Give the nearest image found that meets the goal; the image itself where none was."""
        best = _Nearest(images)
        for restart in range(self.restarts):
            rows = self._unfinished(best).nonzero().squeeze(1)
            if restart:
                rows = rows[best.distances[rows].clamp(max=self.ball.eps).isfinite()]
            if not len(rows):
                break
            starts = images[rows] if not restart else self._around(best, draws.derived(restart), rows)
            images_of = rows.repeat_interleave(targets.shape[1])
            points = starts.repeat_interleave(targets.shape[1], dim=0)
            walk = _Walk(points, images_of, targets[rows].flatten())
            self._walk(victim, labels, walk, best)
        if math.isinf(self.ball.eps):
            self._back(victim, labels, best)
        return best.changed

    def _back(self, victim: Victim, labels: Tensor, best: _Nearest) -> None:
        """Go straight back from what was found while the goal stays met."""
        rows = best.distances.isfinite().nonzero().squeeze(1)
        if len(rows):
            goal, found = self.goal.rows(rows), best.changed[rows]
            best.changed[rows] = nearer(victim, goal, best.images[rows], found, labels[rows])

    def _unfinished(self, best: _Nearest) -> Tensor:
        """Say of which images no point inside the ball is known; with an infinite radius, of all."""
        return (best.distances > self.ball.eps) | math.isinf(self.ball.eps)

    def _around(self, best: _Nearest, draws: Draws, rows: Tensor) -> Tensor:
        """Draw points half as far from the clean images as the best so far, or as the radius."""
        noise = draws.rows(rows).normal("around", best.images.shape[1:]).to(best.images)
        lengths = best.distances[rows].clamp(max=self.ball.eps) / 2 / self.ball.norms(noise)
        return (best.images[rows] + noise * per_image(lengths.to(noise), noise)).clamp(0, 1)

    def _walk(self, victim: Victim, labels: Tensor, walk: _Walk, best: _Nearest) -> None:
        """Take all steps from the points of a walk, and note what is found."""
        for _ in range(self.steps):
            _, gaps, normals = victim.gradient(walk.points, self._score(walk, labels))
            walk.points = self._step(best.images[walk.rows], walk.points, gaps, normals)
            met = self.goal.rows(walk.rows).is_met(victim.logits(walk.points), labels[walk.rows])
            if met.any():
                best.note(walk.points[met], walk.rows[met], self.ball.norms)
                clean = best.images[walk.rows]
                back = torch.lerp(clean, walk.points, BACKWARD)
                walk.points = torch.where(per_image(met, clean), back, walk.points)
            kept = self._unfinished(best)[walk.rows]
            if not kept.any():
                return
            if not kept.all():
                walk = walk.of(kept)

    def _score(self, walk: _Walk, labels: Tensor) -> Callable[[Tensor], Tensor]:
        """Give what is 0 on the boundary, and over 0 beyond it."""
        if isinstance(self.goal, Targeted):
            return lambda logits: -margin(logits, walk.targets)
        pairs = torch.stack([walk.targets, labels[walk.rows]], dim=1)

        def above(logits: Tensor) -> Tensor:
            target, label = logits.gather(1, pairs).unbind(dim=1)
            return target - label

        return above

    def _step(self, clean: Tensor, points: Tensor, gaps: Tensor, normals: Tensor) -> Tensor:
        from_point, from_clean, slopes = points.flatten(1), clean.flatten(1), normals.flatten(1)
        gaps_of_clean = gaps + (slopes * (from_clean - from_point)).sum(dim=1)
        changes = change_to_plane(
            torch.cat([from_point, from_clean]),
            torch.cat([slopes, slopes]),
            -torch.cat([gaps, gaps_of_clean]),
            self.ball,
        )
        to_plane, clean_to_plane = changes.view(2, *points.shape)
        here, there = self.ball.norms(to_plane), self.ball.norms(clean_to_plane)
        bias = (here / (here + there).clamp(min=1e-12)).clamp(max=FARTHEST_BIAS).to(points)
        ahead = torch.add(points, to_plane, alpha=OVERSHOOT)
        from_start = torch.add(clean, clean_to_plane, alpha=OVERSHOOT)
        return torch.lerp(ahead, from_start, per_image(bias, points)).clamp_(0, 1)


class _Nearest:
    """The nearest image found of each that meets the goal, and how far it is."""

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self.changed = images.clone()
        self.distances = torch.full((len(images),), torch.inf, dtype=torch.float64, device=images.device)

    def note(self, points: Tensor, rows: Tensor, norms: Callable[[Tensor], Tensor]) -> None:
        """Keep the points, several of which may be of one image, that are nearer than all before."""
        found = norms(points - self.images[rows])
        nearest = self.distances.scatter_reduce(0, rows, found, "amin")
        wins = (found == nearest[rows]) & (found < self.distances[rows])
        self.changed[rows[wins]] = points[wins]
        self.distances = nearest


@dataclass(eq=False)
class _Walk:
    """Points on the way: where each is, of which image, and to which class it goes."""

    points: Tensor
    rows: Tensor
    targets: Tensor

    def of(self, index: Tensor) -> _Walk:
        return _Walk(self.points[index], self.rows[index], self.targets[index])
