"""Ways through latents: straight lines, great circles, planes, and sums of groups."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from striate.core.errors import LayerError, ShapeError, unknown_name

_STRAIGHT, _OPPOSITE = 1e-7, 1e-6  # radians


def lerp(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """Walk along the straight line between two latents: ``(1 - s) a + s b``.

    Half way between two draws a latent is shorter than nearly all draws are.

    Args:
        start: ``a``, (D).
        end: ``b``, (D).
        shares: ``s`` of each step, (K), from 0 to 1.

    Returns:
        K x D.

    >>> lerp(torch.zeros(2), torch.tensor([2.0, 4.0]), torch.tensor([0.0, 0.5])).tolist()
    [[0.0, 0.0], [1.0, 2.0]]
    """
    first, last, along = start.double(), end.double(), shares.double()[:, None]
    return ((1 - along) * first + along * last).to(start.dtype)


def slerp(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """Walk along the great circle between two latents, at an even angle a step.

    With the angle ``w`` between them: ``(sin((1 - s) w) a + sin(s w) b) / sin(w)``. Between latents as long
    as draws are, every latent on the way is as long too. Along one line it is `lerp`.

    Args:
        start: ``a``, (D).
        end: ``b``, (D).
        shares: ``s`` of each step, (K), from 0 to 1.

    Returns:
        K x D.

    Raises:
        LayerError: where the two point in opposite directions, so that every way round is as short.

    Source: White, Sampling generative networks (2016), section 2.1.

    >>> middle = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([0.5]))
    >>> [round(number, 4) for number in middle[0].tolist()]
    [0.7071, 0.7071]
    """
    first, last, along = start.double(), end.double(), shares.double()[:, None]
    if not first.any() or not last.any():
        return lerp(start, end, shares)
    one, other = first / first.norm(), last / last.norm()
    # The arc cosine of the product would lose half of the digits of small angles.
    angle = 2 * torch.atan2((one - other).norm(), (one + other).norm())
    if angle > math.pi - _OPPOSITE:
        raise LayerError(
            "the two latents point in opposite directions, so that no great circle between them is the "
            "shortest; the linear path has one way"
        )
    if angle < _STRAIGHT:
        return lerp(start, end, shares)
    # Divided before they are multiplied, so that the ends are met exactly.
    before, after = (torch.sin(share * angle) / torch.sin(angle) for share in (1 - along, along))
    return (before * first + after * last).to(start.dtype)


PATHS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"linear": lerp, "spherical": slerp}
"""The ways from one latent to another."""


def route(latents: Tensor, steps: int, *, path: str = "spherical", closed: bool = False) -> Tensor:
    """Walk from latent to latent.

    Args:
        latents: to be passed in this order, K x D, at least 2.
        steps: latents of each leg, its two ends among them, from 2.
        path: ``spherical`` or ``linear``.
        closed: whether to walk back to the first at the end, which is then not given once more: the frames of
            a film that goes on and on.

    Returns:
        (K - 1) (steps - 1) + 1 latents, or K (steps - 1) of a closed route, x D.

    Raises:
        ShapeError: where there are fewer than two latents.
        LayerError: for fewer steps, an unknown path, or opposite latents.

    >>> route(torch.tensor([[0.0], [1.0], [3.0]]), 3, path="linear").flatten().tolist()
    [0.0, 0.5, 1.0, 2.0, 3.0]
    """
    walk = _path(path)
    if latents.ndim != 2 or len(latents) < 2:
        raise ShapeError(f"a route needs at least 2 latents, K x D, and got {tuple(latents.shape)}")
    if steps < 2:
        raise LayerError(f"{steps} steps are no way from one latent to another; 2 and more are")
    shares = torch.linspace(0, 1, steps, dtype=torch.float64, device=latents.device)[:-1]
    ends = [*latents, latents[0]] if closed else list(latents)
    legs = [walk(start, end, shares) for start, end in pairwise(ends)]
    return torch.cat(legs if closed else [*legs, latents[-1:]])


def plane(corners: Tensor, count: int, *, path: str = "spherical") -> Tensor:
    """Lay out the plane through three latents, as a grid that has them in three of its corners.

    At ``x`` to the right and ``y`` downwards, from 0 to 1, is ``(1 - x - y) a + x b + y c``, so that the
    fourth corner is what ``b + c - a`` gives. ``spherical`` divides by the length of the three weights: of
    latents that were drawn apart every one is then distributed as a draw is.

    Args:
        corners: the latents above left, above right and below left, 3 x D.
        count: latents along each side, from 2.
        path: ``spherical`` or ``linear``.

    Returns:
        count x count x D, by ``y`` and ``x``.

    Raises:
        ShapeError: where there are not three latents.
        LayerError: for fewer than 2 along a side, an unknown path, or latents that are the same.

    >>> plane(torch.tensor([[0.0], [1.0], [10.0]]), 2, path="linear").squeeze(2).tolist()
    [[0.0, 1.0], [10.0, 11.0]]
    """
    _path(path)
    if corners.ndim != 2 or len(corners) != 3:
        raise ShapeError(f"a plane goes through 3 latents, 3 x D, and got {tuple(corners.shape)}")
    if count < 2:
        raise LayerError(f"a plane of {count} latents along a side has no corners; 2 and more have")
    if len(torch.unique(corners, dim=0)) < 3:
        raise LayerError("two of the three latents are the same, so that there is no plane through them")
    shares = torch.linspace(0, 1, count, dtype=torch.float64, device=corners.device)
    down, right = torch.meshgrid(shares, shares, indexing="ij")
    weights = torch.stack([1 - right - down, right, down], dim=2)
    if path == "spherical":
        weights = weights / weights.norm(dim=2, keepdim=True)
    return (weights @ corners.double()).to(corners.dtype)


def arithmetic(base: Tensor, minus: Tensor, plus: Tensor) -> Tensor:
    """Add up groups of latents: the mean of one, less that of another, and that of a third.

    The sum is divided by the length of its weights, so that of latents that were drawn apart it is
    distributed as a draw is; a latent that is in several groups counts once, with all of its weights.

    Args:
        base: N x D, such as latents of long-sleeved shirts.
        minus: M x D, of short-sleeved ones.
        plus: K x D, of short dresses.

    Returns:
        (D): perhaps that of a long-sleeved dress.

    Raises:
        ShapeError: where a group is empty, or their latents differ in length.

    Source: Radford, Metz and Chintala, Unsupervised representation learning with deep convolutional
    generative adversarial networks (2016), section 6.3.2; the division is ours, and does nothing to three
    groups of three.

    >>> units = torch.eye(9)
    >>> arithmetic(units[:3], units[3:6], units[6:])[::3].mul(3).tolist()
    [1.0, -1.0, 1.0]
    """
    groups, signs = (base, minus, plus), (1.0, -1.0, 1.0)
    if any(group.ndim != 2 or not len(group) for group in groups) or len({g.shape[1] for g in groups}) > 1:
        shapes = ", ".join("x".join(map(str, group.shape)) for group in groups)
        raise ShapeError(f"three groups of latents are added up, each N x D of one D, and got {shapes}")
    each = [
        torch.full((len(group),), sign / len(group), dtype=torch.float64, device=group.device)
        for group, sign in zip(groups, signs, strict=True)
    ]
    latents, which = torch.unique(torch.cat(groups).double(), dim=0, return_inverse=True)
    weights = latents.new_zeros(len(latents)).index_add_(0, which, torch.cat(each))
    total: Tensor = weights @ latents / weights.norm()
    return total.to(base.dtype)


def _path(name: str) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    if name not in PATHS:
        raise LayerError(unknown_name("path", name, PATHS))
    return PATHS[name]
