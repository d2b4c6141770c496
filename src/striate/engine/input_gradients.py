"""Strided convolutions of few channels whose gradient by their input is computed as a plain convolution."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

FEW_CHANNELS = 4
"""Up to so many input channels pay: a first layer has 1, 3 or 4, and a CPU fills its vectors with them where
it computes the transposed convolution."""


def fast_input_gradients(network: object) -> AbstractContextManager[object]:
    """Compute gradients of a network by its images sooner inside a block, where that is known how.

    Args:
        network: as it is called; of what is no plain module nothing is known.

    Returns:
        A context manager.

    >>> type(fast_input_gradients(torch.nn.Linear(2, 2))).__name__
    'nullcontext'
    """
    if not isinstance(network, nn.Module) or isinstance(network, torch.jit.ScriptModule):
        return nullcontext()
    layers = (each for each in network.modules() if isinstance(each, nn.Conv2d))
    pays = any(each.in_channels <= FEW_CHANNELS and each.stride[0] > 1 for each in layers)
    return FastInputGradients() if pays else nullcontext()


class FastInputGradients(TorchFunctionMode):
    """Compute gradients by images sooner inside a block, where weights need none.

    A convolution with a stride ``s`` of a kernel ``k x k`` has as its gradient by the input a convolution
    with a stride of 1 of a kernel ``ceil(k/s) x ceil(k/s)``, which gives the ``s x s`` neighbours of the
    input as so many channels: no zero is multiplied, and vectors are filled with as many times the channels.
    The sums are the same but for their order.

    >>> layer = torch.nn.Conv2d(1, 2, 4, stride=2, padding=1).requires_grad_(False)
    >>> leaf = torch.rand(1, 1, 8, 8, requires_grad=True)
    >>> with FastInputGradients():
    ...     (fast,) = torch.autograd.grad(layer(leaf).square().sum(), leaf)
    >>> (plain,) = torch.autograd.grad(layer(leaf).square().sum(), leaf)
    >>> torch.allclose(fast, plain, atol=1e-6)
    True
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace a convolution that pays; call all else as it is."""
        kwargs = kwargs or {}
        if func is torch.conv2d and not kwargs and len(args) == 7:
            images, weight, bias, stride, padding, dilation, groups = args
            if _pays(images, weight, stride, padding, dilation, groups):
                return _Phased.apply(images, weight, bias, stride[0], tuple(padding))  # type: ignore[no-untyped-call]
        return func(*args, **kwargs)


def _pays(
    images: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Any,
    dilation: Sequence[int],
    groups: int,
) -> bool:
    known = all(
        isinstance(each, Sequence) and not isinstance(each, str) for each in (stride, padding, dilation)
    )
    if not known or images.ndim != 4 or images.device.type != "cpu" or not images.requires_grad:
        return False
    if weight.requires_grad or groups != 1:
        return False
    once = stride[0]
    return (
        weight.shape[1] <= FEW_CHANNELS
        and once > 1
        and set(stride) == {once}
        and set(dilation) == {1}
        and min(weight.shape[2:]) >= once
        and images.dtype == weight.dtype
    )


class _Phased(torch.autograd.Function):
    """A convolution; its gradient by the input is one of all phases of the stride at once, interleaved."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.stride, ctx.padding, ctx.size = stride, padding, images.shape[2:]
        return F.conv2d(images, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor | None, None, None]:
        (weight,) = ctx.saved_tensors
        phases, taps = _phases(weight.to(gradient.dtype), ctx.stride)  # under autocast these differ
        found = F.conv2d(gradient, phases, padding=(taps[0] - 1, taps[1] - 1))
        found = _interleaved(found, ctx.stride)
        # What the padding added is cut off; pixels at the end that no kernel reaches have a gradient of 0.
        missing: list[int] = []
        for axis in (2, 3):
            before, wanted = ctx.padding[axis - 2], ctx.size[axis - 2]
            found = found.narrow(axis, before, min(wanted, found.shape[axis] - before))
            missing = [0, wanted - found.shape[axis], *missing]
        if any(missing):
            found = F.pad(found, missing)
        of_bias = gradient.sum(dim=(0, 2, 3)) if ctx.needs_input_grad[2] else None
        return found, None, of_bias, None, None


def _phases(weight: Tensor, stride: int) -> tuple[Tensor, tuple[int, int]]:
    """Give the kernels of all phases, (C s s) x O x taps x taps, and how many taps these have."""
    out, channels, *sides = weight.shape
    high, wide = (-(-side // stride) for side in sides)
    padded = F.pad(weight, [0, wide * stride - sides[1], 0, high * stride - sides[0]])
    parts = padded.view(out, channels, high, stride, wide, stride).permute(1, 3, 5, 0, 2, 4).flip(4, 5)
    return parts.reshape(channels * stride**2, out, high, wide), (high, wide)


def _interleaved(found: Tensor, stride: int) -> Tensor:
    """Put phases beside each other: N x (C s s) x A x B -> N x C x (A s) x (B s), channels last in memory."""
    count, _, high, wide = found.shape
    parts = found.permute(0, 2, 3, 1).reshape(count, high, wide, -1, stride, stride)
    beside = parts.permute(0, 1, 4, 2, 5, 3)
    return beside.reshape(count, high * stride, wide * stride, -1).permute(0, 3, 1, 2)
