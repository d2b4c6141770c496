"""How pictures are searched that excite units, and what was found: pictures, figures, sentences, JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from striate.core.errors import LayerError


@dataclass(frozen=True, kw_only=True)
class Ascent:
    """How to climb to a picture.

    Args:
        steps: of Adam, at least 1.
        variants: how many different pictures of each unit, at least 1.
        diversity: how much it counts that they differ: 1 weighs a cosine of 1 between their Gram matrices as
            much as the activation times e.
        rate: Adam's learning rate, over 0.

    Raises:
        LayerError: where one is out of range.

    >>> Ascent(steps=64, variants=4).diversity
    0.3
    """

    steps: int = 256
    variants: int = 1
    diversity: float = 0.3
    rate: float = 0.05

    def __post_init__(self) -> None:
        if self.steps < 1 or self.variants < 1 or not self.diversity >= 0 or not self.rate > 0:
            raise LayerError(
                f"{self} cannot be; steps and variants from 1, a diversity from 0 and a rate over 0 can"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Visualisation:
    """Pictures that excite units, and how much.

    Args:
        pictures: units x variants x C x H x W, in [0, 1].
        units: numbers of the channels or classes.
        layer: of the channels; ``None``: they are classes.
        reached: activation of each picture, units x variants: the mean over the places of the unit's map.
        noise: (units), the highest among pictures of noise.
        best: (units), the highest among the given images; ``None`` without.
        best_images: (units), which image that is.
        similarity: (units), mean cosine between the Gram matrices of the variants; ``None`` for one variant.
        images: how many were given.
    """

    pictures: Tensor
    units: tuple[int, ...]
    layer: str | None
    reached: Tensor
    noise: Tensor
    best: Tensor | None
    best_images: Tensor | None
    similarity: Tensor | None
    images: int

    @property
    def worked(self) -> tuple[bool, ...]:
        """Of each unit, whether a picture excites it more than any noise and any given image."""
        bars = self.noise if self.best is None else self.noise.maximum(self.best)
        return tuple((self.reached.amax(dim=1) > bars).tolist())

    def sentences(self) -> tuple[str, ...]:
        """Say of each unit how much its pictures excite it, and compared with what.

        Returns:
            A sentence of each unit.
        """
        said = []
        for row, unit in enumerate(self.units):
            name = f"class {unit}" if self.layer is None else f"channel {unit} of {self.layer}"
            reached = " and ".join(f"{value:.3g}" for value in self.reached[row].tolist())
            against = [f"the best of noise {self.noise[row].item():.3g}"]
            if self.best is not None:
                against.insert(0, f"the best of {self.images:,} images {self.best[row].item():.3g}")
            failed = "" if self.worked[row] else "; it did not work, for that is no more"
            said.append(f"{name}: {reached}, where {' and '.join(against)} give{failed}")
        return tuple(said)

    def to_dict(self) -> dict[str, Any]:
        """Give all figures by name, ready for JSON, without the pictures.

        Returns:
            A dictionary of plain values.
        """
        return {
            "layer": self.layer,
            "images": self.images,
            "units": [
                {
                    "unit": unit,
                    "reached": self.reached[row].tolist(),
                    "noise": self.noise[row].item(),
                    "best": None if self.best is None else self.best[row].item(),
                    "best_image": None if self.best_images is None else int(self.best_images[row]),
                    "similarity": None if self.similarity is None else self.similarity[row].item(),
                    "worked": self.worked[row],
                }
                for row, unit in enumerate(self.units)
            ],
        }
