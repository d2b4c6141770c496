"""Where and how a printed patch lies in images: place, size, angle and light, drawn at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.attack.draws import Draws
from striate.core.errors import AttackError
from striate.nn.inputs import by


@dataclass(frozen=True, eq=False)
class Placement:
    """How a patch may lie in an image: what it has to work under, as a printed one will.

    Args:
        share: the least and the largest side of the patch, as shares of the image's shorter side (of its only
            one for signals), in (0, 1].
        rotation: the largest angle to either side, degrees in [0, 180]; signals do not turn.
        brightness: of the light on the patch, added to its pixels at most, to either side, in [0, 1].
        contrast: of the light, by which factor the distance of its pixels to middle grey grows or shrinks at
            most, less 1, from 0.
        round: whether the patch is a disc; else it is a square.
        where: booleans, H x W: the places that it may cover, such as those of the object that it is to be
            stuck on; by default all.

    Raises:
        AttackError: where one is out of its range.

    >>> Placement(share=(0.2, 0.3), rotation=45).round
    True
    """

    share: tuple[float, float] = (0.3, 0.4)
    rotation: float = 20.0
    brightness: float = 0.1
    contrast: float = 0.2
    round: bool = True
    where: Tensor | None = None

    def __post_init__(self) -> None:
        least, largest = self.share
        if not 0 < least <= largest <= 1:
            raise AttackError(
                f"a patch of {least} to {largest} of the image's side cannot be; shares rise, are over 0, "
                "and at most 1"
            )
        if not (0 <= self.rotation <= 180 and 0 <= self.brightness <= 1 and 0 <= self.contrast < math.inf):
            raise AttackError(
                f"a rotation by {self.rotation} degrees, a brightness of {self.brightness} and a contrast of "
                f"{self.contrast} cannot be drawn; rotations are at most 180, brightness at most 1, and none "
                "is below 0"
            )
        if self.where is not None and (self.where.dtype != torch.bool or self.where.ndim > 2):
            raise AttackError(
                f"where a patch may lie is said by H x W booleans, and not by {self.where.dtype} of "
                f"{by(self.where.shape)}"
            )


@dataclass(frozen=True, eq=False)
class Poses:
    """How a patch lies in each of some images; all N, sizes and places in pixels.

    Args:
        sides: of the patch.
        angles: counter-clockwise, in radians.
        down: the row of its middle, from 0.
        right: the column of its middle.
        contrast: the factor of its pixels' distance to middle grey.
        brightness: added to its pixels.
    """

    sides: Tensor
    angles: Tensor
    down: Tensor
    right: Tensor
    contrast: Tensor
    brightness: Tensor


class Places:
    """Draws poses for images of one size.

    Args:
        placement: what they are drawn from.
        size: height and width of the images in pixels.
        device: where they are drawn.

    Raises:
        AttackError: where the mask is of another size, or the patch does not fit where it may lie.
    """

    def __init__(self, placement: Placement, size: Sequence[int], device: torch.device) -> None:
        self._placement, self._flat = placement, min(size) == 1
        where = placement.where
        if where is None:
            where = torch.ones(*size, dtype=torch.bool)
        elif where.shape[-2:] != tuple(size)[-where.ndim :] or (where.ndim == 1 and size[0] > 1):
            raise AttackError(f"the mask of a patch is {by(where.shape)}, and the images are {by(size)}")
        room = _room(where.to(device).view(*size))
        self._room, order = room.flatten().sort()
        self._down, self._right = order // size[1], order % size[1]
        self._longest = max(size) if self._flat else min(size)
        largest = self._longest * placement.share[1]
        self.largest_side = math.ceil(largest)
        """Of the patch, in pixels of the images."""
        needed = float(self._reach(torch.tensor([largest]), torch.tensor([math.pi / 4])))
        if self._room[-1] < needed:
            raise AttackError(
                f"a patch of up to {largest:.1f} pixels, {2 * needed:.1f} where it is turned, does not fit "
                f"where it may lie: the widest place there has {2 * float(self._room[-1]):.0f}"
            )

    def draw(self, draws: Draws) -> Poses:
        """Draw a pose for each image.

        Args:
            draws: of the images.

        Returns:
            Their poses.
        """
        placement = self._placement
        drawn = draws.uniform("pose", (5,))
        least, largest = (share * self._longest for share in placement.share)
        sides = least + (largest - least) * drawn[:, 0]
        turns = 0.0 if self._flat else math.radians(placement.rotation)
        angles = turns * (2 * drawn[:, 1] - 1)
        # Places come by how much room there is around them, so that those with enough are the last ones.
        first = torch.searchsorted(self._room, self._reach(sides, angles).contiguous())
        count = len(self._room) - first
        chosen = first + torch.minimum((drawn[:, 2] * count).long(), count - 1)
        return Poses(
            sides,
            angles,
            self._down[chosen].to(sides),
            self._right[chosen].to(sides),
            (1 + placement.contrast) ** (2 * drawn[:, 3] - 1),
            placement.brightness * (2 * drawn[:, 4] - 1),
        )

    def _reach(self, sides: Tensor, angles: Tensor) -> Tensor:
        """Give how far patches reach from their middle along rows or columns."""
        if self._placement.round or self._flat:
            return sides / 2
        angles = angles.abs().clamp(max=math.radians(self._placement.rotation))
        # The soft edge of half a pixel turns with it.
        return (sides + 1) / 2 * (angles.cos().abs() + angles.sin().abs()) - 0.5


def paste(images: Tensor, picture: Tensor, poses: Poses, *, disc: bool) -> Tensor:
    """Lay a patch into images, in the light of each pose; its edge is one pixel soft.

    Args:
        images: N x C x H x W in [0, 1].
        picture: C x side x side in [0, 1]; derivatives by it can be taken.
        poses: of each image.
        disc: whether what lies outside of the circle in it is left out.

    Returns:
        N x C x H x W.
    """
    height, width = images.shape[2:]
    cosine, sine = poses.angles.cos(), poses.angles.sin()
    x, y = (width - 1) / 2 - poses.right, (height - 1) / 2 - poses.down
    rows = [
        [cosine * width, -sine * height, 2 * (cosine * x - sine * y)],
        [sine * width, cosine * height, 2 * (sine * x + cosine * y)],
    ]
    theta = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1) / poses.sides[:, None, None]
    grid = F.affine_grid(theta.to(images), list(images.shape), align_corners=False)
    shown = F.grid_sample(
        picture.to(images).expand(len(images), -1, -1, -1),
        grid,
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    contrast, brightness = (each.to(images).view(-1, 1, 1, 1) for each in (poses.contrast, poses.brightness))
    lit = ((shown - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)
    distance = torch.linalg.vector_norm(grid, dim=3) if disc else grid.abs().amax(dim=3)
    inward = (1 - distance) * poses.sides.to(images).view(-1, 1, 1) / 2
    return torch.lerp(images, lit, (inward + 0.5).clamp(0, 1)[:, None])


def _room(where: Tensor) -> Tensor:
    """Give for each pixel how far what is allowed reaches from its middle to all sides, in pixels."""
    inside = where.float()[None, None]
    kernel = (1 if where.shape[0] == 1 else 3, 1 if where.shape[1] == 1 else 3)
    padding = (kernel[1] // 2, kernel[1] // 2, kernel[0] // 2, kernel[0] // 2)
    room = torch.zeros_like(inside)
    for _ in range((max(where.shape) + 1) // 2):
        room += inside
        inside = -F.max_pool2d(-F.pad(inside, padding), kernel, stride=1)
    return room[0, 0] - 0.5
