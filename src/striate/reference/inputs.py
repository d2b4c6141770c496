"""What the reference computes with: arrays in double precision, their shapes checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import LayerError, ShapeError

Array = NDArray[np.float64]


def as_numbers(values: ArrayLike, name: str) -> Array:
    """Take nested lists or an array of any numeric type as float64.

    Args:
        values: the numbers.
        name: what they are, for the error.

    Returns:
        A new array of the same shape.

    Raises:
        ShapeError: where rows differ in length.
        LayerError: where there is something else than real numbers.

    >>> as_numbers([[1, 2], [3, 4]], "images").dtype
    dtype('float64')
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ShapeError(f"{name}: rows of different lengths are no array; make them equally long") from error
    if array.dtype.kind not in "biuf":
        raise LayerError(f"{name} of type {array.dtype} cannot be computed with; whole or real numbers can")
    return array.astype(np.float64)


def as_images(images: ArrayLike) -> Array:
    """Take images, or features, of 1, 2 or 3 spatial axes as float64.

    Args:
        images: N x C x spatial.

    Returns:
        A new array of the same shape.

    Raises:
        ShapeError: where there are other axes, or one of them is empty.
    """
    array = as_numbers(images, "images")
    if array.ndim not in (3, 4, 5):
        raise ShapeError(
            f"images of shape {spelled(array.shape)} have {array.ndim} axes; "
            "images, channels and then 1, 2 or 3 spatial axes are needed: 3, 4 or 5 in all"
        )
    if array.size == 0:
        raise ShapeError(f"images of shape {spelled(array.shape)} hold no value; each axis needs at least 1")
    return array


def of_shape(values: ArrayLike, shape: tuple[int, ...], name: str) -> Array:
    """Take values that must have a certain shape as float64.

    Args:
        values: the numbers.
        shape: what their shape must be.
        name: what they are, for the error.

    Returns:
        A new array.

    Raises:
        ShapeError: where the shape is another.
    """
    array = as_numbers(values, name)
    if array.shape != shape:
        raise ShapeError(
            f"{name}: the shape is {spelled(array.shape)} where {spelled(shape)} is needed to fit the rest"
        )
    return array


def bias_or_zeros(bias: ArrayLike | None, shape: tuple[int, ...]) -> Array:
    """Take a bias as float64, and the lack of one as zeros.

    Args:
        bias: the numbers, or None.
        shape: what their shape must be.

    Returns:
        A new array.

    Raises:
        ShapeError: where the shape is another.
    """
    return np.zeros(shape) if bias is None else of_shape(bias, shape, "bias")


def each_axis(value: int | Sequence[int], *, dims: int, name: str, least: int) -> tuple[int, ...]:
    """Give a whole number for each axis, from one for all of them or one for each.

    Args:
        value: one number, or as many as there are axes.
        dims: the axes: 1, 2 or 3.
        name: what the number is, for the error.
        least: the smallest that is possible.

    Returns:
        As many numbers as there are axes.

    Raises:
        ShapeError: where one of them is out of range, or their number is another.

    >>> each_axis(2, dims=3, name="stride", least=1)
    (2, 2, 2)
    """
    numbers = tuple(value) if isinstance(value, Sequence) else (value,) * dims
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < least:
            raise ShapeError(f"{name} {number} cannot be: it is a whole number of at least {least}")
    if len(numbers) != dims:
        raise ShapeError(f"{name} {numbers} has {len(numbers)} numbers for {dims} axes; give one, or {dims}")
    return tuple(int(number) for number in numbers)


def spelled(shape: tuple[int, ...]) -> str:
    """Write a shape as people do.

    Args:
        shape: sizes of the axes.

    Returns:
        The sizes with crosses between them.

    >>> spelled((2, 3, 5))
    '2x3x5'
    """
    return "x".join(str(size) for size in shape) or "a single number"
