"""Pooling by median and by mode, by definition; padding is never counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import LayerError
from striate.reference.inputs import Array
from striate.reference.sliding import one_at, pool, pool_backward, pooling_windows


def median_pooling(
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil: bool = False,
) -> Array:
    """Take the middle value of each window, the lower one of two middle ones.

    Args:
        images: N x C x spatial, with 1, 2 or 3 spatial axes.
        window: elements that each takes, one number or one an axis.
        stride: from one window to the next; its size where None.
        padding: on either side, at most half of the window; it is not counted.
        ceil: whether a last window may reach beyond the padding; it takes what is there.

    Returns:
        N x C x spatial.

    Raises:
        ShapeError: where a window does not fit or a number is out of range.

    >>> median_pooling([[[9, 1, 5, 2]]], 3, stride=1, padding=1)  # of 9 and 1; 9, 1, 5; 1, 5, 2; 5 and 2
    array([[[1., 5., 2., 2.]]])
    """
    windows = pooling_windows(images, window, stride=stride, padding=padding)
    return pool(images, windows, _median, ceil=ceil)


def median_pooling_backward(
    gradient: ArrayLike,
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil: bool = False,
) -> Array:
    """Bring a gradient back through `median_pooling`: all to the middle value, the first one of equals.

    Args:
        gradient: of the loss by the output, N x C x spatial.
        images: what was pooled.
        window: as in `median_pooling`.
        stride: as there.
        padding: as there.
        ceil: as there.

    Returns:
        The gradient of the loss by the images.

    Raises:
        ShapeError: as `median_pooling`, and where the gradient has another shape than the output.

    >>> median_pooling_backward([[[10, 20]]], [[[9, 1, 5, 2]]], 3, stride=1)
    array([[[ 0.,  0., 10., 20.]]])
    """
    windows = pooling_windows(images, window, stride=stride, padding=padding)
    return pool_backward(gradient, images, windows, _median_slopes, ceil=ceil)


def mode_pooling(
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil: bool = False,
    bins: int | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> Array:
    """Take the most frequent value of each window: the mean of the elements in the fullest bin.

    Bin b of B holds values from ``low + b (high - low)/B`` up to, and without, the next one's; the lowest
    holds all that is less too, and the highest all that is more. Of equally full bins the lowest counts.

    Args:
        images: N x C x spatial, with 1, 2 or 3 spatial axes.
        window: elements that each takes, one number or one an axis.
        stride: from one window to the next; its size where None.
        padding: on either side, at most half of the window; it is not counted.
        ceil: whether a last window may reach beyond the padding; it takes what is there.
        bins: B, how many bins there are between the limits; where None, every value is a bin of its own,
            which is for whole numbers only.
        limits: low and high.

    Returns:
        N x C x spatial.

    Raises:
        ShapeError: where a window does not fit or a number is out of range.
        LayerError: where real numbers are given without bins, or there are no bins between the limits.

    >>> mode_pooling([[[7, 3, 3, 7, 3, 1]]], 3)  # 3 twice; one each of 7, 3 and 1, and 1 is the lowest
    array([[[3., 1.]]])
    >>> mode_pooling([[[0.1, 0.9, 0.2]]], 3, bins=2)  # the mean of 0.1 and 0.2
    array([[[0.15]]])
    """
    windows = pooling_windows(images, window, stride=stride, padding=padding)
    _check_bins(images, bins, limits)

    def mode(values: Array) -> Array:
        fullest = _in_fullest_bin(values, bins, limits)
        means: Array = np.sum(values, axis=-1, where=fullest) / fullest.sum(axis=-1)
        return means

    return pool(images, windows, mode, ceil=ceil)


def mode_pooling_backward(
    gradient: ArrayLike,
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil: bool = False,
    bins: int | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> Array:
    """Bring a gradient back through `mode_pooling`: an equal share to each element in the fullest bin.

    Args:
        gradient: of the loss by the output, N x C x spatial.
        images: what was pooled.
        window: as in `mode_pooling`.
        stride: as there.
        padding: as there.
        ceil: as there.
        bins: as there.
        limits: as there.

    Returns:
        The gradient of the loss by the images.

    Raises:
        ShapeError: as `mode_pooling`, and where the gradient has another shape than the output.
        LayerError: as `mode_pooling`.

    >>> mode_pooling_backward([[[10]]], [[[0.1, 0.9, 0.2]]], 3, bins=2)
    array([[[5., 0., 5.]]])
    """
    windows = pooling_windows(images, window, stride=stride, padding=padding)
    _check_bins(images, bins, limits)

    def slopes(values: Array) -> Array:
        fullest = _in_fullest_bin(values, bins, limits)
        shares: Array = fullest / fullest.sum(axis=-1, keepdims=True)
        return shares

    return pool_backward(gradient, images, windows, slopes, ceil=ceil)


def _median(values: Array) -> Array:
    middle = (values.shape[-1] - 1) // 2
    return np.sort(values, axis=-1)[..., middle]


def _median_slopes(values: Array) -> Array:
    first = np.argmax(values == _median(values)[..., np.newaxis], axis=-1)
    return one_at(first, values)


def _in_fullest_bin(values: Array, bins: int | None, limits: tuple[float, float]) -> NDArray[np.bool_]:
    """Say of each element of a window, N x C x elements, whether it lies in the fullest bin."""
    numbers = values if bins is None else _bins_of(values, bins, limits)
    fullest = np.zeros(values.shape, dtype=np.bool_)
    for image, channel in np.ndindex(*values.shape[:2]):
        occurring, counts = np.unique(numbers[image, channel], return_counts=True)  # in rising order
        fullest[image, channel] = numbers[image, channel] == occurring[np.argmax(counts)]
    return fullest


def _bins_of(values: Array, bins: int, limits: tuple[float, float]) -> Array:
    low, high = limits
    return np.clip(np.floor((values - low) / (high - low) * bins), 0, bins - 1)


def _check_bins(images: ArrayLike, bins: int | None, limits: tuple[float, float]) -> None:
    if bins is None:
        kind = np.asarray(images).dtype
        if kind.kind not in "biu":
            raise LayerError(
                f"the most frequent one of {kind} values needs bins, since hardly any two are equal; "
                "bins=16 makes 16 between the limits, and without bins whole numbers can be taken"
            )
    elif isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise LayerError(f"values cannot be put into {bins} bins; a whole number of at least 1 is needed")
    elif not limits[0] < limits[1]:
        raise LayerError(
            f"there are no bins between {limits[0]} and {limits[1]}; the first must be the lower"
        )
