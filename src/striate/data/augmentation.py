"""Random changes of training images, made on a whole batch at once on its device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from striate.nn import mirror, shift


@dataclass(frozen=True)
class Augmentation:
    """Mirror images and shift each by a few pixels.

    Args:
        flip: whether images are mirrored left to right.
        shift: the largest shift in pixels, along each axis; less than the images' sides.

    >>> images = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4)
    >>> Augmentation(flip=False, shift=0)(images, torch.tensor([True]), torch.Generator()).equal(images)
    True
    """

    flip: bool
    shift: int

    def __call__(self, images: Tensor, mirrored: Tensor, generator: torch.Generator) -> Tensor:
        """Change a batch at random.

        Args:
            images: N x C x H x W, any type.
            mirrored: N booleans: which ones to mirror, where images are mirrored at all.
            generator: the source of randomness, on the images' device.

        Returns:
            A batch of the same shape and type.
        """
        if self.flip:
            images = mirror(images, mirrored)
        if self.shift:
            low, high, count = -self.shift, self.shift + 1, len(images)
            offsets = torch.randint(low, high, (count, 2), generator=generator, device=images.device)
            images = shift(images, offsets, radius=self.shift)
        return images
