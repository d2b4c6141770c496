"""What the images of a source are to become: their size, channels and fit."""

from __future__ import annotations

from dataclasses import dataclass

from striate.data.pictures import Size


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the images of a source are to become.

    Args:
        size: side, or height and width, in pixels; ``None``: as they are where all are alike and at most
            128, else a square of 128, or of the median shorter side where that is less.
        channels: 1 or 3; ``None``: 3 where any image has colour.
        fit: ``pad``, ``crop`` or ``stretch``.
        fill: colour of the padding; ``None``: the mean colour of the training part.
        margin: pixels by which height and width are larger than ``size``, at least 0: what random crops of
            ``size`` are taken from.
        choice: which parts of the source are read, in a word: decoded images of other choices are kept
            apart.

    >>> Wanted(size=128, margin=16).kept((128, 96))
    (144, 112)
    """

    size: int | Size | None = None
    channels: int | None = None
    fit: str = "pad"
    fill: tuple[int, ...] | None = None
    margin: int = 0
    choice: str = "all"

    def kept(self, size: Size) -> Size:
        """Give the height and width that are kept of images of a size.

        Args:
            size: height and width, pixels.

        Returns:
            The same with the margin.
        """
        return size[0] + self.margin, size[1] + self.margin
