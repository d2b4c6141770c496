"""The locally connected layer by its definition: a convolution whose weights differ at every position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from striate.core.errors import ShapeError
from striate.reference.inputs import Array, as_images, as_numbers, bias_or_zeros, of_shape, spelled
from striate.reference.windows import Windows, lay_windows


def locally_connected(
    images: ArrayLike,
    weights: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
) -> Array:
    """Weigh the window at each position by weights of its own.

    ``V(x, y) = b(x, y) + sum_c sum_m sum_n I_c(Sx + m - P, Sy + n - P) K_xy,c(m, n)``.

    Args:
        images: N x C x spatial, with 1, 2 or 3 spatial axes.
        weights: outputs x C x positions x kernel, where the positions are the spatial size of the output.
        bias: outputs x positions; zeros where None.
        stride: S, from one window to the next.
        padding: P, zeros on either side.

    Returns:
        N x outputs x positions.

    Raises:
        ShapeError: where the weights are for other channels or another number of windows than there are.
        LayerError: where something else than numbers is given.

    Source: LeCun, Generalization and network design strategies (1989), Net-3.

    >>> locally_connected([[[1, 2, 3]]], [[[[1, 1], [0, -1]]]])  # 1 + 2, then -3
    array([[[ 3., -3.]]])
    """
    images, weights = as_images(images), as_numbers(weights, "weights")
    windows, size = _lay(images, weights, stride, padding)
    bias = bias_or_zeros(bias, (len(weights), *size))
    padded = windows.pad(images)
    out = np.zeros((len(images), len(weights), *size))
    for position in np.ndindex(*size):
        patches = padded[:, :, *windows.at(position)]  # one of each image
        for output in range(len(weights)):
            products = patches * weights[output, :, *position]
            sums = products.reshape(len(images), -1).sum(axis=1)
            out[:, output, *position] = sums + bias[output, *position]
    return out


def locally_connected_backward(
    gradient: ArrayLike,
    images: ArrayLike,
    weights: ArrayLike,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
) -> tuple[Array, Array, Array]:
    """Bring the gradient of a loss back through a locally connected layer.

    As through a convolution, but nothing is summed over positions: ``dK_xy(m, n) = dV(x, y) I(x + m, y + n)``
    and ``db(x, y) = dV(x, y)``, summed over the images.

    Args:
        gradient: of the loss by the outputs, N x outputs x positions.
        images: what `locally_connected` was given.
        weights: what it was given.
        stride: as there.
        padding: as there.

    Returns:
        The gradients of the loss by the images, the weights and the bias.

    Raises:
        ShapeError: as `locally_connected`, and where the gradient has another shape than the output.
        LayerError: where something else than numbers is given.

    >>> d_images, d_weights, _ = locally_connected_backward([[[1, 10]]], [[[1, 2, 3]]], [[[[1, 1], [0, -1]]]])
    >>> d_images.tolist(), d_weights.tolist()
    ([[[1.0, 1.0, -10.0]]], [[[[1.0, 2.0], [20.0, 30.0]]]])
    """
    images, weights = as_images(images), as_numbers(weights, "weights")
    windows, size = _lay(images, weights, stride, padding)
    gradient = of_shape(gradient, (len(images), len(weights), *size), "gradient")
    padded = windows.pad(images)
    d_padded, d_weights = np.zeros_like(padded), np.zeros_like(weights)
    for position in np.ndindex(*size):
        window = windows.at(position)
        for output in range(len(weights)):
            for image, error in enumerate(gradient[:, output, *position]):
                d_weights[output, :, *position] += error * padded[image][:, *window]
                d_padded[image][:, *window] += error * weights[output, :, *position]
    return windows.crop(d_padded), d_weights, gradient.sum(axis=0)


def _lay(
    images: Array, weights: Array, stride: int | Sequence[int], padding: int | Sequence[int]
) -> tuple[Windows, tuple[int, ...]]:
    dims = images.ndim - 2
    if weights.ndim != 2 + 2 * dims:
        raise ShapeError(
            f"weights of shape {spelled(weights.shape)} do not fit images of {dims} spatial axes: outputs, "
            f"inputs, {dims} for the position and {dims} for the kernel make {2 + 2 * dims} axes, "
            f"not {weights.ndim}"
        )
    if weights.shape[1] != images.shape[1]:
        raise ShapeError(
            f"the weights take {weights.shape[1]} channels, and the images have {images.shape[1]}"
        )
    windows = lay_windows(weights.shape[2 + dims :], dims=dims, stride=stride, padding=padding)
    size = windows.along(images.shape[2:])
    if weights.shape[2 : 2 + dims] != size:
        raise ShapeError(
            f"the weights are for {spelled(weights.shape[2 : 2 + dims])} positions, but on images of "
            f"{spelled(images.shape[2:])} there are {spelled(size)} windows of {spelled(windows.kernel)} "
            "with this stride and padding"
        )
    return windows, size
