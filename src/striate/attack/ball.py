"""What a ball is: all images within a distance of a clean one, inside [0, 1], and ways to move in it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import torch
from torch import Tensor

from striate.attack.draws import Draws
from striate.core.errors import AttackError


class Region(ABC):
    """The part of [0, 1] that is in the balls around images, ready to be projected into many times."""

    @abstractmethod
    def project(self, changed: Tensor) -> Tensor:
        """Bring changed images into the region, as `Ball.project` does.

        Args:
            changed: N x C x spatial.

        Returns:
            Of their shape.
        """

    @abstractmethod
    def rows(self, index: Tensor) -> Region:
        """Give the region of some of the images.

        Args:
            index: int64, which images; or N booleans.

        Returns:
            Their region.
        """


@dataclass(frozen=True)
class Ball(ABC):
    """All images within a distance of a clean one, inside [0, 1]: `Linf`, `L2`, `L1` or `L0`.

    Args:
        eps: the radius, from 0; ``math.inf`` where nothing but [0, 1] bounds a change.

    Raises:
        AttackError: where the radius is below 0 or no number.
    """

    name: ClassVar[str]

    eps: float

    def __post_init__(self) -> None:
        eps: object = self.eps
        if isinstance(eps, bool) or not isinstance(eps, Real):
            raise AttackError(f"a radius is a number, such as 8/255, and not {eps!r}")
        if not self.eps >= 0:
            raise AttackError(f"a radius is a number from 0, and not {self.eps}")

    def length(self, share: float) -> float:
        """Give the length of a step.

        Args:
            share: of the radius.

        Returns:
            The length, in units of `step`.
        """
        return share * self.eps

    @abstractmethod
    def norms(self, change: Tensor) -> Tensor:
        """Measure changes.

        Args:
            change: N x C x spatial.

        Returns:
            N float64.
        """

    @abstractmethod
    def step(self, gradient: Tensor) -> Tensor:
        """Give the direction of unit norm in which a score rises fastest.

        Args:
            gradient: of the score by the images, N x C x spatial.

        Returns:
            Of its shape; 0 where the gradient of an image is 0 or NaN.
        """

    @abstractmethod
    def region(self, images: Tensor) -> Region:
        """Prepare the projection into the balls around images, for loops.

        Args:
            images: the clean ones, N x C x spatial in [0, 1].

        Returns:
            What projects, and gives the same for some of the images.
        """

    @abstractmethod
    def _random_changes(self, images: Tensor, draws: Draws) -> Tensor:
        """Draw changes inside the ball, of the shape of the images; they may leave [0, 1]."""

    def ascent(self, points: Tensor, gradient: Tensor) -> Tensor:
        """Give the direction of `step` among those that do not leave [0, 1] at once.

        Args:
            points: where the gradient was taken, N x C x spatial.
            gradient: of their shape.

        Returns:
            Of their shape.
        """
        leaves = ((points <= 0) & (gradient < 0)) | ((points >= 1) & (gradient > 0))
        return self.step(gradient.masked_fill(leaves, 0.0))

    def project(self, images: Tensor, changed: Tensor) -> Tensor:
        """Bring changed images back into the ball and into [0, 1].

        What is inside stays as it is, to the last bit; what is outside is rounded towards the clean image.

        Args:
            images: the clean ones, N x C x spatial in [0, 1].
            changed: of their shape, and finite.

        Returns:
            Of the type of the clean images. By L-infinity no value is farther than the radius, in float64;
            L2 and L1 norms are at most ``eps * (1 + 1e-6)``; by L0 the count is exact.
        """
        return self.region(images).project(changed)

    def start(self, images: Tensor, draws: Draws) -> Tensor:
        """Draw a point of the ball for each image.

        Args:
            images: the clean ones, N x C x spatial in [0, 1].
            draws: of these images.

        Returns:
            Of their shape, inside the ball and [0, 1].

        Raises:
            AttackError: where the radius is infinite.
        """
        self.check_bounded("a random start")
        return self.project(images, images + self._random_changes(images, draws).to(images.dtype))

    def check_bounded(self, what: str) -> None:
        """Refuse an infinite radius.

        Args:
            what: what needs a finite one.

        Raises:
            AttackError: where the radius is infinite.
        """
        if math.isinf(self.eps):
            raise AttackError(f"{what} needs a radius that is finite, such as 8/255")


def per_image(values: Tensor, like: Tensor) -> Tensor:
    """Shape a number of each image so that it broadcasts to the images.

    Args:
        values: N.
        like: N x C x spatial.

    Returns:
        N x 1 x ... x 1.

    >>> per_image(torch.ones(2), torch.ones(2, 3, 4)).shape
    torch.Size([2, 1, 1])
    """
    return values.view(-1, *[1] * (like.ndim - 1))


def added_inward(images: Tensor, change: Tensor) -> Tensor:
    """Add a change to images so that rounding never makes it larger, in any value.

    Args:
        images: of any floating type.
        change: what broadcasts to the images, of a type at least as wide.

    Returns:
        Of the images' type.

    >>> added_inward(torch.tensor([0.5]), torch.tensor([-0.25]))
    tensor([0.2500])
    """
    added = (images.to(change.dtype) + change).to(images.dtype)
    beyond = (added.double() - images.double()).abs() > change.double().abs()
    return torch.where(beyond, torch.nextafter(added, images), added)
