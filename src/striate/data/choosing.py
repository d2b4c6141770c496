"""What the files of a source decide together: the size and channels of all images, the colour of padding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.data.dataset import Labels
from striate.data.facts import Facts
from striate.data.pictures import Size
from striate.data.wanted import LARGEST_SIDE

SMALLEST_SIDE = 8


def choose_channels(measures: npt.NDArray[np.int32]) -> int:
    """Choose the channels of all images.

    Args:
        measures: height, width and channels of pictures, (N, 3).

    Returns:
        3 where any of them has colour, else 1.
    """
    return 3 if (measures[:, 2] == 3).any() else 1


def choose_size(measures: npt.NDArray[np.int32], photo_side: int = LARGEST_SIDE) -> Size:
    """Choose the size of all images.

    Args:
        measures: height, width and channels of pictures, (N, 3).
        photo_side: pixels.

    Returns:
        Height and width: theirs where all are alike and at most 128, else a square of
        ``photo_side``, or of the median shorter side where that is less.

    >>> choose_size(np.array([[40, 30, 3], [50, 90, 3], [60, 60, 1]]))
    (50, 50)
    """
    sizes = np.unique(measures[:, :2], axis=0)
    if len(sizes) == 1 and sizes.max() <= LARGEST_SIDE:
        return int(sizes[0, 0]), int(sizes[0, 1])
    median = int(np.median(measures[:, :2].min(axis=1)))
    side = max(SMALLEST_SIDE, min(photo_side, median))
    return side, side


def mean_colour(facts: Facts, rows: Labels, channels: int) -> tuple[int, ...]:
    """Give the mean of each channel over decoded pictures, rounded, their padding left out.

    Args:
        facts: what is known of them.
        rows: which of them.
        channels: how many there are.

    Returns:
        One value in 0 to 255 per channel.
    """
    area = int((facts.boxes[rows, 2].astype(np.int64) * facts.boxes[rows, 3]).sum())
    return tuple(round(value / area) for value in facts.sums[rows, :channels].sum(axis=0).tolist())
