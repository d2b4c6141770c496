"""Dropout by its definition, given which values stay."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from striate.core.errors import LayerError
from striate.reference.inputs import Array, as_numbers, of_shape


def dropout(features: ArrayLike, mask: ArrayLike, *, rate: float) -> Array:
    """Let the values stay that a mask names, made larger so that their mean stays: ``x m / (1 - rate)``.

    Args:
        features: any shape.
        mask: 1 where a value stays and 0 where it is dropped, of the same shape.
        rate: the share that is dropped on average, from 0 to below 1.

    Returns:
        A new array of the same shape.

    Raises:
        ShapeError: where the mask has another shape.
        LayerError: where the rate is out of range, or the mask holds something else than 0 and 1.

    Source: Srivastava et al., Dropout (2014), section 10, where training and not inference scales.

    >>> dropout([1, 2, 3, 4], [1, 0, 1, 0], rate=0.5).tolist()
    [2.0, 0.0, 6.0, 0.0]
    """
    features = as_numbers(features, "features")
    return features * _factors(mask, features.shape, rate)


def dropout_backward(gradient: ArrayLike, mask: ArrayLike, *, rate: float) -> Array:
    """Bring a gradient back through `dropout`: as the values went, ``dx = dy m / (1 - rate)``.

    Args:
        gradient: of the loss by the output, any shape.
        mask: as in `dropout`.
        rate: as there.

    Returns:
        The gradient of the loss by the features.

    Raises:
        ShapeError: where the mask has another shape.
        LayerError: where the rate is out of range, or the mask holds something else than 0 and 1.

    >>> dropout_backward([1, 1], [1, 0], rate=0.75).tolist()
    [4.0, 0.0]
    """
    gradient = as_numbers(gradient, "gradient")
    return gradient * _factors(mask, gradient.shape, rate)


def _factors(mask: ArrayLike, shape: tuple[int, ...], rate: float) -> Array:
    if not 0 <= rate < 1:
        raise LayerError(f"a share of {rate} cannot be dropped; 0 to below 1 can, and 0.5 is usual")
    stays = of_shape(mask, shape, "mask")
    if not np.isin(stays, (0, 1)).all():
        raise LayerError("the mask holds something else than 0 (dropped) and 1 (stays)")
    return stays / (1 - rate)
