"""Global pooling by maximum and average: one number a channel, whatever the size."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from striate.reference.inputs import Array, as_images, of_shape
from striate.reference.sliding import one_at


def global_max_pooling(images: ArrayLike) -> Array:
    """Take the largest value of each channel.

    Args:
        images: N x C x spatial, with 1, 2 or 3 spatial axes.

    Returns:
        N x C.

    Raises:
        ShapeError: where there are other axes.

    >>> global_max_pooling([[[1, 5, 2], [0, -1, -2]]])
    array([[5., 0.]])
    """
    largest: Array = _in_one_row(as_images(images)).max(axis=-1)
    return largest


def global_max_pooling_backward(gradient: ArrayLike, images: ArrayLike) -> Array:
    """Bring a gradient back through `global_max_pooling`: all of it to the largest, the first one of equals.

    Args:
        gradient: of the loss by the output, N x C.
        images: what was pooled.

    Returns:
        The gradient of the loss by the images.

    Raises:
        ShapeError: where the gradient has another shape than the output.

    >>> global_max_pooling_backward([[10]], [[[1, 5, 2]]])
    array([[[ 0., 10.,  0.]]])
    """
    images = as_images(images)
    gradient = of_shape(gradient, images.shape[:2], "gradient")
    values = _in_one_row(images)
    slopes = one_at(values.argmax(axis=-1), values)
    return (gradient[:, :, np.newaxis] * slopes).reshape(images.shape)


def global_average_pooling(images: ArrayLike) -> Array:
    """Take the mean of each channel.

    Args:
        images: N x C x spatial, with 1, 2 or 3 spatial axes.

    Returns:
        N x C.

    Raises:
        ShapeError: where there are other axes.

    >>> global_average_pooling([[[1, 5, 3], [0, -1, -2]]])
    array([[ 3., -1.]])
    """
    means: Array = _in_one_row(as_images(images)).mean(axis=-1)
    return means


def global_average_pooling_backward(gradient: ArrayLike, images: ArrayLike) -> Array:
    """Bring a gradient back through `global_average_pooling`: an equal share to each value of the channel.

    Args:
        gradient: of the loss by the output, N x C.
        images: what was pooled.

    Returns:
        The gradient of the loss by the images.

    Raises:
        ShapeError: where the gradient has another shape than the output.

    >>> global_average_pooling_backward([[12]], [[[1, 5, 3]]])
    array([[[4., 4., 4.]]])
    """
    images = as_images(images)
    gradient = of_shape(gradient, images.shape[:2], "gradient")
    values = _in_one_row(images)
    slopes = np.full_like(values, 1 / values.shape[-1])
    return (gradient[:, :, np.newaxis] * slopes).reshape(images.shape)


def _in_one_row(images: Array) -> Array:
    return images.reshape(*images.shape[:2], -1)
