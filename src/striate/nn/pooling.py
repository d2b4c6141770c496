"""Pooling by maximum, minimum, average and Euclidean norm, over windows or whole images.

Padding is never counted: a window at the border takes the real elements that it holds, also where ``ceil``
lets it reach beyond the padding.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import striate.nn.selection  # noqa: F401 - the minimum is an operator of it
from striate.nn.inputs import check_dims, check_features
from striate.nn.negated_maximum import smallest_by_maximum
from striate.nn.planes import is_channels_last
from striate.nn.slicing import elements_held
from striate.nn.windowed_pooling import Pooling, UndilatedPooling
from striate.nn.windows import as_numbers

_MAX: dict[int, Callable[..., Tensor]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d}


class MaxPool(Pooling):
    """Take the largest value of each window.

    ``V(x, y) = max over m, n of I(Sx + Dm - P, Sy + Dn - P)``. Of equal values the first gets the gradient.

    Args:
        window: elements that each takes, one number or one an axis.
        dims: spatial dimensions: 1, 2 or 3.
        stride: S, from one window to the next; the window's size where None.
        padding: P, elements on either side, at most half of the window; none of it is ever taken.
        dilation: D, from one element of a window to the next.
        ceil: whether a last window may reach beyond the padding; it takes what is there.

    Raises:
        LayerError: for other dims.
        ShapeError: where a number is out of range, and later where a window is larger than the padded input.

    >>> MaxPool(2, dims=1)(torch.tensor([[[1.0, 5.0, 2.0, 0.0]]]))
    tensor([[[5., 2.]]])
    """

    def forward(self, images: Tensor) -> Tensor:
        """Pool N x C x spatial images."""
        self.outputs_of(images)
        return _largest(images, self)


class MinPool(Pooling):
    """Take the smallest value of each window.

    ``V(x, y) = min over m, n of I(Sx + Dm - P, Sy + Dn - P)``. Of equal values the first gets the gradient.
    A window that holds NaN gives NaN; where its gradient goes is not defined.

    Args:
        window: elements that each takes, one number or one an axis.
        dims: spatial dimensions: 1, 2 or 3.
        stride: S, from one window to the next; the window's size where None.
        padding: P, elements on either side, at most half of the window; none of it is ever taken.
        dilation: D, from one element of a window to the next.
        ceil: whether a last window may reach beyond the padding; it takes what is there.

    Raises:
        LayerError: for other dims.
        ShapeError: where a number is out of range, and later where a window is larger than the padded input.

    >>> MinPool(2, dims=1)(torch.tensor([[[1.0, 5.0, 2.0, 0.0]]]))
    tensor([[[1., 0.]]])
    """

    def forward(self, images: Tensor) -> Tensor:
        """Pool N x C x spatial images."""
        outputs = self.outputs_of(images)
        # Elsewhere a kernel of torch's is faster than many small operations, and compilers negate on the way.
        if images.device.type != "cpu" or torch.compiler.is_compiling():
            return -_largest(-images, self)
        # (For volumes torch's takes a wrong place where a window holds nothing but infinity.)
        with_gradient = images.requires_grad and torch.is_grad_enabled()
        if with_gradient and self.dims < 3 and is_channels_last(images):
            return smallest_by_maximum(images, self.numbers, self.ceil, outputs)
        windows = as_numbers(self.windows)
        pooled: Tensor = torch.ops.striate.smallest(images, windows, outputs, with_gradient)[0]
        return pooled


class AveragePool(UndilatedPooling):
    """Take the mean of each window: its sum divided by the number of real elements in it.

    Args:
        window: elements that each takes, one number or one an axis.
        dims: spatial dimensions: 1, 2 or 3.
        stride: from one window to the next; the window's size where None.
        padding: elements on either side, at most half of the window; they are not counted, as with torch's
            ``count_include_pad=False``.
        ceil: whether a last window may reach beyond the padding; it takes what is there.

    Raises:
        LayerError: for other dims.
        ShapeError: where a number is out of range, and later where a window is larger than the padded input.

    >>> AveragePool(2, dims=1, padding=1)(torch.tensor([[[1.0, 5.0, 2.0, 0.0]]]))
    tensor([[[1.0000, 3.5000, 0.0000]]])
    """

    def forward(self, images: Tensor) -> Tensor:
        """Pool N x C x spatial images."""
        self.outputs_of(images)
        return _means(images, self)


class L2Pool(UndilatedPooling):
    """Take the Euclidean norm of each window: ``sqrt(sum of x^2)``.

    The gradient to each element is ``x / norm``, and 0 where all elements are 0. Torch's ``LPPool`` has no
    padding.

    Args:
        window: elements that each takes, one number or one an axis.
        dims: spatial dimensions: 1, 2 or 3.
        stride: from one window to the next; the window's size where None.
        padding: elements on either side, at most half of the window; they are not counted.
        ceil: whether a last window may reach beyond the padding; it takes what is there.

    Raises:
        LayerError: for other dims.
        ShapeError: where a number is out of range, and later where a window is larger than the padded input.

    Source: Sermanet, Chintala and LeCun, Convolutional neural networks applied to house numbers digit
    classification (2012), section 2.2, for p = 2 and without the Gaussian weights.

    >>> L2Pool(2, dims=1)(torch.tensor([[[3.0, 4.0, 0.0, 0.0]]]))
    tensor([[[5., 0.]]])
    """

    def forward(self, images: Tensor) -> Tensor:
        """Pool N x C x spatial images."""
        outputs = self.outputs_of(images)
        whole = not (self.ceil or any(self.padding))
        counts = prod(self.window) if whole else elements_held(images, self.windows, outputs)
        sums = _means(images * images, self) * counts
        # The root has no derivative at 0: there it is taken of something else, and not used.
        nothing = sums == 0
        return sums.masked_fill(nothing, 1).sqrt().masked_fill(nothing, 0)


class GlobalMaxPool(nn.Module):
    """Take the largest value of each channel; the gradient goes to the first of equal values.

    Args:
        dims: spatial dimensions: 1, 2 or 3.

    Raises:
        LayerError: for other dims.

    >>> GlobalMaxPool(dims=1)(torch.tensor([[[1.0, 5.0, 2.0]]]))
    tensor([[5.]])
    """

    def __init__(self, dims: int = 2) -> None:
        super().__init__()
        check_dims(dims, layer="GlobalMaxPool")
        self.dims = dims

    def forward(self, images: Tensor) -> Tensor:
        """Pool N x C x spatial images to N x C."""
        check_features(images, layer="GlobalMaxPool", dims=self.dims)
        return images.flatten(2).max(dim=2).values

    def extra_repr(self) -> str:
        """Say how the layer was made.

        Returns:
            The dimensions, as they are written.
        """
        return f"dims={self.dims}"


class GlobalAveragePool(nn.Module):
    """Take the mean of each channel.

    Args:
        dims: spatial dimensions: 1, 2 or 3.

    Raises:
        LayerError: for other dims.

    >>> GlobalAveragePool(dims=1)(torch.tensor([[[1.0, 5.0, 3.0]]]))
    tensor([[3.]])
    """

    def __init__(self, dims: int = 2) -> None:
        super().__init__()
        check_dims(dims, layer="GlobalAveragePool")
        self.dims = dims

    def forward(self, images: Tensor) -> Tensor:
        """Pool N x C x spatial images to N x C."""
        check_features(images, layer="GlobalAveragePool", dims=self.dims)
        return images.mean(dim=tuple(range(2, images.ndim)))

    def extra_repr(self) -> str:
        """Say how the layer was made.

        Returns:
            The dimensions, as they are written.
        """
        return f"dims={self.dims}"


def _largest(images: Tensor, pooling: Pooling) -> Tensor:
    largest: Tensor = _MAX[pooling.dims](images, *pooling.numbers, ceil_mode=pooling.ceil)
    return largest


def _means(images: Tensor, pooling: UndilatedPooling) -> Tensor:
    numbers = pooling.window, pooling.stride, pooling.padding
    if pooling.dims < 3:
        return _average(images, numbers, ceil=pooling.ceil)
    # Torch's function for volumes takes neither bfloat16 nor windows that fit only over padding. The mean of
    # a window is the mean, along its first axis, of the means along the others.
    count, channels, depth = images.shape[:3]
    across = tuple(each[1:] for each in numbers)
    along = tuple((each[0], other) for each, other in zip(numbers, (1, 1, 0), strict=True))
    planes = _average(images.flatten(1, 2), across, ceil=pooling.ceil)
    means = _average(planes.reshape(count, channels, depth, -1), along, ceil=pooling.ceil)
    return means.reshape(count, channels, -1, *planes.shape[2:])


def _average(images: Tensor, numbers: tuple[tuple[int, ...], ...], *, ceil: bool) -> Tensor:
    average: Tensor = _AVERAGE[images.ndim - 2](images, *numbers, ceil, count_include_pad=False)
    return average
