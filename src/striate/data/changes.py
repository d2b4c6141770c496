"""What every random change of training images is: a frozen value with its strength, and draws for each image.

Chance is drawn on the CPU, for all images of a batch at once, before anything is computed. So the same seed
gives the same changes on every device, whichever share of a batch a process has, and no device is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from striate.core.errors import RecipeError
from striate.nn.homographies import unchanged


@dataclass(frozen=True)
class Change:
    """A random change; each kind of it overrides what it does.

    Args:
        strength: how far it goes at most; every image gets its own share of it. Each kind says the unit.
        share: of the images that are changed, in (0, 1].

    Raises:
        RecipeError: where a number is out of range.
    """

    strength: float = 1.0
    share: float = 1.0

    name: ClassVar[str] = ""
    limit: ClassVar[float] = 1.0
    columns: ClassVar[int] = 1
    needs_colour: ClassVar[bool] = False
    dims: ClassVar[tuple[int, ...]] = (2,)
    """The spatial axes of what it can be made of: 1 (series), 2 (images), 3 (volumes, clips)."""

    def __post_init__(self) -> None:
        for what, value, most in (("strength", self.strength, self.limit), ("share", self.share, 1.0)):
            if not 0 < value <= most:
                raise RecipeError(f"the {what} of '{self.name}' is {value:g}, which is not in (0, {most:g}]")

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw what happens to each image.

        Args:
            count: images in the whole batch.
            generator: the source of randomness, on the CPU.

        Returns:
            count x columns, evenly in [-1, 1], float64; 0 in all columns of images that are not changed.
        """
        drawn = torch.rand(count, 1 + self.columns, generator=generator, dtype=torch.float64)
        return torch.where(drawn[:, :1] < self.share, 2 * drawn[:, 1:] - 1, 0.0)

    def matrices(self, drawn: Tensor, size: Sequence[int]) -> Tensor:
        """Give what it does to the place of pixels, as `striate.nn.homographies` has it.

        Args:
            drawn: rows of what `draw` gave.
            size: height and width.

        Returns:
            N x 3 x 3.
        """
        del size
        return unchanged(len(drawn))

    def colours(self, drawn: Tensor) -> Tensor:
        """Give what it does to colours, as `striate.nn.recolour` has it.

        Args:
            drawn: rows of what `draw` gave.

        Returns:
            N x 4: factors of brightness, contrast and saturation, and the turn of hue.
        """
        return neutral(len(drawn))

    def touch(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Do what is neither a warp nor a matrix of colours.

        Args:
            images: N x C x H x W in [0, 1], float32; they may be changed in place.
            drawn: rows of what `draw` gave.

        Returns:
            A batch of the same shape, in [0, 1].
        """
        del drawn
        return images

    def along(self, places: list[Tensor], drawn: Tensor) -> list[Tensor]:
        """Give where the values of series, volumes and clips come from, along each axis.

        Args:
            places: for each axis N x length, float64: where values are read after this change; 0 is the first
                value along the axis, 1 the second.
            drawn: rows of what `draw` gave.

        Returns:
            The same before it.
        """
        del drawn
        return places

    def alter(self, values: Tensor, drawn: Tensor) -> Tensor:
        """Change the values of series, volumes and clips.

        Args:
            values: N x C x spatial, float32, of any numbers; they may be changed in place.
            drawn: rows of what `draw` gave.

        Returns:
            A batch of the same shape.
        """
        del drawn
        return values


def neutral(count: int) -> Tensor:
    """Give amounts of colours that stay as they are.

    Args:
        count: how many rows.

    Returns:
        count x 4: brightness, contrast, saturation and hue.
    """
    return torch.tensor([[1.0, 1.0, 1.0, 0.0]], dtype=torch.float64).repeat(count, 1)


def on_rows(images: Tensor, rows: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Change some images of a batch and leave the others.

    Args:
        images: N x C x H x W; changed in place where not all are chosen.
        rows: N booleans, on the CPU: which ones.
        change: is given those images and their numbers, and gives them changed.

    Returns:
        The batch.
    """
    chosen = rows.nonzero()[:, 0]
    if len(chosen) == 0:
        return images
    if len(chosen) == len(images):
        return change(images, chosen)
    there = chosen.to(images.device)
    return images.index_copy_(0, there, change(images.index_select(0, there), chosen))
