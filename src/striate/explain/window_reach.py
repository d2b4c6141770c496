"""Which outputs of convolutions and poolings a change of their input reaches, and what these look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Span: TypeAlias = tuple[int, int]
"""Where a part begins along an axis, and where it ends."""

Box: TypeAlias = tuple[Span, Span]
"""Rows and columns."""


@dataclass(frozen=True)
class Window:
    """A function that looks at windows of its input, by rows and columns.

    Args:
        function: is given maps, and by how much they are padded.
        kernel: sides of a window.
        stride: from window to window.
        padding: beyond each border.
        dilation: between the places that a window looks at.
        fill: the value beyond borders.
    """

    function: Callable[[Tensor, tuple[int, int]], Tensor]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    fill: float = 0.0

    def on_whole(self, values: Tensor) -> Tensor:
        """Compute whole maps."""
        return self.function(values, self.padding)

    def on_part(self, values: Tensor) -> Tensor:
        """Compute a part, which holds all that its windows look at."""
        return self.function(values, (0, 0))

    def reached(self, box: Box, sides: Sequence[int]) -> Box:
        """Give the outputs whose windows look into a box, at least one of them."""

        def span(axis: int) -> Span:
            begin, end = (each + self.padding[axis] for each in box[axis])
            reach = self.dilation[axis] * (self.kernel[axis] - 1)
            first = max(0, -((reach - begin) // self.stride[axis]))
            last = min(sides[axis], (end - 1) // self.stride[axis] + 1)
            first = min(first, sides[axis] - 1)
            return first, max(last, first + 1)

        return span(0), span(1)

    def needed(self, box: Box) -> Box:
        """Give the inputs that the windows of outputs look at."""

        def span(axis: int) -> Span:
            begin, end = (each * self.stride[axis] - self.padding[axis] for each in box[axis])
            reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
            return begin, end - self.stride[axis] + reach

        return span(0), span(1)


def _convolution(
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Window | None:
    if isinstance(padding, str):
        return None
    steps, apart = _pair(stride), _pair(dilation)

    def convolve(values: Tensor, padding: tuple[int, int]) -> Tensor:
        return F.conv2d(values, weight, bias, steps, padding, apart, groups)

    return Window(convolve, (weight.shape[2], weight.shape[3]), steps, _pair(padding), apart)


def _max_pooling(
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Window | None:
    if ceil_mode or return_indices:
        return None
    kernel, apart = _pair(kernel_size), _pair(dilation)
    steps = _pair(stride) if stride else kernel

    def pool(values: Tensor, padding: tuple[int, int]) -> Tensor:
        return F.max_pool2d(values, kernel, steps, padding, apart)

    return Window(pool, kernel, steps, _pair(padding), apart, fill=-torch.inf)


def _mean_pooling(
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Window | None:
    if ceil_mode or divisor_override or (any(_pair(padding)) and not count_include_pad):
        return None
    kernel = _pair(kernel_size)
    steps = _pair(stride) if stride else kernel
    return Window(
        lambda values, padding: F.avg_pool2d(values, kernel, steps, padding),
        kernel,
        steps,
        _pair(padding),
        (1, 1),
    )


WINDOWS: dict[str, Callable[..., Window | None]] = {
    "conv2d": _convolution,
    "max_pool2d": _max_pooling,
    "avg_pool2d": _mean_pooling,
}


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, *others = value
    return first, others[0] if others else first
