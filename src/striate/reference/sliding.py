"""Slide a window over images and sum up in one number what it takes; padding is never taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import ShapeError
from striate.reference.inputs import Array, as_images, of_shape
from striate.reference.windows import Windows, lay_windows

Summary = Callable[[Array], Array]
"""From the values in a window, N x C x elements, to what stands for them, N x C."""

Slopes = Callable[[Array], Array]
"""From the values in a window, N x C x elements, to the derivative of the summary by each, the same shape."""


def pool(images: ArrayLike, windows: Windows, summary: Summary, *, ceil: bool = False) -> Array:
    """Give the summary of every window.

    Args:
        images: N x C x spatial.
        windows: how they lie.
        summary: what stands for the values in a window.
        ceil: whether a last window may reach beyond the padding; it takes what is there.

    Returns:
        N x C x spatial.

    Raises:
        ShapeError: where a window does not fit, or takes nothing but padding.
    """
    images = as_images(images)
    out = np.zeros((*images.shape[:2], *windows.along(images.shape[2:], ceil=ceil)))
    for position, elements in _each_window(windows, images.shape[2:], ceil):
        values = images[elements].reshape(*images.shape[:2], -1)
        out[:, :, *position] = summary(values)
    return out


def pool_backward(
    gradient: ArrayLike, images: ArrayLike, windows: Windows, slopes: Slopes, *, ceil: bool = False
) -> Array:
    """Bring the gradient of a loss back through a pooling: each value gets its slope's share.

    Args:
        gradient: of the loss by the output, N x C x spatial.
        images: what was pooled.
        windows: how they lie.
        slopes: the derivative of the summary by each value in a window.
        ceil: as in the pooling.

    Returns:
        The gradient of the loss by the images.

    Raises:
        ShapeError: as `pool`, and where the gradient has another shape than the output.
    """
    images = as_images(images)
    out = (*images.shape[:2], *windows.along(images.shape[2:], ceil=ceil))
    gradient = of_shape(gradient, out, "gradient")
    d_images = np.zeros_like(images)
    for position, elements in _each_window(windows, images.shape[2:], ceil):
        taken = images[elements]
        shares = slopes(taken.reshape(*images.shape[:2], -1))
        errors = gradient[:, :, *position, np.newaxis]
        d_images[elements] += (errors * shares).reshape(taken.shape)
    return d_images


def pooling_windows(
    images: ArrayLike,
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None,
    padding: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
) -> Windows:
    """Lay the windows of a pooling: without a stride side by side, and padded by half of them at most.

    Args:
        images: N x C x spatial.
        window: elements that each takes, one number or one an axis.
        stride: from one to the next; the window's size where None.
        padding: on either side, at most half of the window's elements, as in torch.
        dilation: from one element of a window to the next.

    Returns:
        The windows.

    Raises:
        ShapeError: where a number is out of range.
    """
    dims = as_images(images).ndim - 2
    stride = window if stride is None else stride
    windows = lay_windows(window, dims=dims, stride=stride, padding=padding, dilation=dilation)
    for length, padded in zip(windows.kernel, windows.padding, strict=True):
        if 2 * padded > length:
            raise ShapeError(
                f"padding {padded} is more than half of a window of {length}: "
                f"2*{padded} = {2 * padded}; {length // 2} is the most"
            )
    return windows


def one_at(chosen: NDArray[np.intp], values: Array) -> Array:
    """Give the slopes of a pooling that passes one value of each window on.

    Args:
        chosen: which one of the elements, N x C.
        values: in the window, N x C x elements.

    Returns:
        1 at the chosen elements and 0 elsewhere, of the shape of the values.
    """
    slopes = np.zeros_like(values)
    np.put_along_axis(slopes, chosen[..., np.newaxis], 1.0, axis=-1)
    return slopes


def _each_window(
    windows: Windows, size: tuple[int, ...], ceil: bool
) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Give the position of every window, and the index of the real elements that it takes, N x C x kernel."""
    for position in np.ndindex(*windows.along(size, ceil=ceil)):
        coordinates = windows.inside(position, size)
        if not all(coordinates):
            raise ShapeError(
                f"the window at {position} takes nothing but padding: "
                f"its elements, {windows.dilation} apart, all miss the input of {size}; "
                "less padding or dilation helps"
            )
        yield position, (slice(None), slice(None), *np.ix_(*coordinates))
