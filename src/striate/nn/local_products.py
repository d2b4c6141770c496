"""Products of the windows of images with weights of their own, as batched matrix products, and gradients.

A line of positions after the other, the windows are copied side by side and multiplied with the weights of
their positions, a matrix each; what is copied stays in the processor's cache. The product is bilinear, so
that its gradients by the images and by the weights are products of the same kind: the three operators are
each other's derivatives, as often as is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor

from striate.nn.planes import empty_as, even_parts

SIDE_BY_SIDE = 1 << 20
"""Values that are copied side by side at once on a CPU: a share of its cache."""

SIDE_BY_SIDE_ELSEWHERE = 1 << 27
"""The same on other devices, which want much to do at once."""


@torch.library.custom_op("striate::local_products", mutates_args=())
def local_products(images: Tensor, weight: Tensor, stride: list[int], padding: list[int]) -> Tensor:
    """Multiply every window with the weights of its position.

    Args:
        images: N x C x spatial.
        weight: positions x kernel x C x outputs.
        stride: from one window to the next, one number an axis.
        padding: zeros on either side, one number an axis.

    Returns:
        N x outputs x positions.
    """
    lines = _Lines(images, weight.shape, stride)
    windows = lines.windows(_inward(images, padding))
    out = empty_as(images, lines.positions, channels=lines.outputs)
    for at, count in lines:
        values = lines.side_by_side(windows[:, *at], count)
        products = torch.bmm(values, lines.matrices(weight, at, count), out=lines.products[:count])
        out[:, :, *at].copy_(products.permute(1, 2, 0))
    return out


@torch.library.custom_op("striate::local_products_by_images", mutates_args=())
def by_images(
    gradient: Tensor, weight: Tensor, size: list[int], stride: list[int], padding: list[int]
) -> Tensor:
    """Bring a gradient back through `local_products` to the images.

    Args:
        gradient: of the loss by the output, N x outputs x positions.
        weight: as in `local_products`.
        size: of the images.
        stride: as in `local_products`.
        padding: as there.

    Returns:
        The gradient by the images, N x C x size.
    """
    lines = _Lines(gradient, weight.shape, stride)
    padded = [length + 2 * zeros for length, zeros in zip(size, padding, strict=True)]
    exact = torch.promote_types(gradient.dtype, torch.float32)
    sums = gradient.new_zeros((len(gradient), *padded, lines.inputs), dtype=exact)
    windows = lines.windows(sums)
    for at, count in lines:
        errors = lines.errors(gradient, at, count)
        matrices = lines.matrices(weight, at, count).transpose(1, 2)
        values = torch.bmm(errors, matrices, out=lines.values[:count])
        each = values.view(count, len(gradient), *lines.kernel, lines.inputs).transpose(0, 1)
        # Along the line windows overlap: one element of theirs at a time falls on values that are all apart.
        for element in range(lines.kernel[-1]):
            windows[:, *at].select(-2, element).add_(each.select(-2, element))
    inside = (slice(zeros, zeros + length) for length, zeros in zip(size, padding, strict=True))
    return empty_as(gradient, size, channels=lines.inputs).copy_(sums[:, *inside].movedim(-1, 1))


@torch.library.custom_op("striate::local_products_by_weight", mutates_args=())
def by_weight(
    gradient: Tensor, images: Tensor, shape: list[int], stride: list[int], padding: list[int]
) -> Tensor:
    """Bring a gradient back through `local_products` to the weights.

    Args:
        gradient: of the loss by the output, N x outputs x positions.
        images: as in `local_products`.
        shape: of the weights.
        stride: as in `local_products`.
        padding: as there.

    Returns:
        The gradient by the weights, of that shape.
    """
    lines = _Lines(images, shape, stride)
    windows = lines.windows(_inward(images, padding))
    out = gradient.new_empty(shape)
    for at, count in lines:
        values = lines.side_by_side(windows[:, *at], count)
        errors = lines.errors(gradient, at, count)
        torch.bmm(values.transpose(1, 2), errors, out=lines.matrices(out, at, count))
    return out


@local_products.register_fake
def _(images: Tensor, weight: Tensor, stride: list[int], padding: list[int]) -> Tensor:  # noqa: ARG001
    return empty_as(images, weight.shape[: len(stride)], channels=weight.shape[-1])


@by_images.register_fake
def _(
    gradient: Tensor,
    weight: Tensor,
    size: list[int],
    stride: list[int],  # noqa: ARG001
    padding: list[int],  # noqa: ARG001
) -> Tensor:
    return empty_as(gradient, size, channels=weight.shape[-2])


@by_weight.register_fake
def _(
    gradient: Tensor,
    images: Tensor,  # noqa: ARG001
    shape: list[int],
    stride: list[int],  # noqa: ARG001
    padding: list[int],  # noqa: ARG001
) -> Tensor:
    return gradient.new_empty(shape)


class _Lines:
    """The positions a line at a time, with room for what is copied and multiplied."""

    def __init__(self, images: Tensor, shape: Sequence[int], stride: Sequence[int]) -> None:
        dims = len(stride)
        self._stride = tuple(stride)
        self._count = len(images)
        self.positions, self.kernel = tuple(shape[:dims]), tuple(shape[dims:-2])
        self.inputs, self.outputs = shape[-2:]
        window = prod(self.kernel) * self.inputs
        room = SIDE_BY_SIDE if images.device.type == "cpu" else SIDE_BY_SIDE_ELSEWHERE
        self._most = min(self.positions[-1], max(1, room // max(1, self._count * window)))
        self.values = images.new_empty((self._most, self._count, window))
        self.products = images.new_empty((self._most, self._count, self.outputs))

    def __iter__(self) -> Iterator[tuple[tuple[int | slice, ...], int]]:
        for line in product(*map(range, self.positions[:-1])):
            for part in even_parts(self.positions[-1], self._most):
                yield (*line, part), part.stop - part.start

    def windows(self, images: Tensor) -> Tensor:
        """View all windows of N x spatial x C images: N x positions x kernel x C."""
        first, *along, last = images.stride()
        apart = [step * stride for step, stride in zip(along, self._stride, strict=True)]
        shape = (self._count, *self.positions, *self.kernel, self.inputs)
        return images.as_strided(shape, (first, *apart, *along, last))

    def side_by_side(self, windows: Tensor, count: int) -> Tensor:
        """Copy the windows of a line, N x count x kernel x C, side by side: count x N x kernel C."""
        values = self.values[:count]
        values.view(count, self._count, *self.kernel, self.inputs).copy_(windows.transpose(0, 1))
        return values

    def errors(self, gradient: Tensor, at: Sequence[int | slice], count: int) -> Tensor:
        """Copy the gradient of a line by its outputs: count x N x outputs."""
        return self.products[:count].copy_(gradient[:, :, *at].permute(2, 0, 1))

    def matrices(self, weight: Tensor, at: Sequence[int | slice], count: int) -> Tensor:
        """View the weights of a line: count x kernel C x outputs."""
        return weight[*at].reshape(count, -1, self.outputs)


def _inward(images: Tensor, padding: Sequence[int]) -> Tensor:
    """Lay images out with their channels innermost and zeros around them: N x spatial x C, contiguous."""
    inward = images.movedim(1, -1)
    if not any(padding):
        return inward.contiguous()
    padded = [length + 2 * zeros for length, zeros in zip(images.shape[2:], padding, strict=True)]
    room = images.new_zeros((len(images), *padded, images.shape[1]))
    inside = (slice(zeros, zeros + length) for length, zeros in zip(images.shape[2:], padding, strict=True))
    room[:, *inside].copy_(inward)
    return room


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    first, second, *ctx.numbers = inputs
    ctx.save_for_backward(first, second)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    images, weight = ctx.saved_tensors
    d_images = d_weight = None
    if ctx.needs_input_grad[0]:
        d_images = torch.ops.striate.local_products_by_images(
            gradient, weight, images.shape[2:], *ctx.numbers
        )
    if ctx.needs_input_grad[1]:
        d_weight = torch.ops.striate.local_products_by_weight(gradient, images, weight.shape, *ctx.numbers)
    return d_images, d_weight, None, None


def _backward_by_images(ctx: Any, d_images: Tensor) -> tuple[Tensor | None, ...]:
    gradient, weight = ctx.saved_tensors
    numbers = ctx.numbers[1:]
    d_gradient = torch.ops.striate.local_products(d_images, weight, *numbers)
    d_weight = torch.ops.striate.local_products_by_weight(gradient, d_images, weight.shape, *numbers)
    return d_gradient, d_weight, None, None, None


def _backward_by_weight(ctx: Any, d_weight: Tensor) -> tuple[Tensor | None, ...]:
    gradient, images = ctx.saved_tensors
    numbers = ctx.numbers[1:]
    d_gradient = torch.ops.striate.local_products(images, d_weight, *numbers)
    d_images = torch.ops.striate.local_products_by_images(gradient, d_weight, images.shape[2:], *numbers)
    return d_gradient, d_images, None, None, None


local_products.register_autograd(_backward, setup_context=_keep)
by_images.register_autograd(_backward_by_images, setup_context=_keep)
by_weight.register_autograd(_backward_by_weight, setup_context=_keep)
