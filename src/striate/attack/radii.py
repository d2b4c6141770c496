"""Radii: balls of one norm and other radii, the widest that says something, and how a radius is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from striate.attack.ball import Ball
from striate.attack.balls import L0, L1, L2, Linf

LEVELS = 255
"""Steps from black to white, as pictures are stored."""


def at_radius(ball: Ball, eps: float) -> Ball:
    """Give the ball of the same norm with another radius.

    Args:
        ball: gives the norm.
        eps: the radius, from 0; over 1 is 1 for L-infinity, and for L0 it is rounded to whole pixels.

    Returns:
        The ball.

    >>> at_radius(Linf(0.1), 3.0), at_radius(L0(3), 1.5)
    (Linf(eps=1.0), L0(eps=2))
    """
    if isinstance(ball, L0):
        return replace(ball, eps=round(eps))
    return replace(ball, eps=min(eps, 1.0) if isinstance(ball, Linf) else eps)


def widest(ball: Ball, images: Tensor) -> Ball:
    """Give a ball that is wide enough for any image to become any grey: no answer can be right in all of it.

    Args:
        ball: gives the norm, and is the answer where it is wider.
        images: N x C x spatial.

    Returns:
        The ball.

    >>> import torch
    >>> widest(Linf(8 / 255), torch.zeros(1, 3, 2, 2)), widest(L2(1.0), torch.zeros(1, 1, 4, 4))
    (Linf(eps=0.5), L2(eps=2.0))
    """
    values = images[0].numel()
    radius = {Linf: 0.5, L2: 0.5 * values**0.5, L1: 0.5 * values, L0: images[0, 0].numel()}[type(ball)]
    return at_radius(ball, max(ball.eps, radius))


def multiples(ball: Ball, factors: Sequence[float]) -> list[Ball]:
    """Give balls of some multiples of a radius, each once, rising, without the ball itself.

    Args:
        ball: gives the norm and the radius.
        factors: over 0.

    Returns:
        The balls; fewer where radii coincide.

    >>> [each.eps for each in multiples(Linf(0.5), [0.5, 1, 2, 4])]
    [0.25, 1.0]
    """
    radii = {at_radius(ball, ball.eps * factor).eps for factor in factors}
    return [at_radius(ball, eps) for eps in sorted(radii - {0, ball.eps})]


def radius_text(ball: Ball) -> str:
    """Write a ball for people.

    Args:
        ball: any.

    Returns:
        Norm and radius, an L-infinity radius as so many of 255 levels where these are whole.

    >>> radius_text(Linf(8 / 255)), radius_text(L2(0.5)), radius_text(Linf(0.1))
    ('linf 8/255', 'l2 0.5', 'linf 0.1')
    """
    levels = ball.eps * LEVELS
    if isinstance(ball, Linf) and ball.eps > 0 and abs(levels - round(levels)) < 1e-9 and ball.eps < 1:
        return f"{ball.name} {round(levels)}/{LEVELS}"
    return f"{ball.name} {ball.eps:.4g}"
