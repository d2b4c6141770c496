"""A policy: random changes in a row, made of a whole batch on its device, with as little work as they need.

Whatever the order in which changes are named, those of place come first, composed to one resampling of every
image; then brightness, contrast, saturation and hue, composed to one matrix of colours; then the others in
their order; and mixtures of two images last. Images of a CPU go through all of it a few at a time, so that
they stay in its cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.core.errors import RecipeError
from striate.data.augmentation import Augmentation
from striate.data.changes import Change, neutral, on_rows
from striate.data.mixing import Mixing
from striate.nn import mirroring, moving, recolour, resample
from striate.nn.planes import even_parts

ROOM = 1 << 21
"""Values that are changed at once on a CPU."""

ROOM_ELSEWHERE = 1 << 28
"""The same on other devices, which want much to do at once."""


@dataclass(frozen=True)
class Draws:
    """What chance has drawn for the images of a batch, or for some of them.

    Args:
        mirrored: N booleans: which images are mirrored.
        moved: N x 2 whole pixels: right and down.
        changes: for every change of the policy N rows of what it drew.
    """

    mirrored: Tensor
    moved: Tensor
    changes: tuple[Tensor, ...]

    def of(self, rows: Tensor | slice) -> Draws:
        """Give what was drawn for some of the images.

        Args:
            rows: which ones.

        Returns:
            Their draws.
        """
        return Draws(self.mirrored[rows], self.moved[rows], tuple(drawn[rows] for drawn in self.changes))


@dataclass(frozen=True)
class Policy(Augmentation):
    """Mirror, shift by whole pixels, and change in any other ways.

    Args:
        flip: whether images are mirrored left to right.
        shift: the largest shift in pixels along each axis.
        changes: what else is done.

    >>> from striate.data.warp_changes import Turn
    >>> images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    >>> policy = Policy(flip=False, shift=0, changes=(Turn(30.0),))
    >>> policy(images, torch.zeros(4, dtype=torch.bool), torch.Generator()).equal(images)
    True
    """

    changes: tuple[Change, ...] = ()

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with each other, so that their labels are shares of classes."""
        return any(isinstance(change, Mixing) for change in self.changes)

    def check(self, channels: int) -> None:
        """Refuse images that some change cannot be made of.

        Args:
            channels: of the images.

        Raises:
            RecipeError: where colours are to be changed and there are none.
        """
        names = [change.name for change in self.changes if change.needs_colour]
        if names and channels != 3:
            raise RecipeError(
                f"'{names[0]}' changes colours, which images of {channels} "
                f"channel{'' if channels == 1 else 's'} do not have; leave it out of augment"
            )

    def draw(self, mirrored: Tensor, generator: torch.Generator) -> Draws:
        """Draw what happens to every image of a whole batch.

        Args:
            mirrored: N booleans on the CPU: which ones to mirror, where images are mirrored at all.
            generator: the source of randomness, on the CPU.

        Returns:
            The draws.
        """
        count = len(mirrored)
        moved = torch.zeros(count, 2, dtype=torch.int64)
        if self.shift:
            moved = torch.randint(-self.shift, self.shift + 1, (count, 2), generator=generator)
        drawn = [change.draw(count, generator) for change in self.changes]
        mixing = [number for number, change in enumerate(self.changes) if isinstance(change, Mixing)]
        if len(mixing) > 1:
            turns = torch.randint(len(mixing), (count,), generator=generator)
            for turn, number in enumerate(mixing):
                drawn[number][turns != turn, 0] = 1.0
        return Draws(mirrored if self.flip else torch.zeros_like(mirrored), moved, tuple(drawn))

    def __call__(self, images: Tensor, mirrored: Tensor, generator: torch.Generator) -> Tensor:
        """Change a batch at random, every image by itself.

        Args:
            images: N x C x H x W: uint8, or floating-point in [0, 1].
            mirrored: N booleans: which ones to mirror, where images are mirrored at all.
            generator: the source of randomness, on the CPU.

        Returns:
            A batch of the same shape and type.
        """
        return self.change(images, self.draw(mirrored.cpu(), generator))

    def change(self, images: Tensor, draws: Draws) -> Tensor:
        """Change images as was drawn, every one by itself.

        Args:
            images: N x C x H x W: uint8, or floating-point in [0, 1].
            draws: for these images.

        Returns:
            A new batch of the same shape and type.
        """
        result = torch.empty_like(images)
        matrices, amounts = self._matrices(draws, images.shape[2:]), self._amounts(draws)
        room = ROOM if images.device.type == "cpu" else ROOM_ELSEWHERE
        for rows in even_parts(len(images), max(1, room // max(1, images[:1].numel()))):
            some = images[rows].to(torch.float32, copy=True)
            if not images.is_floating_point():
                some = some.mul_(1 / 255)
            some = _warped(some, draws.mirrored[rows], matrices[rows])
            some = _recoloured(some, amounts[rows])
            for change, drawn in zip(self.changes, draws.changes, strict=True):
                some = change.touch(some, drawn[rows])
            # To bytes by way of integers, which takes a fourth of the time.
            result[rows].copy_(some if images.is_floating_point() else some.mul_(255).round_().short())
        return result

    def mix(self, images: Tensor, labels: Tensor, draws: Draws, *, classes: int) -> tuple[Tensor, Tensor]:
        """Mix each image with the next one as was drawn; the last one with the first where there is no next.

        Args:
            images: M x C x H x W, already changed; they may be changed in place.
            labels: M classes; or M x classes, floating-point: how much of each.
            draws: for the first N of these images, those that are wanted: all, or all but one.
            classes: how many there are.

        Returns:
            N images, and N x classes shares of every class in [0, 1], float32.
        """
        count = len(draws.mirrored)
        others = (torch.arange(count, device=images.device) + 1) % max(1, len(images))
        partners = images.index_select(0, others)
        images, kept = images[:count], torch.ones(count, dtype=torch.float64)
        for change, drawn in zip(self.changes, draws.changes, strict=True):
            if isinstance(change, Mixing):
                kept = kept * change.mix(images, partners, drawn)
        shares = kept.float().to(labels.device)[:, None]
        table = labels if labels.is_floating_point() else F.one_hot(labels, classes).float()
        own, other = table[:count], table[others]
        return images, shares * own + (1 - shares) * other

    def _matrices(self, draws: Draws, size: Sequence[int]) -> Tensor:
        matrices = mirroring(draws.mirrored) @ moving(draws.moved)
        for change, drawn in zip(self.changes, draws.changes, strict=True):
            matrices = matrices @ change.matrices(drawn, size)
        return matrices

    def _amounts(self, draws: Draws) -> Tensor:
        amounts = neutral(len(draws.mirrored))
        for change, drawn in zip(self.changes, draws.changes, strict=True):
            found = change.colours(drawn)
            amounts = torch.cat([amounts[:, :3] * found[:, :3], amounts[:, 3:] + found[:, 3:]], dim=1)
        return amounts


def _warped(images: Tensor, mirrored: Tensor, matrices: Tensor) -> Tensor:
    """Mirror what is only mirrored, and resample what is also changed in other ways."""
    resampled = (matrices != mirroring(mirrored)).flatten(1).any(dim=1)
    images = on_rows(images, mirrored & ~resampled, lambda some, _: some.flip(3))
    return on_rows(images, resampled, lambda some, rows: resample(some, matrices[rows]))


def _recoloured(images: Tensor, amounts: Tensor) -> Tensor:
    names = ("brightness", "contrast", "saturation", "hue")

    def change(some: Tensor, rows: Tensor) -> Tensor:
        return recolour(some, **dict(zip(names, amounts[rows].unbind(1), strict=True)))

    return on_rows(images, (amounts != neutral(len(amounts))).any(dim=1), change)
