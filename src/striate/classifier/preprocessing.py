"""How a picture, series or volume becomes what a network takes: size, channels, normalisation, padding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from striate.core.errors import ShapeError, unknown_name
from striate.core.recipe import FITS

LARGEST_SIDE = 4096
LONGEST = 2**20
"""Values of a series, at most."""

MOST_CHANNELS = 64
MOST_CHANNELS_OF_SERIES = 4096


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes what a network takes.

    Args:
        size: height and width in pixels; of series their length, of volumes and clips all three axes.
        channels: how many channels.
        mean: per channel, of images in [0, 1] or of numbers as they are; subtracted.
        std: per channel, likewise, over 0; divided by.
        fit: how a picture of another shape is fitted: ``pad``, ``crop`` or ``stretch``.
        fill: colour of the padding, 0 to 255 per channel.
        average_mirrored: whether logits are the mean over an image and its mirror image, which costs
            twice the time and was worth 0.3 points for one network on 5,000 images of Fashion-MNIST.
        average_shifted: pixels by which images are also looked at shifted, up and left and down and right,
            where logits are a mean over these too; three times the time. At least 0, less than the sides; 0
            but for images.
        numbers: whether values are any numbers, as those of series and volumes may be, instead of pixels.

    Raises:
        ShapeError: where a value is out of range or there is not one of it per channel.

    >>> Preprocessing((28, 28), 1, (0.29,), (0.35,), "pad", (73,)).channels
    1
    """

    size: tuple[int, ...]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fit: str = "pad"
    fill: tuple[int, ...] = (0,)
    average_mirrored: bool = False
    average_shifted: int = 0
    numbers: bool = False

    def __post_init__(self) -> None:
        sides, longest = [*self.size], LONGEST if len(self.size) == 1 else LARGEST_SIDE
        if not 1 <= len(sides) <= 3 or not all(type(side) is int and 1 <= side <= longest for side in sides):
            raise ShapeError(
                f"size is {self.size!r}, where (height, width) from 1 to {LARGEST_SIDE} is wanted, or a "
                "length, "
                "or three sides of a volume"
            )
        most = MOST_CHANNELS if len(sides) == 2 else MOST_CHANNELS_OF_SERIES
        if type(self.channels) is not int or not 1 <= self.channels <= most:
            raise ShapeError(f"channels is {self.channels!r}, where 1 to {most} is wanted")
        for name in ("mean", "std", "fill"):
            values = getattr(self, name)
            if len(values) != self.channels:
                raise ShapeError(f"{name} has {len(values)} values for {self.channels} channels")
            if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
                raise ShapeError(f"{name} is {values!r}, where finite numbers are wanted")
        if min(self.std) <= 0:
            raise ShapeError(f"std is {self.std!r}, where numbers over 0 are wanted")
        if not all(type(value) is int and 0 <= value <= 255 for value in self.fill):
            raise ShapeError(f"fill is {self.fill!r}, where whole numbers from 0 to 255 are wanted")
        for name in ("average_mirrored", "numbers"):
            if type(getattr(self, name)) is not bool:
                raise ShapeError(f"{name} is {getattr(self, name)!r}, where true or false is wanted")
        shift, furthest = self.average_shifted, min(sides) - 1 if len(sides) == 2 else 0
        if type(shift) is not int or not 0 <= shift <= furthest:
            raise ShapeError(f"average_shifted is {shift!r}, where 0 to {furthest} is wanted")
        if self.fit not in FITS:
            raise ShapeError(unknown_name("fit", str(self.fit), FITS))

    @property
    def dims(self) -> int:
        """Spatial axes: 1 of series, 2 of images, 3 of volumes and clips."""
        return len(self.size)

    def to_dict(self) -> dict[str, Any]:
        """Give all fields by name, ready for JSON.

        Returns:
            A dictionary of plain values; `from_dict` makes the preprocessing of it again.
        """
        # Files of images stay readable by programs that do not know of other numbers.
        return {name: value for name, value in asdict(self).items() if name != "numbers" or value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Make a preprocessing from fields by name.

        Args:
            values: what `to_dict` gave, maybe by way of JSON.

        Returns:
            The preprocessing.

        Raises:
            ShapeError: where a field is missing, unknown or out of range.

        >>> one = Preprocessing((28, 28), 1, (0.29,), (0.35,), "pad", (73,))
        >>> Preprocessing.from_dict(one.to_dict()) == one
        True
        """
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        try:
            return cls(**fields)
        except TypeError as error:
            raise ShapeError(f"the preprocessing is damaged: {error}") from error
