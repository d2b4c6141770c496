"""What is measured of a model's invariance, as frozen values: curves with intervals, worst images, layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from striate.attack.equivariance import LayerShift
from striate.core.errors import AttackError, unknown_name
from striate.core.intervals import wilson


@dataclass(frozen=True)
class Measured:
    """A mean over images of values in [0, 1], with its 95 % interval.

    Args:
        value: the mean.
        low: lower bound, by Wilson's interval for as many images.
        high: upper bound.
    """

    value: float
    low: float
    high: float

    @classmethod
    def mean(cls, total: float, images: int) -> Measured:
        """Make it from a sum.

        Args:
            total: over the images, in [0, images] but for rounding.
            images: how many there are, at least 1.

        Returns:
            The mean and its interval.

        >>> Measured.mean(90.0, 100)  # doctest: +ELLIPSIS
        Measured(value=0.9, low=0.825..., high=0.944...)
        """
        total = min(max(total, 0.0), float(images))
        return cls(total / images, *wilson(total, images))


@dataclass(frozen=True, eq=False)
class Worst:
    """An image that was answered right until it was changed a little.

    Args:
        image: its number.
        strength: the smallest at which a variant of it was answered wrong.
        answer: the wrong class.
        probability: of that class.
        picture: the changed image, C x H x W in [0, 1].
    """

    image: int
    strength: float
    answer: int
    probability: float
    picture: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """What became of the answers under one change.

    Args:
        name: of the change.
        unit: of the strengths.
        strengths: from 0, rising.
        accuracy: share of right answers at each strength.
        consistency: share of answers that are as at strength 0.
        confidence: mean of the highest probability.
        accuracy_area: the area under the accuracy over strengths brought to [0, 1]: its mean over them.
        consistency_area: the same of the consistency.
        worst: images that fell first.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    accuracy: tuple[Measured, ...]
    consistency: tuple[Measured, ...]
    confidence: tuple[Measured, ...]
    accuracy_area: Measured
    consistency_area: Measured
    worst: tuple[Worst, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give all figures as JSON can hold them, without the pictures.

        Returns:
            By name; a measured figure is a list of value, low and high.
        """
        return {
            "name": self.name,
            "unit": self.unit,
            "strengths": list(self.strengths),
            "accuracy": _lists(self.accuracy),
            "consistency": _lists(self.consistency),
            "confidence": _lists(self.confidence),
            "accuracy_area": _lists([self.accuracy_area])[0],
            "consistency_area": _lists([self.consistency_area])[0],
            "worst": [
                {
                    "image": each.image,
                    "strength": each.strength,
                    "answer": each.answer,
                    "probability": each.probability,
                }
                for each in self.worst
            ],
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class Invariance:
    """How a model's answers change as its images do.

    Args:
        images: how many it was measured on.
        curves: one for each change.
        layers: how far each layer follows shifts, in their order; empty where that was not measured.
    """

    images: int
    curves: tuple[Curve, ...]
    layers: tuple[LayerShift, ...] = ()

    def curve(self, name: str) -> Curve:
        """Find the curve of a change.

        Args:
            name: of the change.

        Returns:
            The curve.

        Raises:
            AttackError: where there is none, naming the nearest.
        """
        for each in self.curves:
            if each.name == name:
                return each
        raise AttackError(unknown_name("change", name, [each.name for each in self.curves]))

    def to_dict(self) -> dict[str, Any]:
        """Give all figures as JSON can hold them.

        Returns:
            The curves and the layers.
        """
        return {
            "images": self.images,
            "curves": [each.to_dict() for each in self.curves],
            "layers": [each.to_dict() for each in self.layers],
        }


def _lists(measured: Sequence[Measured]) -> list[list[float]]:
    return [[each.value, each.low, each.high] for each in measured]
