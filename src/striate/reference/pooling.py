"""Pooling by maximum, minimum, average and L2 norm, by definition; padding is never counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from striate.reference.inputs import Array
from striate.reference.sliding import one_at, pool, pool_backward, pooling_windows


def max_pooling(
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil: bool = False,
) -> Array:
    """Take the largest value of each window.

    Args:
        images: N x C x spatial, with 1, 2 or 3 spatial axes.
        window: elements that each takes, one number or one an axis.
        stride: from one window to the next; its size where None.
        padding: on either side, at most half of the window; no element of it is ever taken.
        dilation: from one element of a window to the next.
        ceil: whether a last window may reach beyond the padding; it takes what is there.

    Returns:
        N x C x spatial.

    Raises:
        ShapeError: where a window does not fit or a number is out of range.

    >>> max_pooling([[[1, 5, 2, 0]]], 2)
    array([[[5., 2.]]])
    """
    windows = pooling_windows(images, window, stride=stride, padding=padding, dilation=dilation)
    return pool(images, windows, lambda values: values.max(axis=-1), ceil=ceil)


def max_pooling_backward(
    gradient: ArrayLike,
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil: bool = False,
) -> Array:
    """Bring a gradient back through `max_pooling`: all of it to the largest value, the first one of equals.

    Args:
        gradient: of the loss by the output, N x C x spatial.
        images: what was pooled.
        window: as in `max_pooling`.
        stride: as there.
        padding: as there.
        dilation: as there.
        ceil: as there.

    Returns:
        The gradient of the loss by the images.

    Raises:
        ShapeError: as `max_pooling`, and where the gradient has another shape than the output.

    >>> max_pooling_backward([[[10, 20]]], [[[1, 5, 2, 0]]], 2)
    array([[[ 0., 10., 20.,  0.]]])
    """
    windows = pooling_windows(images, window, stride=stride, padding=padding, dilation=dilation)
    return pool_backward(
        gradient, images, windows, lambda values: one_at(values.argmax(axis=-1), values), ceil=ceil
    )


def min_pooling(
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil: bool = False,
) -> Array:
    """Take the smallest value of each window.

    Args:
        images: N x C x spatial, with 1, 2 or 3 spatial axes.
        window: elements that each takes, one number or one an axis.
        stride: from one window to the next; its size where None.
        padding: on either side, at most half of the window; no element of it is ever taken.
        dilation: from one element of a window to the next.
        ceil: whether a last window may reach beyond the padding; it takes what is there.

    Returns:
        N x C x spatial.

    Raises:
        ShapeError: where a window does not fit or a number is out of range.

    >>> min_pooling([[[1, 5, 2, 0]]], 2)
    array([[[1., 0.]]])
    """
    windows = pooling_windows(images, window, stride=stride, padding=padding, dilation=dilation)
    return pool(images, windows, lambda values: values.min(axis=-1), ceil=ceil)


def min_pooling_backward(
    gradient: ArrayLike,
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil: bool = False,
) -> Array:
    """Bring a gradient back through `min_pooling`: all of it to the smallest value, the first one of equals.

    Args:
        gradient: of the loss by the output, N x C x spatial.
        images: what was pooled.
        window: as in `min_pooling`.
        stride: as there.
        padding: as there.
        dilation: as there.
        ceil: as there.

    Returns:
        The gradient of the loss by the images.

    Raises:
        ShapeError: as `min_pooling`, and where the gradient has another shape than the output.

    >>> min_pooling_backward([[[10, 20]]], [[[1, 5, 2, 0]]], 2)
    array([[[10.,  0.,  0., 20.]]])
    """
    windows = pooling_windows(images, window, stride=stride, padding=padding, dilation=dilation)
    return pool_backward(
        gradient, images, windows, lambda values: one_at(values.argmin(axis=-1), values), ceil=ceil
    )


def average_pooling(
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil: bool = False,
) -> Array:
    """Take the mean of each window: its sum divided by the number of elements of the image in it.

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

    >>> average_pooling([[[1, 5, 2, 0]]], 2, padding=1)
    array([[[1. , 3.5, 0. ]]])
    """
    windows = pooling_windows(images, window, stride=stride, padding=padding)
    return pool(images, windows, lambda values: values.mean(axis=-1), ceil=ceil)


def average_pooling_backward(
    gradient: ArrayLike,
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil: bool = False,
) -> Array:
    """Bring a gradient back through `average_pooling`: an equal share to each element of the window.

    Args:
        gradient: of the loss by the output, N x C x spatial.
        images: what was pooled.
        window: as in `average_pooling`.
        stride: as there.
        padding: as there.
        ceil: as there.

    Returns:
        The gradient of the loss by the images.

    Raises:
        ShapeError: as `average_pooling`, and where the gradient has another shape than the output.

    >>> average_pooling_backward([[[10, 20]]], [[[1, 5, 2, 0]]], 2)
    array([[[ 5.,  5., 10., 10.]]])
    """
    windows = pooling_windows(images, window, stride=stride, padding=padding)
    return pool_backward(
        gradient, images, windows, lambda values: np.full_like(values, 1 / values.shape[-1]), ceil=ceil
    )


def l2_pooling(
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil: bool = False,
) -> Array:
    """Take the Euclidean norm of each window: ``sqrt(sum of x^2)``.

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

    Source: Sermanet, Chintala and LeCun, Convolutional neural networks applied to house numbers digit
    classification (2012), section 2.2, for p = 2 and without the Gaussian weights.

    >>> l2_pooling([[[3, 4, 0, 0]]], 2)
    array([[[5., 0.]]])
    """
    windows = pooling_windows(images, window, stride=stride, padding=padding)
    return pool(images, windows, _norm, ceil=ceil)


def l2_pooling_backward(
    gradient: ArrayLike,
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil: bool = False,
) -> Array:
    """Bring a gradient back through `l2_pooling`: ``x / norm`` of it to each value, nothing where all are 0.

    Args:
        gradient: of the loss by the output, N x C x spatial.
        images: what was pooled.
        window: as in `l2_pooling`.
        stride: as there.
        padding: as there.
        ceil: as there.

    Returns:
        The gradient of the loss by the images.

    Raises:
        ShapeError: as `l2_pooling`, and where the gradient has another shape than the output.

    >>> l2_pooling_backward([[[10, 20]]], [[[3, 4, 0, 0]]], 2)
    array([[[6., 8., 0., 0.]]])
    """
    windows = pooling_windows(images, window, stride=stride, padding=padding)
    return pool_backward(gradient, images, windows, _norm_slopes, ceil=ceil)


def _norm(values: Array) -> Array:
    norm: Array = np.sqrt((values**2).sum(axis=-1))
    return norm


def _norm_slopes(values: Array) -> Array:
    norms = np.broadcast_to(_norm(values)[..., np.newaxis], values.shape)
    return np.divide(values, norms, out=np.zeros_like(values), where=norms > 0)
