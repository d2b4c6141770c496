"""Write one output of a convolution out as the sum that it is: patch times kernel, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import LayerError, ShapeError
from striate.reference.convolutions import channels_seen, check_channels
from striate.reference.inputs import Array, as_images, as_numbers, bias_or_zeros, spelled
from striate.reference.windows import lay_windows


@dataclass(frozen=True, kw_only=True, eq=False)
class ExplainedSum:
    """One output of a convolution, as the sum that gives it.

    Args:
        position: of the output, one number an axis.
        channel: of the output.
        inputs: the channels of the image that this output sees; the first axis of the arrays below.
        patch: what the window takes, channels x kernel, with 0 where it lies in the padding.
        border: where it lies in the padding, of the kernel's shape.
        kernel: the weights, channels x kernel.
        products: patch times kernel.
        sums: of the products of each channel.
        bias: what is added to the sums.
        total: the output.
    """

    position: tuple[int, ...]
    channel: int
    inputs: tuple[int, ...]
    patch: Array
    border: NDArray[np.bool_]
    kernel: Array
    products: Array
    sums: Array
    bias: float
    total: float

    def text(self) -> str:
        """Write the sum out as a teacher would, each row of the window on a line of its own.

        Returns:
            Several lines, without a line break after the last.
        """
        lines = [f"output {self.channel} at {_in_brackets(self.position)}"]
        if self.border.any():
            count = int(self.border.sum())
            lie = "lies" if count == 1 else "lie"
            lines.append(f"{count} of the window's {self.border.size} places {lie} in the zero border")
        for place, channel in enumerate(self.inputs):
            lines += ["", f"channel {channel}, value * weight:"]
            rows = zip(_rows(self.patch[place]), _rows(self.kernel[place]), strict=True)
            for number, (values, weights) in enumerate(rows):
                terms = (f"{_plain(v)}*{_term(w)}" for v, w in zip(values, weights, strict=True))
                lines.append(f"{'+ ' if number else '  '}{' + '.join(terms)}")
            lines.append(f"= {_plain(self.sums[place])}")
        summands = [_plain(self.sums[0]), *(_term(each) for each in self.sums[1:]), _term(self.bias)]
        summed = "the channel and the bias" if len(self.inputs) == 1 else "all channels and the bias"
        return "\n".join([*lines, "", f"{summed}:", f"  {' + '.join(summands)}", f"= {_plain(self.total)}"])


def explain_sum(
    images: ArrayLike,
    weights: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    position: Sequence[int],
    channel: int = 0,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> ExplainedSum:
    """Show how one output of `convolution` comes about.

    ``V(x, y) = sum_c sum_m sum_n I_c(Sx + Dm - P, Sy + Dn - P) K_c(m, n) + b``, term by term. How many groups
    there are follows from the shapes: the images' channels divided by those that the weights take.

    Args:
        images: N x C x spatial, the first of which is explained.
        weights: outputs x C/groups x kernel.
        bias: one number an output; zeros where None.
        position: of the output, one number from 0 an axis.
        channel: of the output, from 0.
        stride: S, from one window to the next.
        padding: P, zeros on either side.
        dilation: D, from one element of the window to the next.

    Returns:
        The patch, the kernel, their products, the sums and the total, which ``text()`` writes out.

    Raises:
        ShapeError: as `convolution`.
        LayerError: where there is no such output, or something else than numbers is given.

    >>> print(explain_sum([[[1, 2, 3]]], [[[5, -1]]], [4], position=[1]).text())
    output 0 at (1)
    <BLANKLINE>
    channel 0, value * weight:
      2*5 + 3*(-1)
    = 7
    <BLANKLINE>
    the channel and the bias:
      7 + 4
    = 11
    """
    images, weights = as_images(images), as_numbers(weights, "weights")
    groups = max(1, images.shape[1] // weights.shape[1]) if weights.ndim > 1 and weights.shape[1] else 1
    check_channels(images, weights, groups=groups)
    bias = bias_or_zeros(bias, (len(weights),))
    dims = images.ndim - 2
    windows = lay_windows(weights.shape[2:], dims=dims, stride=stride, padding=padding, dilation=dilation)
    size = windows.along(images.shape[2:])
    position = tuple(position)
    _check_output(channel, position, (len(weights), *size))
    seen = channels_seen(channel, weights, groups=groups)
    window = windows.at(position)
    patch = windows.pad(images)[0][seen, *window]
    inside = windows.pad(np.ones((1, 1, *images.shape[2:])))[0, 0][window]
    products = patch * weights[channel]
    sums = products.reshape(len(products), -1).sum(axis=1)
    return ExplainedSum(
        position=position,
        channel=channel,
        inputs=tuple(range(seen.start, seen.stop)),
        patch=patch,
        border=inside == 0,
        kernel=weights[channel],
        products=products,
        sums=sums,
        bias=float(bias[channel]),
        total=float(sums.sum() + bias[channel]),
    )


def _check_output(channel: int, position: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if len(position) != len(shape) - 1:
        raise ShapeError(f"position {position} has {len(position)} numbers for {len(shape) - 1} axes")
    for number, length in zip((channel, *position), shape, strict=True):
        if number not in range(length):
            raise LayerError(
                f"there is no output of channel {channel} at {_in_brackets(position)}: "
                f"channels x size of the output is {spelled(shape)}, counted from 0"
            )


def _rows(values: Array) -> Array:
    return values.reshape(-1, values.shape[-1])


def _plain(number: float) -> str:
    return f"{number + 0.0:g}"  # no minus before a 0


def _term(number: float) -> str:
    plain = _plain(number)
    return f"({plain})" if plain.startswith("-") else plain


def _in_brackets(position: tuple[int, ...]) -> str:
    return f"({', '.join(str(place) for place in position)})"
