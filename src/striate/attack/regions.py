"""Projections into balls in [0, 1]: by clamping, scaling, shrinking, and keeping what changed most."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from striate.attack.ball import Region, added_inward, per_image

TOLERANCE = 1e-6
"""By which share an L2 or L1 norm may exceed its radius, from rounding."""

INWARD = 1.0 - 2e-7
"""What is scaled to a radius is made smaller by this, so that float32 does not round it beyond."""


@dataclass(frozen=True, eq=False)
class Box(Region):
    """Bounds of every value: for L-infinity.

    Args:
        lower: N x C x spatial.
        upper: of its shape.
    """

    lower: Tensor
    upper: Tensor

    def project(self, changed: Tensor) -> Tensor:
        """Clamp to the bounds.

        Args:
            changed: N x C x spatial.

        Returns:
            Of its shape and the type of the bounds.
        """
        return torch.clamp(changed.to(self.lower.dtype), self.lower, self.upper)

    def rows(self, index: Tensor) -> Box:
        """Give the bounds of some of the images.

        Args:
            index: which images.

        Returns:
            Their bounds.
        """
        return Box(self.lower[index], self.upper[index])


@dataclass(frozen=True, eq=False)
class Scaled(Region):
    """Changes whose L2 norm is bounded.

    Args:
        images: the clean ones, N x C x spatial in [0, 1].
        eps: the radius.
    """

    images: Tensor
    eps: float

    def project(self, changed: Tensor) -> Tensor:
        """Clamp to [0, 1], and then scale the changes that are too large.

        Args:
            changed: N x C x spatial.

        Returns:
            Of its shape and the type of the clean images.
        """
        clamped = changed.to(self.images.dtype).clamp(0.0, 1.0)
        change = _change(self.images, clamped)
        norms = torch.linalg.vector_norm(change.flatten(1), dim=1, dtype=torch.float64)
        return _scaled_where_beyond(self.images, clamped, change, norms, self.eps)

    def rows(self, index: Tensor) -> Scaled:
        """Give the region of some of the images.

        Args:
            index: which images.

        Returns:
            Their region.
        """
        return Scaled(self.images[index], self.eps)


@dataclass(frozen=True, eq=False)
class Shrunk(Region):
    """Changes whose L1 norm is bounded.

    Args:
        images: the clean ones, N x C x spatial in [0, 1].
        eps: the radius.
    """

    images: Tensor
    eps: float

    def project(self, changed: Tensor) -> Tensor:
        """Find the nearest point that is both in [0, 1] and in the ball.

        It takes the same from the size of every change that [0, 1] does not stop: ``clip(|c| - s, 0, room)``
        with the s for which the sum is the radius.

        Args:
            changed: N x C x spatial.

        Returns:
            Of its shape and the type of the clean images.

        Source: Croce and Hein, Mind the box: l1-APGD for sparse adversarial attacks on image classifiers
        (2021), section 2.2.
        """
        clamped = changed.to(self.images.dtype).clamp(0.0, 1.0)
        plain = _change(self.images, clamped)
        beyond = plain.flatten(1).abs().sum(dim=1, dtype=torch.float64) > self.eps * (1 + TOLERANCE)
        if not beyond.any():
            return clamped
        images, wanted = self.images[beyond], changed[beyond]
        change = _change(images, wanted).double().flatten(1)
        room = torch.where(change > 0, 1.0 - images.double().flatten(1), images.double().flatten(1))
        sizes = _shrunk(change.abs(), room, self.eps)
        total = sizes.sum(dim=1, keepdim=True).clamp(min=1e-300)
        sizes = sizes * (self.eps / total).clamp(max=1.0) * INWARD
        nearest = added_inward(images, (change.sign() * sizes).view_as(images))
        return clamped.index_put((beyond.nonzero().squeeze(1),), nearest.clamp(0.0, 1.0))

    def rows(self, index: Tensor) -> Shrunk:
        """Give the region of some of the images.

        Args:
            index: which images.

        Returns:
            Their region.
        """
        return Shrunk(self.images[index], self.eps)


@dataclass(frozen=True, eq=False)
class Counted(Region):
    """Changes of a bounded number of pixels.

    Args:
        images: the clean ones, N x C x spatial in [0, 1].
        eps: how many pixels.
    """

    images: Tensor
    eps: float

    def project(self, changed: Tensor) -> Tensor:
        """Keep the pixels that bring the result nearest, and restore the others.

        To keep a pixel gains the sum over its channels of ``c^2 - (c - d)^2``, with c its change and d what
        [0, 1] leaves of that.

        Args:
            changed: N x C x spatial.

        Returns:
            Of its shape and the type of the clean images; all other pixels are as they were.

        Source: Croce and Hein, Sparse and imperceivable adversarial attacks (2019), section 3.2.
        """
        clamped = changed.to(self.images.dtype).clamp(0.0, 1.0)
        if math.isinf(self.eps) or self.eps >= clamped[:1, 0].numel():
            return clamped
        wanted, left = _change(self.images, changed), _change(self.images, clamped)
        sizes = (wanted.square() - (wanted - left).square()).sum(dim=1).flatten(1)
        places = sizes.topk(int(self.eps), dim=1).indices
        kept = torch.zeros_like(sizes, dtype=torch.bool).scatter(1, places, True)
        return torch.where(kept.view(len(kept), 1, *clamped.shape[2:]), clamped, self.images)

    def rows(self, index: Tensor) -> Counted:
        """Give the region of some of the images.

        Args:
            index: which images.

        Returns:
            Their region.
        """
        return Counted(self.images[index], self.eps)


def _change(images: Tensor, changed: Tensor) -> Tensor:
    wide = torch.promote_types(images.dtype, torch.float32)
    return changed.to(wide) - images.to(wide)


def _scaled_where_beyond(
    images: Tensor, clamped: Tensor, change: Tensor, norms: Tensor, eps: float
) -> Tensor:
    beyond = norms > eps * (1 + TOLERANCE)
    if not beyond.any():
        return clamped
    factors = (eps / norms.clamp(min=1e-300) * INWARD).to(change.dtype)
    scaled = added_inward(images, change * per_image(factors, change))
    return torch.where(per_image(beyond, change), scaled, clamped)


def _shrunk(sizes: Tensor, room: Tensor, total: float) -> Tensor:
    """Take the same from all sizes so that, between 0 and their room, their sum is a total.

    As what is taken falls from the largest size, a size begins to grow where it is passed, and is full
    where it less its room is: between these places the sum is linear.
    """
    count = sizes.shape[1]
    places, order = torch.cat([sizes, sizes - room], dim=1).sort(dim=1, descending=True)
    slopes = torch.where(order < count, 1.0, -1.0).to(sizes).cumsum(dim=1)[:, :-1]
    sums = (slopes * -places.diff(dim=1)).cumsum(dim=1)
    # The first stretch on which the sum reaches the total; rounding may leave the last one short of it.
    last = (sums < total).sum(dim=1, keepdim=True).clamp(max=sums.shape[1] - 1)
    left = (sums.gather(1, last) - total).clamp(min=0.0)
    taken = places.gather(1, last + 1) + left / slopes.gather(1, last).clamp(min=1.0)
    return torch.minimum((sizes - taken).clamp(min=0.0), room)
