"""What a query of Square changes: a square goes to corners of the ball, or takes the change of another."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor

from striate.attack.ball import Ball, per_image
from striate.attack.balls import L1
from striate.attack.draws import Draws

TILES_ALONG = 5
"""How many bumps lie beside each other along the shortest side in the beginning."""

SMALLEST_BUMP = 3
"""The smallest side of a bump in pixels."""


class Moves(ABC):
    """How images are changed in the beginning, and by each query.

    Args:
        ball: where changed images may lie.
        images: the clean ones, N x C x spatial.
    """

    def __init__(self, ball: Ball, images: Tensor) -> None:
        self._ball = ball
        self._images = images
        self._size = images.shape[2:]

    @property
    @abstractmethod
    def numbers(self) -> int:
        """How many random numbers a query needs."""

    @abstractmethod
    def first(self, draws: Draws) -> Tensor:
        """Change the images before the first query.

        Args:
            draws: of the images.

        Returns:
            N x C x spatial.
        """

    @abstractmethod
    def proposals(self, owners: Tensor, points: Tensor, sides: Tensor, numbers: Tensor) -> Tensor:
        """Change images as queries propose.

        Args:
            owners: R int64, of which image each query is.
            points: R x C x spatial, what is changed further.
            sides: R int64, of the squares in pixels.
            numbers: R x as many as `numbers` says, in [0, 1).

        Returns:
            R x C x spatial.
        """

    def sides(self, shares: Tensor) -> Tensor:
        """Give the sides of the squares that cover shares of an image.

        Args:
            shares: of the image, in (0, 1].

        Returns:
            int64, of the shape of the shares; at least 1 and at most the shortest side of the image.
        """
        plain = (shares * math.prod(self._size)).pow(1 / len(self._size)).round().long()
        return plain.clamp(1, min(self._size))


class Corners(Moves):
    """Every value is as far from the clean one as the ball and [0, 1] allow, to one side or the other.

    Args:
        ball: by L-infinity.
        images: the clean ones, N x C x spatial.
    """

    def __init__(self, ball: Ball, images: Tensor) -> None:
        super().__init__(ball, images)
        self._lower, self._upper = (ball.project(images, images + eps) for eps in (-ball.eps, ball.eps))

    @property
    def numbers(self) -> int:
        """A place along each axis and a sign for each channel."""
        return len(self._size) + self._images.shape[1]

    def first(self, draws: Draws) -> Tensor:
        """Draw a sign for each channel and place along the last axis: stripes.

        Args:
            draws: of the images.

        Returns:
            N x C x spatial.
        """
        shape = (self._images.shape[1], *[1] * (len(self._size) - 1), self._size[-1])
        return torch.where(draws.signs("stripes", shape) > 0, self._upper, self._lower)

    def proposals(self, owners: Tensor, points: Tensor, sides: Tensor, numbers: Tensor) -> Tensor:
        """Set every channel of a square to one corner.

        Args:
            owners: R int64.
            points: R x C x spatial.
            sides: R int64.
            numbers: R x some.

        Returns:
            R x C x spatial.
        """
        axes = len(self._size)
        inside = _within(_offsets(numbers[:, :axes], sides, self._size), sides)
        rises = _per_channel(numbers[:, axes:] < 0.5, points)
        return torch.where(inside, torch.where(rises, self._upper[owners], self._lower[owners]), points)


class Masses(Moves):
    """The change has the norm of the radius; queries take it from one square and lay it onto another.

    Args:
        ball: by L2 or L1.
        images: the clean ones, N x C x spatial.
    """

    def __init__(self, ball: Ball, images: Tensor) -> None:
        super().__init__(ball, images)
        self._power, self._steepness = (1, 4) if isinstance(ball, L1) else (2, 2)
        steps = torch.arange(1, max(self._size) + 2, device=images.device, dtype=images.dtype)
        self._sums = torch.cat([steps.new_zeros(1), steps.pow(-self._steepness).cumsum(0)])

    @property
    def numbers(self) -> int:
        """Two places along each axis, an orientation, and a sign for each channel."""
        return 2 * len(self._size) + 1 + self._images.shape[1]

    def sides(self, shares: Tensor) -> Tensor:
        """Give odd sides of at least 3 where the image has room for them.

        Args:
            shares: of the image, in (0, 1].

        Returns:
            int64, of the shape of the shares.
        """
        plain = super().sides(shares).clamp(min=SMALLEST_BUMP)
        return (plain + 1 - plain % 2).clamp(max=min(self._size))

    def first(self, draws: Draws) -> Tensor:
        """Cover the images with bumps of random orientation and signs.

        Args:
            draws: of the images.

        Returns:
            N x C x spatial.
        """
        images, size = self._images, self._size
        side = max(1, min(size) // TILES_ALONG)
        sides = torch.full((len(images),), side, device=images.device)
        change = torch.zeros_like(images)
        for number, corner in enumerate(product(*(range(0, each - side + 1, side) for each in size))):
            starts = torch.tensor(corner, device=images.device).expand(len(images), -1)
            axis = draws.integers(("axis", number), (), len(size))
            bump, _ = self._bump(_behind(starts, size), sides, axis)
            signs = draws.signs(("tile", number), images.shape[1:2]).to(images)
            change += bump * _per_channel(signs, images)
        return self._filled(images, change)

    def proposals(self, owners: Tensor, points: Tensor, sides: Tensor, numbers: Tensor) -> Tensor:
        """Lay a new bump, and all change of a second square, onto the change of a first one.

        Args:
            owners: R int64.
            points: R x C x spatial.
            sides: R int64.
            numbers: R x some.

        Returns:
            R x C x spatial.
        """
        clean, axes = self._images[owners], len(self._size)
        offsets = _offsets(numbers[:, :axes], sides, self._size)
        emptied = _within(_offsets(numbers[:, axes : 2 * axes], sides, self._size), sides)
        bump, filled = self._bump(offsets, sides, (numbers[:, 2 * axes] * axes).long())
        signs = torch.where(numbers[:, 2 * axes + 1 :] < 0.5, -1.0, 1.0).to(clean)
        change = points - clean
        old = change * filled
        shape = bump * _per_channel(signs, clean) + old / self._norms(old)
        left = self._ball.eps**self._power - self._ball.norms(change) ** self._power
        mass = per_image(left.clamp(min=0).to(clean) / clean.shape[1], clean)
        mass = (mass + self._norms(change * (filled | emptied)) ** self._power) ** (1 / self._power)
        kept = change.masked_fill(emptied, 0.0)
        return self._filled(clean, torch.where(filled, shape / self._norms(shape) * mass, kept))

    def _filled(self, clean: Tensor, change: Tensor) -> Tensor:
        """Scale changes to the radius; what leaves [0, 1] then is cut."""
        factors = self._ball.eps / self._ball.norms(change).clamp(min=1e-12)
        return (clean + change * per_image(factors.to(clean), clean)).clamp(0, 1)

    def _norms(self, change: Tensor) -> Tensor:
        """Measure every channel of changes, so that it can be divided by."""
        axes = tuple(range(2, change.ndim))
        norms: Tensor = torch.linalg.vector_norm(change, ord=self._power, dim=axes, keepdim=True)
        return norms.clamp(min=1e-12)

    def _bump(self, offsets: Sequence[Tensor], sides: Tensor, axis: Tensor) -> tuple[Tensor, Tensor]:
        """Give bumps of norm 1 (N x 1 x spatial), one half down and the other up, and where they lie.

        At D pixels from the middle of a half, by the axis on which that is farther, the height is the sum of
        ``1 / k**e`` for k over D, up to the reach of the half; e is 2, and 4 for L1.
        """
        reaches, distances, signs = [], [], []
        for number, offset in enumerate(offsets):
            split = (axis == number)[:, None]
            half = torch.where(split, sides[:, None] // 2, 0)
            second = offset >= half
            length = torch.where(second, sides[:, None] - half, half)
            distances.append((offset - torch.where(second, half, 0) - length // 2).abs())
            reaches.append(length // 2 + 1)
            signs.append(torch.where(split & ~second, -1, 1))
        reach, distance = _over_axes(torch.maximum, reaches), _over_axes(torch.maximum, distances)
        inside = _within(offsets, sides)
        height = self._sums[reach] - self._sums[torch.minimum(distance, reach)]
        bump = height * _over_axes(torch.mul, signs) * inside
        return bump / self._norms(bump), inside


def _offsets(numbers: Tensor, sides: Tensor, size: Sequence[int]) -> list[Tensor]:
    """Draw where squares begin; give for each axis how far every place (N x side) lies behind that."""
    room = torch.tensor(size, device=sides.device) - sides[:, None] + 1
    return _behind((numbers * room).long().clamp(max=room - 1), size)


def _behind(starts: Tensor, size: Sequence[int]) -> list[Tensor]:
    each = [torch.arange(side, device=starts.device) for side in size]
    return [places - starts[:, number, None] for number, places in enumerate(each)]


def _within(offsets: Sequence[Tensor], sides: Tensor) -> Tensor:
    """Say which places lie in the squares (N x 1 x spatial)."""
    return _over_axes(torch.logical_and, [(each >= 0) & (each < sides[:, None]) for each in offsets])


def _over_axes(join: Callable[[Tensor, Tensor], Tensor], parts: Sequence[Tensor]) -> Tensor:
    """Join what is known along each axis (N x side) for all places (N x 1 x spatial)."""
    count = len(parts)
    shaped = [
        each.view(len(each), 1, *[1] * number, -1, *[1] * (count - 1 - number))
        for number, each in enumerate(parts)
    ]
    return functools.reduce(join, shaped)


def _per_channel(values: Tensor, like: Tensor) -> Tensor:
    return values.view(*values.shape, *[1] * (like.ndim - 2))
