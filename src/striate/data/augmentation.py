"""Random changes of training images, made on a whole batch at once on its device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from striate.nn import mirror, shift


@dataclass(frozen=True)
class Augmentation:
    """Mirror half of the images and shift each by a few pixels.

    Args:
        flip: whether images are mirrored left to right at random.
        shift: the largest shift in pixels, along each axis; less than the images' sides.

    >>> images = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4)
    >>> Augmentation(flip=False, shift=0)(images, torch.Generator()).equal(images)
    True
    """

    flip: bool
    shift: int

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Change a batch at random.

        Args:
            images: N x C x H x W, any type.
            generator: the source of randomness, on the images' device.

        Returns:
            A batch of the same shape and type.
        """
        count, device = len(images), images.device
        if self.flip:
            chosen = torch.rand(count, generator=generator, device=device) < 0.5
            images = mirror(images, chosen)
        if self.shift:
            low, high = -self.shift, self.shift + 1
            offsets = torch.randint(low, high, (count, 2), generator=generator, device=device)
            images = shift(images, offsets, radius=self.shift)
        return images
