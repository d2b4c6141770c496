"""Whether a network has overfitted: how much better it is on images that it learnt from than on others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from striate.core.errors import RunError
from striate.core.intervals import newcombe

LEAST_GAP = 0.01
"""A gap below this is not worth a word, however sure it is."""

SHARE_OF_ERRORS = 0.5
"""Which share of the errors on other images a gap has to make up to be called overfitting."""

_SAID = {
    "overfitting": "this is overfitting",
    "unclear": "too few images to tell whether this is overfitting",
    "none": "no overfitting to speak of",
}


@dataclass(frozen=True)
class Overfitting:
    """The gap between training and validation accuracy, and what it says.

    Args:
        train_accuracy: on images that the network learnt from, as they are.
        train_images: on how many.
        validation_accuracy: on images that it did not learn from.
        validation_images: on how many.
        gap: the former accuracy less the latter.
        interval: 95 % interval of the gap.
        verdict: ``overfitting``, ``unclear`` or ``none``, as `judge_gap` says.
        advice: what to try, the likeliest to help first.
    """

    train_accuracy: float
    train_images: int
    validation_accuracy: float
    validation_images: int
    gap: float
    interval: tuple[float, float]
    verdict: str
    advice: tuple[str, ...] = ()

    def __str__(self) -> str:
        low, high = (f"{100 * each:.2f}" for each in self.interval)
        return (
            f"training accuracy {100 * self.train_accuracy:.2f} % on {self.train_images:,} images as they "
            f"are: {100 * self.gap:.2f} points over validation (95 % interval {low} to {high}), "
            f"{_SAID[self.verdict]}"
        )

    def advised(self, *advice: str) -> Overfitting:
        """Give the same with advice.

        Args:
            advice: what to try, the likeliest to help first.

        Returns:
            The same judgement of the same gap.
        """
        return replace(self, advice=advice)

    def to_dict(self) -> dict[str, Any]:
        """Give all of it by name, ready for JSON.

        Returns:
            A dictionary of plain values; `from_dict` makes the same of it again.
        """
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Overfitting:
        """Make it of values by name; names that are not known are passed over.

        Args:
            values: what `to_dict` gave, maybe by way of JSON.

        Returns:
            The same again.

        Raises:
            RunError: where one is missing, or something else is in its place.
        """
        try:
            found = {field.name: values[field.name] for field in fields(cls)}
            found |= {name: tuple(found[name]) for name in ("interval", "advice")}
        except (KeyError, TypeError) as error:
            raise RunError(f"what was found of overfitting is damaged ({error})") from error
        return cls(**found)


def judge_gap(
    train_right: int, train_images: int, validation_right: int, validation_images: int
) -> Overfitting:
    """Judge the gap between the accuracies on images that were learnt from and on others.

    It is overfitting where the gap is at least a point and makes up at least half of the errors on other
    images, and where even the lower end of its interval is over 0; ``unclear`` where the interval holds 0;
    ``none`` where the gap is smaller.

    Args:
        train_right: how many images that were learnt from are predicted correctly.
        train_images: of how many, at least 1.
        validation_right: how many others are.
        validation_images: of how many, at least 1.

    Returns:
        The judgement, with no advice yet.

    Raises:
        ValueError: where the counts are out of range.

    >>> judge_gap(990, 1000, 900, 1000).verdict
    'overfitting'
    >>> judge_gap(40, 40, 38, 40).verdict
    'unclear'
    """
    interval = newcombe(train_right, train_images, validation_right, validation_images)
    accuracies = train_right / train_images, validation_right / validation_images
    gap = accuracies[0] - accuracies[1]
    verdict = "none"
    if gap >= max(LEAST_GAP, SHARE_OF_ERRORS * (1 - accuracies[1])):
        verdict = "overfitting" if interval[0] > 0 else "unclear"
    return Overfitting(accuracies[0], train_images, accuracies[1], validation_images, gap, interval, verdict)
