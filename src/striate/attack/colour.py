"""The worst light and colours of each image: brightness, contrast, gamma, a light from a side, hue."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from striate.attack.attack import Attack
from striate.attack.ball import per_image
from striate.attack.draws import Draws
from striate.attack.judging import Judge
from striate.attack.pictures import as_pictures
from striate.attack.settings import worst_settings
from striate.attack.victim import Victim
from striate.core.errors import AttackError

POINTS = 256
"""How many combinations are tried before the worst is refined."""

STRETCH = 1.5
"""Points are stretched by this and cut at the ends of each range, where the worst case often lies."""

NUMBERS = 7


@dataclass(frozen=True)
class Light:
    """How far the light and the colours of images may change.

    Args:
        brightness: added to all pixels, to either side, in [0, 1].
        contrast: the distance to the image's mean grows or shrinks by a factor of 1 plus this at most, from
            0.
        gamma: pixels are raised to at most the power of 1 plus this, or its inverse, from 0.
        slope: added at one border and taken away at the opposite one, in [0, 1]: light from a side.
        saturation: the distance to grey grows or shrinks by a factor of 1 plus this at most, from 0; for
            images of three channels.
        hue: the largest turn about the grey axis, degrees in [0, 180]; for images of three channels.

    Raises:
        AttackError: where one is out of its range.

    >>> Light(hue=0.0).saturation
    0.3
    """

    brightness: float = 0.15
    contrast: float = 0.3
    gamma: float = 0.3
    slope: float = 0.15
    saturation: float = 0.3
    hue: float = 15.0

    def __post_init__(self) -> None:
        if not all(0 <= each < math.inf for each in astuple(self)):
            raise AttackError(f"{self} has a range that is no number from 0")
        if max(self.brightness, self.slope) > 1 or self.hue > 180:
            raise AttackError(
                f"a brightness of {self.brightness}, a slope of {self.slope} and a hue of {self.hue} degrees "
                "cannot be searched; brightness and slope are at most 1, and hue at most 180 degrees"
            )


@dataclass(frozen=True, kw_only=True)
class Colour(Attack):
    """Search the light and colours of each image that mislead a model most; no gradients are needed.

    An image x becomes, in this order: ``x ** g``; ``m + c (x - m)`` around its mean m; turned about the grey
    axis of its colours by the hue, its distance from that axis times s; and plus ``b + u X + v Y``, where X
    and Y rise from -1 at one border to 1 at the other; cut to [0, 1]. Evenly spread combinations are tried
    first, and then random ones around the worst, ever nearer.

    Args:
        light: how far each may change.
        refinements: rounds of 8 tries after the spread ones, from 0.
        goal: what the model shall answer.

    Raises:
        AttackError: where there are less than no rounds.

    Source: the idea is of Hosseini and Poovendran, Semantic adversarial examples (2018), who turn hue and
    saturation at random; the light is ours.

    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> images = torch.rand(1, 3, 2, 2)
    >>> changed = Colour()(network, images, network(images).argmax(dim=1))
    >>> changed.shape, changed.min().item() >= 0
    (torch.Size([1, 3, 2, 2]), True)
    """

    needs_gradient: ClassVar[bool] = False

    light: Light = field(default=Light())
    refinements: int = 20

    def __post_init__(self) -> None:
        if self.refinements < 0:
            raise AttackError(f"there cannot be {self.refinements} rounds of refining; 0 is the least")

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        if not any(astuple(self.light)):
            return images
        points: Tensor = SobolEngine(NUMBERS).draw(POINTS)  # type: ignore[no-untyped-call]
        judge = Judge(victim, labels, self.goal)
        return worst_settings(
            judge,
            images,
            (STRETCH * (2 * points - 1)).clamp(-1, 1),
            apply=self._lit,
            draws=draws,
            refinements=self.refinements,
        )

    def _confined(self, images: Tensor, changed: Tensor) -> Tensor:
        return changed.clamp(0, 1).to(images.dtype)

    def _lit(self, images: Tensor, settings: Tensor) -> Tensor:
        light, (brightness, contrast, gamma, across, along, saturation, hue) = self.light, settings.T
        changed = images ** per_image((1 + light.gamma) ** gamma, images)
        mean = changed.flatten(1).mean(dim=1)
        changed = torch.lerp(
            per_image(mean, images), changed, per_image((1 + light.contrast) ** contrast, images)
        )
        if images.shape[1] == 3:
            mixed = _about_grey(hue * math.radians(light.hue), (1 + light.saturation) ** saturation)
            changed = (mixed @ changed.flatten(2)).reshape(images.shape)
        pictures = as_pictures(changed)
        y, x = (_rising(side).to(images) for side in pictures.shape[2:])
        ramp = across[:, None, None] * x + along[:, None, None] * y[:, None]
        added: Tensor = light.brightness * brightness[:, None, None] + light.slope * ramp
        return (pictures + added[:, None]).reshape(images.shape)


def _rising(side: int) -> Tensor:
    """Rise from -1 at one border to 1 at the other; 0 where there is but one pixel."""
    return torch.linspace(-1, 1, side) if side > 1 else torch.zeros(1)


def _about_grey(angles: Tensor, factors: Tensor) -> Tensor:
    """Give matrices (N x 3 x 3) that turn colours about the grey axis and scale their distance from it."""
    grey = angles.new_full((3, 3), 1 / 3)
    across = torch.eye(3).to(angles) - grey
    turned = angles.new_tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    cosine, sine = (factors * angles.cos())[:, None, None], (factors * angles.sin())[:, None, None]
    return grey + cosine * across + sine * turned
