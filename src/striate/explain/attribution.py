"""What an attribution is: how much each pixel counted for a score of its image, and how far to believe it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from striate.core.errors import LayerError


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much each pixel, or each value of each pixel, counted for one score of each image.

    Args:
        method: the name of the function that made it.
        map: float32, N x *spatial; N x C x *spatial where `per_channel`.
        targets: int64 (N), the class whose score was explained.
        gap: float32 (N), the sum of the map less what it promises to sum to, the score of the image less that
            of the baseline; ``None`` for methods that promise no such sum.
        layer: the layer that was looked at; ``None`` for methods that look at the whole network.
        note: what to know before believing the map; empty where there is nothing.
        per_channel: whether each channel of a pixel has a value of its own.
        raw: float32, N x *spatial of the layer, before it was enlarged to the size of the images; ``None``
            for methods that enlarge nothing.

    Raises:
        LayerError: where the map holds an inf or NaN, which is no explanation.

    >>> Attribution("saliency", torch.ones(1, 3, 2, 2), torch.tensor([7]), per_channel=True).heat()
    tensor([[[3., 3.],
             [3., 3.]]])
    """

    method: str
    map: Tensor
    targets: Tensor
    gap: Tensor | None = None
    layer: str | None = None
    note: str = ""
    per_channel: bool = False
    raw: Tensor | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        broken = int((~torch.isfinite(self.map)).sum())
        if broken:
            raise LayerError(
                f"{broken} of {self.map.numel()} values of the map of {self.method} are inf or NaN, as where "
                "the network takes the root or the logarithm of 0; this network has no such explanation here"
            )

    def heat(self) -> Tensor:
        """Give one value for each pixel: the sum over its channels where these have values of their own.

        Returns:
            float32, N x *spatial.
        """
        return self.map.sum(dim=1) if self.per_channel else self.map
