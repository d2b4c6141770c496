"""The smallest change that brings an image onto a hyperplane without leaving the box [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.attack.ball import Ball
from striate.attack.balls import L1, L2, Linf
from striate.core.errors import AttackError

NEWTON_STEPS = 50
"""The curve has a kink an element; Newton's steps jump over most of them, and 5 to 8 are the rule."""


def change_to_plane(points: Tensor, normals: Tensor, gaps: Tensor, ball: Ball) -> Tensor:
    """Find the smallest d with ``<w, d> = c`` and ``0 <= x + d <= 1``, in the norm of a ball.

    Every element moves along the sign of ``c w``, by at most its room r to the border of the box:
    ``min(t, r)`` for L-infinity and ``min(t |w|, r)`` for L2, with the one t for which the gap is closed, and
    for L1 by all its room, the largest ``|w|`` first. The gap that is closed is a concave, piecewise linear
    function of t, of which Newton's method finds the root from below, exactly and in a few steps. Where the
    box has no such point, the result is the corner that comes nearest.

    Args:
        points: x, N x elements in [0, 1].
        normals: w, N x elements.
        gaps: c, N.
        ball: whose norm is meant; its radius does not matter.

    Returns:
        d, N x elements.

    Raises:
        AttackError: for a ball without a convex norm (L0).

    Source: Croce and Hein, Minimally distorted adversarial examples with a fast adaptive boundary attack
    (2020), section 2.2 and appendix A, who sort the elements instead.

    >>> change_to_plane(torch.tensor([[0.5, 0.9]]), torch.tensor([[1.0, 1.0]]), torch.tensor([0.5]), Linf(1))
    tensor([[0.4000, 0.1000]])
    """
    scale = normals.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(normals.dtype).tiny)
    towards = normals / scale * gaps.sign()[:, None]  # the squares of small slopes would be 0
    steep = towards.abs()
    room = torch.where(towards > 0, 1 - points, points) * (steep > 0)
    wanted = gaps.abs() / scale[:, 0]
    match ball:
        case Linf():
            length = _moved(steep, room, torch.ones_like(steep), wanted)
        case L2():
            length = _moved(steep, room, steep, wanted)
        case L1():
            length = _steepest_first(steep, room, wanted)
        case _:
            raise AttackError(f"{ball} has no nearest point of a hyperplane; Linf, L2 and L1 have one")
    return length * towards.sign()


def _moved(steep: Tensor, room: Tensor, speed: Tensor, wanted: Tensor) -> Tensor:
    """Move every element at its speed until it has no room left or all together have what is wanted."""
    gain, whole = steep * speed, steep * room
    end = room / speed.clamp(min=torch.finfo(speed.dtype).tiny)
    time = torch.zeros_like(wanted)
    for _ in range(NEWTON_STEPS):
        closed = torch.minimum(gain * time[:, None], whole).sum(dim=1)
        slope = (gain * (end > time[:, None])).sum(dim=1)
        # Where all room together is too little, nothing moves any more in the end.
        step = torch.where(slope > 0, (wanted - closed) / slope, 0.0)
        going = step > 1e-6 * time  # each row ends by itself, so that rows do not know of each other
        if not going.any():
            break
        time = torch.where(going, time + step, time)
    return torch.minimum(speed * time[:, None], room)


def _steepest_first(steep: Tensor, room: Tensor, wanted: Tensor) -> Tensor:
    """Use up the room of the steepest elements, and of the last one what is still needed."""
    order = steep.argsort(dim=1, descending=True, stable=True)
    sorted_steep, sorted_room = steep.gather(1, order), room.gather(1, order)
    gains = sorted_steep * sorted_room
    before = gains.cumsum(dim=1) - gains
    share = ((wanted[:, None] - before) / gains.clamp(min=torch.finfo(gains.dtype).tiny)).clamp(0, 1)
    return torch.zeros_like(room).scatter(1, order, share * sorted_room)
