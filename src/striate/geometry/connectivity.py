"""The same layer dense, locally connected and convolutional: what sharing weights saves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from striate.core.errors import ShapeError
from striate.geometry.sizes import Window, each_axis, output_size


@dataclass(frozen=True, kw_only=True)
class Connectivity:
    """One way to connect a layer with its input.

    Args:
        kind: ``dense to numbers`` (one number for each output channel), ``dense to maps``,
            ``locally connected`` or ``convolutional``.
        output: shape of what comes out, without the batch.
        weights: without biases.
        multiply_adds: for one image.
    """

    kind: str
    output: tuple[int, ...]
    weights: int
    multiply_adds: int

    def to_dict(self) -> dict[str, Any]:
        """Give the figures as JSON can hold them.

        Returns:
            The fields by name.
        """
        return {**asdict(self), "output": list(self.output)}


def compare_connectivity(
    size: Sequence[int],
    *,
    kernel: int | Sequence[int],
    inputs: int = 1,
    outputs: int = 1,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
) -> tuple[Connectivity, ...]:
    """Compare what the same layer costs dense, locally connected and convolutional.

    With n input and m output values, windows of k elements on c channels, and f filters at p places:
    dense nf to f numbers, or nm to as many maps; locally connected kcfp weights; convolutional kcf. Each
    weight is used once for an image, and a shared one p times.

    Args:
        size: of the input along its spatial axes.
        kernel: of the window, one or one an axis.
        inputs: channels of the input, at least 1.
        outputs: filters, and so channels of the output, at least 1.
        stride: from one window to the next, one or one an axis.
        padding: elements on both sides, one or one an axis.

    Returns:
        Four ways: dense to one number for each filter, dense to maps, locally connected, convolutional.

    Raises:
        ShapeError: where the window does not fit, or there is no channel.

    >>> [way.weights for way in compare_connectivity((200, 200), kernel=3, outputs=100)]
    [4000000, 156816000000, 35283600, 900]
    """
    if inputs < 1 or outputs < 1:
        raise ShapeError(
            f"a layer of {inputs} input and {outputs} output channels cannot be; each is at least 1"
        )
    dims = len(size)
    kernels = each_axis(kernel, dims=dims, name="kernel")
    windows = [
        Window(kernel=reach, stride=step, before=border, after=border)
        for reach, step, border in zip(
            kernels,
            each_axis(stride, dims=dims, name="stride"),
            each_axis(padding, dims=dims, name="padding"),
            strict=True,
        )
    ]
    places = tuple(output_size(side, window) for side, window in zip(size, windows, strict=True))
    values, count, patch = inputs * math.prod(size), math.prod(places), inputs * math.prod(kernels)
    maps = (outputs, *places)
    ways = (
        ("dense to numbers", (outputs,), values * outputs, values * outputs),
        ("dense to maps", maps, values * outputs * count, values * outputs * count),
        ("locally connected", maps, patch * outputs * count, patch * outputs * count),
        ("convolutional", maps, patch * outputs, patch * outputs * count),
    )
    return tuple(
        Connectivity(kind=kind, output=output, weights=weights, multiply_adds=products)
        for kind, output, weights, products in ways
    )
