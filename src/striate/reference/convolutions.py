"""Convolution by its definition, one output after the other, and its gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from striate.core.errors import ShapeError
from striate.reference.inputs import Array, as_images, as_numbers, bias_or_zeros, each_axis, of_shape, spelled
from striate.reference.windows import lay_windows


def convolution(
    images: ArrayLike,
    weights: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Array:
    """Convolve images with filters, as networks do: cross-correlation, then the bias.

    ``V(x, y) = b + sum_c sum_m sum_n I_c(Sx + Dm - P, Sy + Dn - P) K_c(m, n)``, where I is 0 outside of the
    image.

    Args:
        images: N x C x spatial, with 1, 2 or 3 spatial axes.
        weights: outputs x C/groups x kernel.
        bias: one number an output; zeros where None.
        stride: S, from one window to the next.
        padding: P, zeros on either side.
        dilation: D, from one element of the window to the next.
        groups: equal shares of the channels; each output sees one share.

    Returns:
        N x outputs x spatial.

    Raises:
        ShapeError: where the kernel is larger than the padded images, the channels do not fit the weights
            and groups, or a number is out of range.
        LayerError: where something else than numbers is given.

    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016), chapters 2 and 5.

    >>> convolution([[[1, 2, 3, 4]]], [[[1, 0, -1]]], [10])
    array([[[8., 8.]]])
    """
    images, weights = as_images(images), as_numbers(weights, "weights")
    check_channels(images, weights, groups=groups)
    bias = bias_or_zeros(bias, (len(weights),))
    dims = images.ndim - 2
    windows = lay_windows(weights.shape[2:], dims=dims, stride=stride, padding=padding, dilation=dilation)
    size = windows.along(images.shape[2:])
    padded = windows.pad(images)
    out = np.zeros((len(images), len(weights), *size))
    for position in np.ndindex(*size):
        for output, kernel in enumerate(weights):
            channels = channels_seen(output, weights, groups=groups)
            patches = padded[:, channels, *windows.at(position)]  # one of each image
            products = patches * kernel
            out[:, output, *position] = products.reshape(len(images), -1).sum(axis=1) + bias[output]
    return out


def convolution_backward(
    gradient: ArrayLike,
    images: ArrayLike,
    weights: ArrayLike,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> tuple[Array, Array, Array]:
    """Bring the gradient of a loss back through a convolution.

    Each output is a sum of products, so it hands its gradient to each weight times the value that the
    weight met, and to each value times the weight that it met: ``dK(m, n) = sum dV(x, y) I(x + m, y + n)``
    and ``dI(x + m, y + n) += dV(x, y) K(m, n)``; ``db = sum dV``.

    Args:
        gradient: of the loss by the outputs, N x outputs x spatial.
        images: what `convolution` was given.
        weights: what it was given.
        stride: as there.
        padding: as there.
        dilation: as there.
        groups: as there.

    Returns:
        The gradients of the loss by the images, the weights and the bias.

    Raises:
        ShapeError: as `convolution`, and where the gradient has another shape than the output.
        LayerError: where something else than numbers is given.

    >>> d_images, d_weights, d_bias = convolution_backward([[[1, 10]]], [[[1, 2, 3]]], [[[4, 5]]])
    >>> d_images.tolist(), d_weights.tolist(), d_bias.tolist()
    ([[[4.0, 45.0, 50.0]]], [[[21.0, 32.0]]], [11.0])
    """
    images, weights = as_images(images), as_numbers(weights, "weights")
    check_channels(images, weights, groups=groups)
    dims = images.ndim - 2
    windows = lay_windows(weights.shape[2:], dims=dims, stride=stride, padding=padding, dilation=dilation)
    size = windows.along(images.shape[2:])
    gradient = of_shape(gradient, (len(images), len(weights), *size), "gradient")
    padded = windows.pad(images)
    d_padded, d_weights = np.zeros_like(padded), np.zeros_like(weights)
    for position in np.ndindex(*size):
        for output, kernel in enumerate(weights):
            channels = channels_seen(output, weights, groups=groups)
            window = windows.at(position)
            for image, error in enumerate(gradient[:, output, *position]):
                d_weights[output] += error * padded[image][channels, *window]
                d_padded[image][channels, *window] += error * kernel
    d_bias = gradient.sum(axis=(0, *range(2, gradient.ndim)))
    return windows.crop(d_padded), d_weights, d_bias


def mathematical_convolution(
    images: ArrayLike,
    weights: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Array:
    """Convolve as mathematicians do: the kernel runs against the image, so it is flipped along each axis.

    ``Y(s, t) = sum_a sum_b X(s - a, t - b) W(a, b)``: what `convolution` gives with the flipped kernel. The
    first output is where all of the kernel lies on the padded image.

    Args:
        images: N x C x spatial, with 1, 2 or 3 spatial axes.
        weights: outputs x C/groups x kernel, not flipped.
        bias: one number an output; zeros where None.
        stride: from one window to the next.
        padding: zeros on either side.
        dilation: from one element of the window to the next.
        groups: equal shares of the channels; each output sees one share.

    Returns:
        N x outputs x spatial.

    Raises:
        ShapeError: as `convolution`.
        LayerError: where something else than numbers is given.

    >>> mathematical_convolution([[[1, 2, 3, 4]]], [[[1, 0, -1]]])
    array([[[2., 2.]]])
    """
    return convolution(
        images, flipped(weights), bias, stride=stride, padding=padding, dilation=dilation, groups=groups
    )


def mathematical_convolution_backward(
    gradient: ArrayLike,
    images: ArrayLike,
    weights: ArrayLike,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> tuple[Array, Array, Array]:
    """Bring the gradient of a loss back through a mathematician's convolution.

    That of `convolution` with the flipped kernel, its gradient by the weights flipped back.

    Args:
        gradient: of the loss by the outputs, N x outputs x spatial.
        images: what `mathematical_convolution` was given.
        weights: what it was given.
        stride: as there.
        padding: as there.
        dilation: as there.
        groups: as there.

    Returns:
        The gradients of the loss by the images, the weights and the bias.

    Raises:
        ShapeError: as `convolution_backward`.
        LayerError: where something else than numbers is given.

    >>> mathematical_convolution_backward([[[1, 10]]], [[[1, 2, 3]]], [[[4, 5]]])[1].tolist()
    [[[32.0, 21.0]]]
    """
    d_images, d_flipped, d_bias = convolution_backward(
        gradient,
        images,
        flipped(weights),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    return d_images, flipped(d_flipped), d_bias


def flipped(weights: ArrayLike) -> Array:
    """Turn a kernel around along each of its spatial axes.

    Args:
        weights: outputs x inputs x kernel.

    Returns:
        A new array of the same shape.

    >>> flipped([[[1, 2, 3]]]).tolist()
    [[[3.0, 2.0, 1.0]]]
    """
    numbers = as_numbers(weights, "weights")
    return np.flip(numbers, axis=tuple(range(2, numbers.ndim)))


def check_channels(images: Array, weights: Array, *, groups: int) -> None:
    """Refuse weights that do not fit the images: in their axes, channels or groups.

    Args:
        images: N x C x spatial.
        weights: outputs x C/groups x kernel.
        groups: equal shares of the channels.

    Raises:
        ShapeError: with the arithmetic.
    """
    if weights.ndim != images.ndim:
        raise ShapeError(
            f"weights of shape {spelled(weights.shape)} do not fit images of {images.ndim - 2} spatial axes: "
            f"outputs, inputs and as many kernel sizes make {images.ndim} axes, not {weights.ndim}"
        )
    each_axis(groups, dims=1, name="groups", least=1)
    outputs, inputs, channels = weights.shape[0], weights.shape[1], images.shape[1]
    if outputs == 0:
        raise ShapeError(f"weights of shape {spelled(weights.shape)} are 0 filters; at least 1 is needed")
    if channels != inputs * groups:
        raise ShapeError(
            f"the weights take {inputs} channels in {groups} group{'s' if groups > 1 else ''}, "
            f"{inputs}*{groups} = {inputs * groups}, and the images have {channels}"
        )
    if outputs % groups:
        raise ShapeError(
            f"{outputs} output channels cannot be shared out to {groups} groups: {outputs}/{groups} = "
            f"{outputs / groups:.2f}; {outputs - outputs % groups + groups} can"
        )


def channels_seen(output: int, weights: Array, *, groups: int) -> slice:
    """Say which channels of the images an output sees: those of its group.

    Args:
        output: channel of the output.
        weights: outputs x C/groups x kernel.
        groups: equal shares of the channels.

    Returns:
        As many neighbouring channels as the weights take.
    """
    outputs, inputs = weights.shape[:2]
    group = output // (outputs // groups)
    return slice(group * inputs, (group + 1) * inputs)
