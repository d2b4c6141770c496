"""Blurring and sampling by fixed weights, whose border is not zeros, in about the time of a border of zeros.

Padding that is not zeros costs a copy of the features, which takes longer than the convolution itself. Here
the convolution runs over zeros at the border, which cost nothing, and the few outputs that saw them are
computed once more. The gradient goes the same way back: the blur is linear, and its transpose is written out.

Gradients of half precision are computed in single precision, a few images at a time, which is faster by far,
and more exact. All this is for CPUs; other devices copy faster than they begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import torch
from torch import Tensor

from striate.geometry import Window, output_size
from striate.nn.blurred_borders import Blur, mend, mend_back
from striate.nn.borders import surround
from striate.nn.by_dims import CONVOLVE
from striate.nn.planes import computed_in, empty_as, even_parts

PART = 8 << 20
"""Bytes of single precision that are made at once of gradients of half precision."""

MANY = 1 << 19
"""Values of features from which on it takes longer to copy them than to compute the borders apart."""


def blur(features: Tensor, weights: Tensor, rule: Blur) -> Tensor:
    """Blur and sample features.

    Args:
        features: N x C x spatial, floating-point.
        weights: what ``rule.weights(C)`` gave, on the same device.
        rule: what is done along each axis.

    Returns:
        N x C x windows along each axis.

    Raises:
        ShapeError: where features are too small for the border that is wanted.
    """
    if rule.mode == "zeros" and features.dtype.itemsize >= 4 and _pads_evenly(features.shape[2:], rule):
        return _convolve(features, weights, rule, padding=rule.along("before"))
    if not _by_lines(features, rule):
        around = surround(features, rule.along("before"), rule.along("after"), mode=rule.mode)
        return _convolve(around, weights, rule, padding=0)
    if not (torch.is_grad_enabled() and features.requires_grad):
        return _Blurring.forward(features, weights, rule)
    blurred: Tensor = _Blurring.apply(features, weights, rule)  # type: ignore[no-untyped-call]
    return blurred


def _by_lines(features: Tensor, rule: Blur) -> bool:
    """Say whether the borders are computed apart."""
    # A compiler, and what exports, follow the plain form better, and so do tensors of other kinds.
    ours = type(features) in (Tensor, torch.nn.Parameter) and features.device.type == "cpu"
    if torch.compiler.is_compiling() or not ours or features.numel() < MANY:
        return False

    sees_one_border = all(
        size >= 2 * window.kernel for size, window in zip(features.shape[2:], rule.windows, strict=True)
    )
    return sees_one_border and _pads_evenly(features.shape[2:], rule)


@lru_cache(maxsize=1024)
def _pads_evenly(sizes: Sequence[int], rule: Blur) -> bool:
    """Say whether equal padding on both sides, as convolutions have it, gives as many windows."""
    for size, window in zip(sizes, rule.windows, strict=True):
        equal = Window(kernel=window.kernel, stride=window.stride, before=window.before, after=window.before)
        if output_size(size, equal) != output_size(size, window):
            return False
    return True


class _Blurring(torch.autograd.Function):
    """The blur of long features, and its derivatives."""

    generate_vmap_rule = True

    @staticmethod
    def forward(features: Tensor, weights: Tensor, rule: Blur) -> Tensor:
        blurred = _convolve(features, weights, rule, padding=rule.along("before"))
        mend(blurred, features, rule)
        return blurred

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        features, weights, ctx.rule = inputs
        ctx.save_for_backward(features, weights)
        ctx.save_for_forward(features, weights)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        features, weights = ctx.saved_tensors
        transposed = _BlurringBack.apply if torch.is_grad_enabled() else _BlurringBack.forward
        return transposed(gradient, weights, ctx.rule, features.detach()), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        _, weights = ctx.saved_tensors
        along: Tensor = _Blurring.apply(tangent, weights, ctx.rule)  # type: ignore[no-untyped-call]
        return along


class _BlurringBack(torch.autograd.Function):
    """The transpose of the blur, from its outputs to the features, of which only the kind matters."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Tensor, weights: Tensor, rule: Blur, features: Tensor) -> Tensor:
        precise = computed_in(gradient.dtype)
        if gradient.dtype == precise:
            back = _convolve_back(gradient, features, weights, rule)
        else:
            back = empty_as(features, features.shape[2:])
            each = prod(features.shape[1:]) * precise.itemsize
            for part in even_parts(len(features), max(1, PART // each)):
                kind = torch.empty_like(features[part], dtype=precise)
                back[part].copy_(_convolve_back(gradient[part].to(precise), kind, weights, rule))
        mend_back(back, gradient, rule)
        return back

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        _, weights, ctx.rule, features = inputs
        ctx.save_for_backward(features, weights)
        ctx.save_for_forward(features, weights)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        _, weights = ctx.saved_tensors
        along: Tensor = _Blurring.apply(gradient, weights, ctx.rule)  # type: ignore[no-untyped-call]
        return along, None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        features, weights = ctx.saved_tensors
        along: Tensor = _BlurringBack.apply(tangent, weights, ctx.rule, features)  # type: ignore[no-untyped-call]
        return along


def _convolve(features: Tensor, weights: Tensor, rule: Blur, *, padding: int | Sequence[int]) -> Tensor:
    return CONVOLVE[len(rule.windows)](
        features,
        weights.to(features.dtype),
        stride=rule.along("stride"),
        padding=padding,
        groups=features.shape[1],
    )


def _convolve_back(gradient: Tensor, features: Tensor, weights: Tensor, rule: Blur) -> Tensor:
    dims = len(rule.windows)
    back: Tensor = torch.ops.aten.convolution_backward(
        gradient,
        features,
        weights.to(gradient.dtype),
        None,
        rule.along("stride"),
        rule.along("before"),
        [1] * dims,
        False,
        [0] * dims,
        gradient.shape[1],
        (True, False, False),
    )[0]
    return back
