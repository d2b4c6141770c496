"""The convolution in 1, 2 or 3 dimensions, padded by name (none, symmetric, as TensorFlow) or by numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import LayerError, unknown_name
from striate.geometry import Window, each_axis, output_size, same_padding, same_tf_padding
from striate.nn.by_dims import CONVOLVE
from striate.nn.inputs import check_dims, check_features

PADDINGS = ("same", "same-tf", "valid")
"""The paddings that have a name."""


class Conv(nn.Module):
    """Convolve images with filters (cross-correlation, as everywhere in deep learning), and add a bias.

    ``V(x, y) = b + sum_c sum_m sum_n I_c(Sx + Dm - P, Sy + Dn - P) K_c(m, n)``, where I is 0 outside of the
    image. ``weight`` (outputs x inputs/groups x kernel) and ``bias`` (outputs) are named and initialised as
    torch's; ``layer.bias = None`` makes a layer without bias, as is wanted before a norm.

    Args:
        inputs: channels of the images.
        outputs: filters.
        kernel: elements of a filter, one number or one an axis.
        dims: spatial dimensions: 1, 2 or 3.
        stride: S, from one window to the next.
        padding: P, zeros on either side: numbers, or ``valid`` (none), ``same`` (D(F - 1)/2 on both sides,
            which keeps the size at stride 1), or ``same-tf`` (TensorFlow's: as many as ceil(W/S) outputs
            need, which depends on the size; an odd one is put at the end).
        dilation: D, from one element of a filter to the next.
        groups: equal shares of the channels; each filter sees one share.

    Raises:
        LayerError: for another name of a padding, other dims, or channels that the groups do not divide.
        ShapeError: where a number is out of range, for an even kernel with ``same``, and later for images of
            other axes or channels, or smaller than the kernel.

    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016), chapters 2 and 5;
    TensorFlow's documentation of ``tf.nn``, "Notes on padding".

    >>> Conv(1, 16, kernel=5, stride=2, padding="same-tf")(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 16, 14, 14])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: int | Sequence[int],
        dims: int = 2,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = "same",
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        check_dims(dims, layer="Conv")
        _check_channels(inputs, outputs, groups)
        self.inputs, self.outputs, self.dims, self.groups = inputs, outputs, dims, groups
        self.kernel = each_axis(kernel, dims=dims, name="kernel")
        self.stride = each_axis(stride, dims=dims, name="stride")
        self.dilation = each_axis(dilation, dims=dims, name="dilation")
        self.follows_size = padding == "same-tf"
        self.padding = _padding(padding, self.kernel, self.dilation)
        self._windows = tuple(
            Window(kernel=elements, stride=step, before=padded, after=padded, dilation=apart)
            for elements, step, padded, apart in zip(
                self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, *self.kernel))
        self.bias: nn.Parameter | None = nn.Parameter(torch.empty(outputs))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew: uniform up to 1/sqrt(values that a filter sees), as torch does."""
        bound = prod(self.weight.shape[1:]) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, images: Tensor) -> Tensor:
        """Convolve N x inputs x spatial images to N x outputs x spatial."""
        name = f"Conv({self.inputs}, {self.outputs}, kernel={self.kernel})"
        check_features(images, layer=name, dims=self.dims, channels=self.inputs)
        padding = self.padding
        if self.follows_size:
            images, padding = self._pad_to_size(images)
        else:
            for length, window in zip(images.shape[2:], self._windows, strict=True):
                output_size(length, window)
        convolved: Tensor = CONVOLVE[self.dims](
            images, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )
        return convolved

    def extra_repr(self) -> str:
        """Say how the layer was made.

        Returns:
            The arguments, as they are written.
        """
        padding = "same-tf" if self.follows_size else self.padding
        said = (
            f"{self.inputs}, {self.outputs}, kernel={self.kernel}, stride={self.stride}, padding={padding!r}"
        )
        said += f", dilation={self.dilation}" if set(self.dilation) != {1} else ""
        return said if self.groups == 1 else f"{said}, groups={self.groups}"

    def _pad_to_size(self, images: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        """Pad where the sides differ, and leave to the convolution what they have in common."""
        each = [
            same_tf_padding(length, kernel=window.kernel, stride=window.stride, dilation=window.dilation)
            for length, window in zip(images.shape[2:], self._windows, strict=True)
        ]
        if all(before == after for before, after in each):
            return images, tuple(before for before, _ in each)
        return F.pad(images, [side for sides in reversed(each) for side in sides]), (0,) * self.dims


def _check_channels(inputs: int, outputs: int, groups: int) -> None:
    for name, count in (("inputs", inputs), ("outputs", outputs), ("groups", groups)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise LayerError(f"{name} of Conv is {count!r}, where a whole number of at least 1 is wanted")
    for name, count in (("inputs", inputs), ("outputs", outputs)):
        if count % groups:
            raise LayerError(
                f"{count} {name} of Conv cannot be shared by {groups} groups: {count}/{groups} = "
                f"{count / groups:.2f}; {count - count % groups or groups} {name} can"
            )


def _padding(
    padding: str | int | Sequence[int], kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[int, ...]:
    if not isinstance(padding, str):
        return each_axis(padding, dims=len(kernel), name="padding")
    if padding not in PADDINGS:
        raise LayerError(unknown_name("padding", padding, PADDINGS))
    if padding != "same":
        return (0,) * len(kernel)
    return tuple(
        same_padding(elements, dilation=apart) for elements, apart in zip(kernel, dilation, strict=True)
    )
