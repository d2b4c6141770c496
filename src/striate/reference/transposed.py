"""Transposed convolution by its definition: every input value lays a scaled kernel onto the output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from striate.core.errors import ShapeError
from striate.reference.inputs import Array, as_images, as_numbers, bias_or_zeros, each_axis, of_shape, spelled
from striate.reference.windows import Windows, lay_windows


def transposed_convolution(
    images: ArrayLike,
    weights: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    extra: int | Sequence[int] = 0,
) -> Array:
    """Lay a kernel onto the output for every value of the input, scaled by it, and add up where they overlap.

    ``V(Sx + Dm - P, Sy + Dn - P) += I(x, y) K(m, n)``, then the bias: as a linear map, the transpose of the
    convolution with the same weights, stride, padding and dilation.

    Args:
        images: N x C x spatial, with 1, 2 or 3 spatial axes.
        weights: C x outputs/groups x kernel.
        bias: one number an output; zeros where None.
        stride: S, from one kernel on the output to the next.
        padding: P, what is cut off on either side of the output.
        dilation: D, from one element of the kernel to the next.
        groups: equal shares of the channels; each output sees one share.
        extra: elements more at the end of the output (torch's ``output_padding``), fewer than the stride or
            the dilation: several sizes are convolved to one size, and this says which of them is meant.

    Returns:
        N x outputs x spatial, each axis of (W - 1)S - 2P + D(F - 1) + 1 + extra.

    Raises:
        ShapeError: where the channels do not fit the weights and groups, nothing is left of the output, or a
            number is out of range.
        LayerError: where something else than numbers is given.

    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016), chapter 4.

    >>> transposed_convolution([[[1, 2]]], [[[1, 10, 100]]], stride=2)
    array([[[  1.,  10., 102.,  20., 200.]]])
    """
    images, weights = as_images(images), as_numbers(weights, "weights")
    _check_channels(images, weights, groups)
    dims = images.ndim - 2
    windows = lay_windows(weights.shape[2:], dims=dims, stride=stride, padding=padding, dilation=dilation)
    each = weights.shape[1]
    bias = bias_or_zeros(bias, (each * groups,))
    full = np.zeros((len(images), each * groups, *_full_size(images.shape[2:], windows, extra)))
    for position in np.ndindex(*images.shape[2:]):
        window = windows.at(position)
        for channel, kernel in enumerate(weights):
            outputs = _outputs_reached(channel, weights, groups)
            for image, value in enumerate(images[:, channel, *position]):
                full[image][outputs, *window] += value * kernel
    return windows.crop(full) + bias.reshape(-1, *(1,) * dims)


def transposed_convolution_backward(
    gradient: ArrayLike,
    images: ArrayLike,
    weights: ArrayLike,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    extra: int | Sequence[int] = 0,
) -> tuple[Array, Array, Array]:
    """Bring the gradient of a loss back through a transposed convolution.

    Every value gets back the sum of products of the kernel and the gradient that lies under it, which is a
    convolution: ``dI(x, y) = sum dV(Sx + Dm - P, Sy + Dn - P) K(m, n)``, ``dK(m, n) = sum dV(Sx + Dm - P,
    Sy + Dn - P) I(x, y)`` and ``db = sum dV``.

    Args:
        gradient: of the loss by the outputs, N x outputs x spatial.
        images: what `transposed_convolution` was given.
        weights: what it was given.
        stride: as there.
        padding: as there.
        dilation: as there.
        groups: as there.
        extra: as there.

    Returns:
        The gradients of the loss by the images, the weights and the bias.

    Raises:
        ShapeError: as `transposed_convolution`, and where the gradient has another shape than the output.
        LayerError: where something else than numbers is given.

    >>> d_images, d_weights, d_bias = transposed_convolution_backward([[[1, 2, 3]]], [[[1, 10]]], [[[4, 5]]])
    >>> d_images.tolist(), d_weights.tolist(), d_bias.tolist()
    ([[[14.0, 23.0]]], [[[21.0, 32.0]]], [6.0])
    """
    images, weights = as_images(images), as_numbers(weights, "weights")
    _check_channels(images, weights, groups)
    dims = images.ndim - 2
    windows = lay_windows(weights.shape[2:], dims=dims, stride=stride, padding=padding, dilation=dilation)
    full = _full_size(images.shape[2:], windows, extra)
    size = tuple(length - 2 * cut for length, cut in zip(full, windows.padding, strict=True))
    gradient = of_shape(gradient, (len(images), weights.shape[1] * groups, *size), "gradient")
    padded = windows.pad(gradient)  # what is cut off the output has no gradient
    d_images, d_weights = np.zeros_like(images), np.zeros_like(weights)
    for position in np.ndindex(*images.shape[2:]):
        window = windows.at(position)
        for channel, kernel in enumerate(weights):
            outputs = _outputs_reached(channel, weights, groups)
            for image, value in enumerate(images[:, channel, *position]):
                errors = padded[image][outputs, *window]
                d_images[image, channel, *position] = (errors * kernel).sum()
                d_weights[channel] += errors * value
    d_bias = gradient.sum(axis=(0, *range(2, gradient.ndim)))
    return d_images, d_weights, d_bias


def _full_size(size: tuple[int, ...], windows: Windows, extra: int | Sequence[int]) -> tuple[int, ...]:
    """Size of the output before its padding is cut off: (W - 1)S + D(F - 1) + 1 + extra."""
    extras = each_axis(extra, dims=len(size), name="extra", least=0)
    full = []
    for axis, length in enumerate(size):
        stride, dilation, padding = windows.stride[axis], windows.dilation[axis], windows.padding[axis]
        if extras[axis] >= max(stride, dilation):
            raise ShapeError(
                f"extra {extras[axis]} must be less than the stride {stride} or the dilation {dilation}, "
                f"so {max(stride, dilation) - 1} at most"
            )
        before = (length - 1) * stride + windows.reach[axis] + extras[axis]
        if before <= 2 * padding:
            raise ShapeError(
                f"nothing is left of the output along spatial axis {axis}: ({length} - 1)*{stride} + "
                f"{windows.reach[axis]} + {extras[axis]} - 2*{padding} = {before - 2 * padding}; "
                f"padding {(before - 1) // 2} leaves something"
            )
        full.append(before)
    return tuple(full)


def _check_channels(images: Array, weights: Array, groups: int) -> None:
    if weights.ndim != images.ndim:
        raise ShapeError(
            f"weights of shape {spelled(weights.shape)} do not fit images of {images.ndim - 2} spatial axes: "
            f"inputs, outputs and as many kernel sizes make {images.ndim} axes, not {weights.ndim}"
        )
    each_axis(groups, dims=1, name="groups", least=1)
    inputs, channels = weights.shape[0], images.shape[1]
    if weights.shape[1] == 0:
        raise ShapeError(f"weights of shape {spelled(weights.shape)} make no output; at least 1 is needed")
    if channels != inputs:
        raise ShapeError(
            f"the weights take {inputs} channels and the images have {channels}; "
            "of a transposed convolution the weights' first axis is the images' channels"
        )
    if channels % groups:
        raise ShapeError(
            f"{channels} channels cannot be shared out to {groups} groups: "
            f"{channels}/{groups} = {channels / groups:.2f}"
        )


def _outputs_reached(channel: int, weights: Array, groups: int) -> slice:
    inputs, outputs = weights.shape[:2]
    group = channel // (inputs // groups)
    return slice(group * outputs, (group + 1) * outputs)
