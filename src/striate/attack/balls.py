"""The balls by the norms L-infinity, L2, L1 and L0, and how they are written on a command line."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from striate.attack.ball import Ball, Region, added_inward, per_image
from striate.attack.draws import Draws
from striate.attack.regions import Box, Counted, Scaled, Shrunk
from striate.core.errors import AttackError, unknown_name

SPARSE_SHARE = 0.01
"""The share of the values that a step by L1 moves."""

_TEXT = re.compile(r"(\w+):([^/]+)(?:/([^/]+))?")


@dataclass(frozen=True)
class Linf(Ball):
    """Every value may change by at most the radius.

    Args:
        eps: the radius, from 0 to 1, such as 8/255; or ``math.inf``.

    Raises:
        AttackError: where the radius is below 0, or above 1 as when 8 is written where 8/255 is meant.

    >>> Linf(0.25).project(torch.tensor([[[0.5]]]), torch.tensor([[[0.9]]])).item()
    0.75
    """

    name: ClassVar[str] = "linf"

    def __post_init__(self) -> None:
        super().__post_init__()
        if 1 < self.eps < math.inf:
            raise AttackError(
                f"an L-infinity radius of {self.eps:g} reaches beyond all of [0, 1]: did you mean "
                f"{self.eps:g}/255 ({self.eps / 255:.4f})?"
            )

    def norms(self, change: Tensor) -> Tensor:
        """Measure the largest change of a value.

        Args:
            change: N x C x spatial.

        Returns:
            N float64.
        """
        return change.flatten(1).abs().amax(dim=1).double()

    def step(self, gradient: Tensor) -> Tensor:
        """Give the sign of the gradient.

        Args:
            gradient: N x C x spatial.

        Returns:
            Of its shape.
        """
        return gradient.nan_to_num(nan=0.0).sign()

    def ascent(self, points: Tensor, gradient: Tensor) -> Tensor:
        """Give the sign of the gradient; what leaves [0, 1] takes nothing from other values.

        Args:
            points: where the gradient was taken.
            gradient: N x C x spatial.

        Returns:
            Of its shape.
        """
        del points
        return self.step(gradient)

    def region(self, images: Tensor) -> Region:
        """Compute the bounds of every value, rounded inward.

        Args:
            images: the clean ones, N x C x spatial in [0, 1].

        Returns:
            What clamps to these.
        """
        eps = torch.tensor(self.eps, dtype=torch.float64, device=images.device)
        return Box(added_inward(images, -eps).clamp(min=0.0), added_inward(images, eps).clamp(max=1.0))

    def _random_changes(self, images: Tensor, draws: Draws) -> Tensor:
        return draws.uniform("start", images.shape[1:]).mul_(2.0).sub_(1.0).mul_(self.eps)


@dataclass(frozen=True)
class L2(Ball):
    """The root of the sum of all squared changes may be at most the radius.

    Args:
        eps: the radius, from 0; or ``math.inf``.

    Raises:
        AttackError: where the radius is below 0 or no number.

    >>> L2(0.5).project(torch.zeros(1, 1, 2), torch.tensor([[[0.6, 0.8]]])).mul(100).round().tolist()
    [[[30.0, 40.0]]]
    """

    name: ClassVar[str] = "l2"

    def norms(self, change: Tensor) -> Tensor:
        """Measure the root of the sum of squares.

        Args:
            change: N x C x spatial.

        Returns:
            N float64.
        """
        norms: Tensor = torch.linalg.vector_norm(change.flatten(1), dim=1, dtype=torch.float64)
        return norms

    def step(self, gradient: Tensor) -> Tensor:
        """Scale the gradient to unit norm.

        Args:
            gradient: N x C x spatial.

        Returns:
            Of its shape.
        """
        scaled = _by_largest(gradient)  # the squares of small gradients would be 0
        norms = torch.linalg.vector_norm(scaled.flatten(1), dim=1).clamp(min=1e-12)
        return scaled / per_image(norms, scaled)

    def region(self, images: Tensor) -> Region:
        """Prepare the projection into balls around images.

        Args:
            images: the clean ones, N x C x spatial in [0, 1].

        Returns:
            What clamps to [0, 1], and then scales changes that are too large.
        """
        return Scaled(images, self.eps)

    def _random_changes(self, images: Tensor, draws: Draws) -> Tensor:
        direction = self.step(draws.normal("start", images.shape[1:]))
        radius = draws.uniform("radius", ()).double().pow(1 / images[0].numel())
        return direction * per_image(radius.float() * self.eps, direction)


@dataclass(frozen=True)
class L1(Ball):
    """The sum of all changes, without their signs, may be at most the radius.

    Args:
        eps: the radius, from 0; or ``math.inf``.

    Raises:
        AttackError: where the radius is below 0 or no number.

    >>> L1(0.5).project(torch.zeros(1, 1, 2), torch.tensor([[[0.6, 0.2]]])).mul(100).round().tolist()
    [[[45.0, 5.0]]]
    """

    name: ClassVar[str] = "l1"

    def norms(self, change: Tensor) -> Tensor:
        """Measure the sum of the sizes of changes.

        Args:
            change: N x C x spatial.

        Returns:
            N float64.
        """
        norms: Tensor = torch.linalg.vector_norm(change.flatten(1), ord=1, dim=1, dtype=torch.float64)
        return norms

    def step(self, gradient: Tensor) -> Tensor:
        """Share a step evenly among the values with the largest gradients, a hundredth of all.

        The steepest direction moves one value alone, which [0, 1] soon stops.

        Args:
            gradient: N x C x spatial.

        Returns:
            Of its shape.

        Source: Tramèr and Boneh, Adversarial training and robustness for multiple perturbations (2019),
        section 4.
        """
        flat = _by_largest(gradient).flatten(1)
        count = max(1, round(SPARSE_SHARE * flat.shape[1]))
        places = flat.abs().topk(count, dim=1).indices
        direction = torch.zeros_like(flat).scatter(1, places, flat.gather(1, places).sign())
        moved = direction.abs().sum(dim=1, keepdim=True).clamp(min=1.0)
        return (direction / moved).view_as(gradient)

    def region(self, images: Tensor) -> Region:
        """Prepare the projection into balls around images.

        Args:
            images: the clean ones, N x C x spatial in [0, 1].

        Returns:
            What gives the nearest point in both the ball and [0, 1].
        """
        return Shrunk(images, self.eps)

    def _random_changes(self, images: Tensor, draws: Draws) -> Tensor:
        # Sizes and a slack, all exponential, over their sum are even on the simplex (Devroye 1986, XI.4).
        sizes = -draws.uniform("start", images.shape[1:]).mul(-1.0).add(1.0).log()
        slack = -draws.uniform("radius", ()).mul(-1.0).add(1.0).log()
        total = (sizes.flatten(1).sum(dim=1) + slack).clamp(min=1e-12)
        return draws.signs("sign", images.shape[1:]) * sizes * per_image(total.reciprocal() * self.eps, sizes)


@dataclass(frozen=True)
class L0(Ball):
    """A number of pixels may change, by however much; all channels of a place are one pixel.

    Args:
        eps: how many pixels, a whole number from 0; or ``math.inf``.

    Raises:
        AttackError: where it is not whole, or below 0.

    >>> L0(1).project(torch.zeros(1, 1, 2), torch.tensor([[[0.6, 0.8]]])).mul(10).round().tolist()
    [[[0.0, 8.0]]]
    """

    name: ClassVar[str] = "l0"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not math.isinf(self.eps) and self.eps != int(self.eps):
            raise AttackError(f"an L0 radius is a number of pixels, and {self.eps:g} is not whole")

    def length(self, share: float) -> float:
        """Give the length of a step: at least all that a pixel can change, since less never exchanges pixels.

        Args:
            share: of the radius, which is a number of pixels and says nothing of lengths.

        Returns:
            The length, in units of `step`.
        """
        return max(1.0, share)

    def norms(self, change: Tensor) -> Tensor:
        """Count the places where any channel changed.

        Args:
            change: N x C x spatial.

        Returns:
            N float64.
        """
        return (change != 0).any(dim=1).flatten(1).sum(dim=1).double()

    def step(self, gradient: Tensor) -> Tensor:
        """Scale the gradient so that its largest value is 1; the projection chooses the pixels.

        Args:
            gradient: N x C x spatial.

        Returns:
            Of its shape.

        Source: Croce and Hein, Sparse and imperceivable adversarial attacks (2019), section 3.2; there it is
        scaled to an L1 norm of 1.
        """
        return _by_largest(gradient)

    def region(self, images: Tensor) -> Region:
        """Prepare the projection into balls around images.

        Args:
            images: the clean ones, N x C x spatial in [0, 1].

        Returns:
            What keeps the pixels that changed most, and restores the others.
        """
        return Counted(images, self.eps)

    def _random_changes(self, images: Tensor, draws: Draws) -> Tensor:
        places = images[0, 0].numel()
        chosen = draws.uniform("place", (places,)).argsort(dim=1).argsort(dim=1) < self.eps
        colours = draws.uniform("start", images.shape[1:])
        return (colours - images) * chosen.view(len(images), 1, *images.shape[2:])


def parse_ball(text: str) -> Ball:
    """Read a ball as it is written on a command line: norm, colon, radius.

    Args:
        text: such as ``linf:8/255``, ``l2:0.5``, ``l1:12`` or ``l0:5``.

    Returns:
        The ball.

    Raises:
        AttackError: where the norm does not exist, or the radius is no number or out of its range.

    >>> parse_ball("linf:8/255")
    Linf(eps=0.03137254901960784)
    """
    balls: dict[str, type[Ball]] = {each.name: each for each in (Linf, L2, L1, L0)}
    found = _TEXT.fullmatch(text.replace(" ", "").lower())
    if found is None:
        raise AttackError(f"'{text}' is no ball; write a norm and a radius, as in linf:8/255 or l2:0.5")
    norm, above, below = found.groups()
    if norm not in balls:
        raise AttackError(unknown_name("norm", norm, balls))
    try:
        eps = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        raise AttackError(f"the radius of '{text}' is no number; 8/255 and 0.03 are") from None
    return balls[norm](eps)


def _by_largest(gradient: Tensor) -> Tensor:
    """Divide the gradient of each image by its largest size."""
    known = gradient.nan_to_num()
    largest = known.flatten(1).abs().amax(dim=1)
    return known / per_image(largest.clamp(min=torch.finfo(known.dtype).tiny), known)
