"""Where the windows of a layer lie: how many there are along each axis, and what each of them takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from striate.core.errors import ShapeError
from striate.reference.inputs import Array, each_axis


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The windows that a layer lays over its input, with one number an axis for each property.

    Args:
        kernel: elements that a window takes.
        stride: from one window to the next.
        padding: elements of padding on either side.
        dilation: from one element of a window to the next.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """Elements from the first to the last of a window, gaps included: D(F - 1) + 1."""
        return tuple(
            dilation * (kernel - 1) + 1 for kernel, dilation in zip(self.kernel, self.dilation, strict=True)
        )

    def along(self, size: tuple[int, ...], *, ceil: bool = False) -> tuple[int, ...]:
        """Count the windows along each axis: floor((W + 2P - D(F - 1) - 1)/S) + 1.

        Args:
            size: of the input, without its padding.
            ceil: round up instead, unless the last window would begin beyond the input.

        Returns:
            The spatial size of the output.

        Raises:
            ShapeError: where not even one window fits.
        """
        counts = []
        for axis, length in enumerate(size):
            padding, stride = self.padding[axis], self.stride[axis]
            room = length + 2 * padding - self.reach[axis]
            if room < 0:
                raise ShapeError(self._too_large(axis, length))
            steps = -(-room // stride) if ceil else room // stride
            if ceil and steps * stride - padding >= length:
                steps -= 1
            counts.append(steps + 1)
        return tuple(counts)

    def at(self, position: tuple[int, ...]) -> tuple[slice, ...]:
        """Say which part of the padded input the window at a position takes.

        Args:
            position: of the window, counted from 0 along each axis.

        Returns:
            One slice an axis.
        """
        parts = zip(position, self.stride, self.reach, self.dilation, strict=True)
        return tuple(
            slice(place * stride, place * stride + reach, dilation)
            for place, stride, reach, dilation in parts
        )

    def inside(self, position: tuple[int, ...], size: tuple[int, ...]) -> tuple[list[int], ...]:
        """Say which elements of the input, padding left out, the window at a position takes.

        Args:
            position: of the window, counted from 0 along each axis.
            size: of the input, without its padding.

        Returns:
            The coordinates along each axis; with them ``numpy.ix_`` picks the elements.
        """
        coordinates = []
        for part, padding, length in zip(self.at(position), self.padding, size, strict=True):
            taken = range(part.start - padding, part.stop - padding, part.step)
            coordinates.append([place for place in taken if 0 <= place < length])
        return tuple(coordinates)

    def pad(self, images: Array) -> Array:
        """Put zeros around images.

        Args:
            images: N x C x spatial.

        Returns:
            A new array, larger by the padding on either side of each spatial axis.
        """
        return np.pad(images, [(0, 0), (0, 0), *((each, each) for each in self.padding)])

    def crop(self, padded: Array) -> Array:
        """Take away what `pad` put around.

        Args:
            padded: N x C x spatial, with its padding.

        Returns:
            The part inside of the padding.
        """
        inner = zip(self.padding, padded.shape[2:], strict=True)
        return padded[:, :, *(slice(padding, length - padding) for padding, length in inner)]

    def _too_large(self, axis: int, length: int) -> str:
        kernel, padding, dilation = self.kernel[axis], self.padding[axis], self.dilation[axis]
        reach = self.reach[axis]
        dilated = f" dilated by {dilation} reaches over {reach} and" if dilation > 1 else ""
        return (
            f"a kernel of {kernel}{dilated} is larger than its input of {length} along spatial axis {axis}: "
            f"{length} + 2*{padding} - {reach} = {length + 2 * padding - reach} is less than 0; "
            f"an input of {reach - 2 * padding} or padding {-(-(reach - length) // 2)} fits"
        )


def lay_windows(
    kernel: int | Sequence[int],
    *,
    dims: int,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> Windows:
    """Make windows from numbers that hold for all axes or are given for each.

    Args:
        kernel: elements that a window takes, at least 1.
        dims: the axes: 1, 2 or 3.
        stride: from one window to the next, at least 1.
        padding: elements of padding on either side, at least 0.
        dilation: from one element of a window to the next, at least 1.

    Returns:
        The windows.

    Raises:
        ShapeError: where a number is out of range or there is not one an axis.

    >>> lay_windows(3, dims=2, stride=2, padding=(0, 1)).along((7, 7))
    (3, 4)
    """
    return Windows(
        kernel=each_axis(kernel, dims=dims, name="kernel", least=1),
        stride=each_axis(stride, dims=dims, name="stride", least=1),
        padding=each_axis(padding, dims=dims, name="padding", least=0),
        dilation=each_axis(dilation, dims=dims, name="dilation", least=1),
    )
