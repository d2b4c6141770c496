"""The smallest element of every window as -max(-x), without keeping -x for the gradient.

Torch's maximum is hard to beat where channels lie innermost in memory. Negating a few images at a time, in
the processor's cache, was tried and is no faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from striate.nn.planes import empty_as

Numbers = tuple[Sequence[int], ...]
"""Window, stride, padding and dilation, as torch's functions take them."""

_MAXIMUM = torch.ops.aten.max_pool2d_with_indices
_ROUTE = torch.ops.aten.max_pool2d_with_indices_backward


class NegatedMaximum(torch.autograd.Function):
    """Compute -max(-x) over windows; the gradient goes where that of torch's maximum goes."""

    @staticmethod
    def forward(images: Tensor, numbers: Numbers, ceil: bool, size: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Give the smallest elements, N x C x size, and where they lie, for the gradient.

        Args:
            images: N x C x height x width.
            numbers: of the windows.
            ceil: whether a last window may reach beyond the padding.
            size: how many windows there are along each axis.

        Returns:
            The elements, and their places in torch's counting.
        """
        smallest, places = empty_as(images, size), empty_as(images, size, dtype=torch.int64)
        _MAXIMUM.out(torch.neg(images), *numbers, ceil, out=smallest, indices=places)
        smallest.neg_()
        return smallest, places

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Keep what the gradient needs."""
        images, ctx.numbers, ctx.ceil, _ = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)  # the places would get one, too
        ctx.save_for_backward(images, output[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Bring the gradient to the smallest elements: negating twice leaves it as it is."""
        if gradients[0] is None:
            return None, None, None, None
        images, places = ctx.saved_tensors
        routed = _ROUTE(gradients[0], images, *ctx.numbers, ctx.ceil, places)
        return routed, None, None, None


_APPLY: Callable[..., tuple[Tensor, Tensor]] = NegatedMaximum.apply


def smallest_by_maximum(images: Tensor, numbers: Numbers, ceil: bool, size: Sequence[int]) -> Tensor:
    """Give the smallest element of each window of signals or images.

    Args:
        images: N x C x length, or N x C x height x width.
        numbers: of the windows.
        ceil: whether a last window may reach beyond the padding.
        size: how many windows there are along each axis.

    Returns:
        N x C x size.
    """
    if images.ndim == 3:
        # Torch has the maximum with places in two dimensions: a signal is an image of one line.
        lines = tuple((other, *number) for other, number in zip((1, 1, 0, 1), numbers, strict=True))
        return smallest_by_maximum(images.unsqueeze(2), lines, ceil, (1, *size)).squeeze(2)
    return _APPLY(images, numbers, ceil, size)[0]
