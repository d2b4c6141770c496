"""Differentiable augmentation: the same random changes of real and generated images that are judged."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.core.errors import RecipeError, unknown_name

CHANGES = ("colour", "translation", "cutout")
"""The changes that can be named."""

LONGEST_SHIFT = 1 / 8
"""How far images are translated at most, as a share of the side."""

CUT_SIDE = 1 / 2
"""The side of the square that is cut out, as a share of the image's."""


@dataclass(frozen=True)
class DifferentiableAugmentation:
    """Changes images of [-1, 1] at random so that the gradient still reaches the generator.

    ``colour``: brightness ``x + u``, u in [-0.5, 0.5]; saturation, each pixel's distance from its grey times
    [0, 2]; contrast, the distance from the image's mean times [0.5, 1.5]. ``translation``: by up to an eighth
    of the side, 0 moving in. ``cutout``: a square of half the side, anywhere, becomes 0.

    Args:
        changes: some of `CHANGES`, made in the order of that list; none changes nothing.

    Source: Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training (2020), section 3.2 and
    appendix A; unlike theirs, a generated image is changed by the same draws as the real one next to it.

    >>> augmentation = DifferentiableAugmentation.parse("translation,cutout")
    >>> images = torch.ones(3, 1, 8, 8)
    >>> changed = augmentation(images, augmentation.draw(images))
    >>> changed.shape, bool((changed == 0).any())
    (torch.Size([3, 1, 8, 8]), True)
    """

    changes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> DifferentiableAugmentation:
        """Read the names of changes.

        Args:
            text: names with commas in between, or ``none``.

        Returns:
            The augmentation.

        Raises:
            RecipeError: for a name that does not exist, naming the nearest.

        >>> DifferentiableAugmentation.parse("cutout, colour").changes
        ('colour', 'cutout')
        """
        names = [name.strip() for name in text.split(",")]
        if names == ["none"]:
            return cls()
        for name in names:
            if name not in CHANGES:
                raise RecipeError(unknown_name("differentiable change", name, [*CHANGES, "none"]))
        return cls(tuple(name for name in CHANGES if name in names))

    def draw(self, images: Tensor) -> Tensor:
        """Draw the changes of a batch from the global generator of its device.

        Args:
            images: N x C x H x W, of which only number and device matter.

        Returns:
            N x 7 numbers in [0, 1).
        """
        return torch.rand(len(images), 7, device=images.device)

    def __call__(self, images: Tensor, draws: Tensor) -> Tensor:
        """Change images.

        Args:
            images: N x C x H x W in [-1, 1], floating-point.
            draws: N x 7, from `draw`; the same draws change another batch in the same way.

        Returns:
            A batch of the same shape.
        """
        if "colour" in self.changes:
            images = _recoloured(images, draws[:, 0:3])
        if "translation" in self.changes:
            images = _translated(images, draws[:, 3:5])
        if "cutout" in self.changes:
            images = _cut(images, draws[:, 5:7])
        return images


def _recoloured(images: Tensor, draws: Tensor) -> Tensor:
    brightness, saturation, contrast = (draws[:, index, None, None, None] for index in range(3))
    images = images + (brightness - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = (images - grey) * (2 * saturation) + grey
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return (images - mean) * (contrast + 0.5) + mean


def _translated(images: Tensor, draws: Tensor) -> Tensor:
    height, width = images.shape[2:]
    down = _shifts(draws[:, 0], height)[:, None] + torch.arange(height, device=images.device)
    right = _shifts(draws[:, 1], width)[:, None] + torch.arange(width, device=images.device)
    # Each row and column is fetched from where it comes from; what lies outside comes from a border of 0.
    rows, columns = down.clamp(-1, height) + 1, right.clamp(-1, width) + 1
    padded = F.pad(images, (1, 1, 1, 1))
    shape = (len(images), images.shape[1], height, width + 2)
    moved = padded.gather(2, rows[:, None, :, None].expand(shape))
    return moved.gather(3, columns[:, None, None, :].expand(-1, images.shape[1], height, -1))


def _shifts(draws: Tensor, side: int) -> Tensor:
    longest = int(side * LONGEST_SHIFT + 0.5)
    return (draws * (2 * longest + 1)).long() - longest


def _cut(images: Tensor, draws: Tensor) -> Tensor:
    outside = [_outside(draws[:, axis], side, images.device) for axis, side in enumerate(images.shape[2:])]
    kept = outside[0][:, None, :, None] | outside[1][:, None, None, :]
    return images * kept.to(images.dtype)


def _outside(draws: Tensor, side: int, device: torch.device) -> Tensor:
    """Say of each row or column whether it lies outside of the square, whose middle is anywhere."""
    length = int(side * CUT_SIDE + 0.5)
    # A square of even length has its middle between two pixels, and may then begin one further.
    first = (draws * (side + (1 - length % 2))).long() - length // 2
    place = torch.arange(side, device=device)
    return (place < first[:, None]) | (place >= first[:, None] + length)
