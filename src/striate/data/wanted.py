"""What the images of a source are to become: their size, channels and fit."""

from __future__ import annotations

from dataclasses import dataclass

from striate.core.errors import DataError
from striate.data.axes import NOUNS
from striate.data.pictures import Size

LARGEST_SIDE = 128
"""The largest side in pixels of images that stay as they are where no size is named."""


@dataclass(frozen=True)
class UpTo:
    """A side for photos: for images that are not all alike and at most 128 pixels, unless they are smaller.

    Args:
        side: of the square that they become, or the median shorter side where that is less; pixels.
        fit: how one of another shape becomes a square; ``None``: as other images.
    """

    side: int
    fit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the images of a source are to become.

    Args:
        size: side, or height and width, in pixels; ``None``: as they are where all are alike and at most
            128, else a square of ``photo_side``, or of the median shorter side where that is less. Of series
            the length, of volumes and clips height and width, or one number for each of their axes.
        channels: 1 or 3; ``None``: 3 where any image has colour.
        fit: ``pad``, ``crop`` or ``stretch``.
        fill: colour of the padding; ``None``: the mean colour of the training part.
        margin: pixels by which height and width are larger than ``size``, at least 0: what random crops of
            ``size`` are taken from.
        photo_side: side of the square that images become where no size is named, and they are not all alike
            and at most 128.
        photo_fit: how images of over 128 pixels are fitted where no size is named; ``None``: as all.
        choice: which parts of the source are read, in a word: decoded images of other choices are kept
            apart.

    >>> Wanted(size=128, margin=16).kept((128, 96))
    (144, 112)
    """

    size: int | tuple[int, ...] | None = None
    channels: int | None = None
    fit: str = "pad"
    fill: tuple[int, ...] | None = None
    margin: int = 0
    photo_side: int = LARGEST_SIDE
    photo_fit: str | None = None
    choice: str = "all"

    def fit_of(self, size: Size) -> str:
        """Give how images are fitted that become of a size.

        Args:
            size: height and width, pixels.

        Returns:
            ``pad``, ``crop`` or ``stretch``.

        >>> Wanted(photo_fit="stretch").fit_of((224, 224)), Wanted(photo_fit="stretch").fit_of((28, 28))
        ('stretch', 'pad')
        """
        if self.photo_fit is not None and self.size is None and min(size) > LARGEST_SIDE:
            return self.photo_fit
        return self.fit

    def kept(self, size: Size) -> Size:
        """Give the height and width that are kept of images of a size.

        Args:
            size: height and width, pixels.

        Returns:
            The same with the margin.
        """
        return size[0] + self.margin, size[1] + self.margin

    def numbers_of(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Give the size that series, volumes or clips become.

        Args:
            size: that they have, or would have where none is named: of every axis.

        Returns:
            The length of series; depth, height and width of volumes and clips, whose depth stays what it is
            where one number is wanted.

        Raises:
            DataError: where a size with another number of axes is wanted.

        >>> Wanted(size=64).numbers_of((1000,)), Wanted(size=64).numbers_of((16, 112, 112))
        ((64,), (16, 64, 64))
        """
        if self.size is None:
            return size
        if isinstance(self.size, int):
            return (self.size,) if len(size) == 1 else (size[0], self.size, self.size)
        if len(self.size) != len(size):
            there, wanted = ("x".join(map(str, each)) for each in (size, self.size))
            raise DataError(
                f"the data hold {NOUNS[len(size)]} of {there}, where {NOUNS[len(self.size)]} of {wanted} "
                "are wanted"
            )
        return self.size
