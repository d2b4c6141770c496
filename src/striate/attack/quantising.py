"""Images as bytes store them: values on 256 levels, inside the region of an attack."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from striate.attack.ball import Region

LEVELS = 255
_SLACK = 1e-4
"""So near to a level, in levels, a value is taken for it."""


@dataclass(frozen=True, eq=False)
class Quantised(Region):
    """The part of a region where changed values are on the levels of bytes, to a rounding of the type.

    Args:
        region: around the images.
        images: the clean ones, N x C x spatial; values of theirs between two levels are kept.
    """

    region: Region
    images: Tensor

    def project(self, changed: Tensor) -> Tensor:
        """Project into the region, and round every value to a level towards the clean image.

        Args:
            changed: N x C x spatial.

        Returns:
            Of its shape. A value that has no level on its way to the clean one goes back to that.
        """
        levels = self.region.project(changed) * LEVELS
        clean = self.images * LEVELS
        below, above = (levels + _SLACK).floor(), (levels - _SLACK).ceil()
        rounded = torch.where(levels >= clean, torch.maximum(below, clean), torch.minimum(above, clean))
        stored = torch.where(rounded == clean, self.images, rounded / LEVELS)
        return self.region.project(stored)

    def rows(self, index: Tensor) -> Quantised:
        """Give the region of some of the images.

        Args:
            index: which images.

        Returns:
            Their region.
        """
        return Quantised(self.region.rows(index), self.images[index])
