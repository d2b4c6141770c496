"""Places in windows: take the value at the place that was chosen in each, and bring gradients back there.

A place is the number of an element in its window, row by row, and the number of all elements stands for none.
To torch each function is a single operator, around which it compiles. The two are linear in what they take
and bring back, and each is the other's transpose: so each is the other's derivative, as often as is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor

from striate.geometry import Window
from striate.nn.planes import as_planes, computed_in, empty_as, even_parts, is_channels_last, room_for
from striate.nn.windows import from_numbers

SHARE = {False: 32, True: 8}
"""The part of the room that the places of a block may take: more where values of all channels lie together,
since torch's threads then divide the channels of an image, and have little to do with one image each."""

FEW = 255
"""The most elements of a window whose places are kept in a byte."""


def places_as(out: Tensor, elements: int) -> Tensor:
    """Make a place for each window, not filled.

    Args:
        out: N x C x outputs, whose order of memory is kept.
        elements: of a window.

    Returns:
        N x C x outputs, whole numbers.
    """
    return torch.empty_like(out, dtype=torch.uint8 if elements <= FEW else torch.int32)


@torch.library.custom_op("striate::take", mutates_args=())
def take(values: Tensor, places: Tensor, windows: list[int]) -> Tensor:
    """Take the value at one place in each window.

    Args:
        values: N x C x spatial.
        places: N x C x outputs.
        windows: as `striate.nn.windows.as_numbers` writes them.

    Returns:
        N x C x outputs, with 0 where the place is none.
    """
    out = empty_as(places, places.shape[2:], dtype=values.dtype)
    planes = [_flat(each, places) for each in (values, out)]
    for block, index, nowhere in _blocks(places, windows, values.shape[2:]):
        source, target = (each[block] for each in planes)
        torch.gather(source, 1, index, out=target)
        if nowhere is not None:
            target.masked_fill_(nowhere, 0)
    return out


@torch.library.custom_op("striate::bring_back", mutates_args=())
def bring_back(gradient: Tensor, places: Tensor, windows: list[int], size: list[int]) -> Tensor:
    """Add the gradient of each window to the element at its place.

    Args:
        gradient: of the loss by what was taken, N x C x outputs.
        places: N x C x outputs.
        windows: as `striate.nn.windows.as_numbers` writes them.
        size: the spatial size of the images.

    Returns:
        The gradient by the images, N x C x size.
    """
    out = empty_as(places, size, dtype=gradient.dtype)
    planes = [_flat(each, places) for each in (gradient, out)]
    precise = computed_in(gradient.dtype)
    for block, index, nowhere in _blocks(places, windows, size):
        source, target = (each[block] for each in planes)
        if nowhere is not None:
            source = source.masked_fill(nowhere, 0)
        if precise == gradient.dtype:
            target.zero_().scatter_add_(1, index, source)
        else:
            sums = torch.zeros_like(target, dtype=precise)
            target.copy_(sums.scatter_add_(1, index, source.to(precise)))
    return out


@take.register_fake
def _(values: Tensor, places: Tensor, windows: list[int]) -> Tensor:  # noqa: ARG001
    return empty_as(places, places.shape[2:], dtype=values.dtype)


@bring_back.register_fake
def _(gradient: Tensor, places: Tensor, windows: list[int], size: list[int]) -> Tensor:  # noqa: ARG001
    return empty_as(places, size, dtype=gradient.dtype)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    values, places, ctx.windows, *_ = inputs
    ctx.size = list(values.shape[2:])
    ctx.save_for_backward(places)


def _through_take(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    return torch.ops.striate.bring_back(gradient, *ctx.saved_tensors, ctx.windows, ctx.size), None, None


def _through_bring_back(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    return torch.ops.striate.take(gradient, *ctx.saved_tensors, ctx.windows), None, None, None


take.register_autograd(_through_take, setup_context=_keep)
bring_back.register_autograd(_through_bring_back, setup_context=_keep)


def _flat(images: Tensor, places: Tensor) -> Tensor:
    """View images as planes x elements x values together, or planes x elements, as the places lie."""
    planes = as_planes(images, channels_last=is_channels_last(places))
    flat = planes.reshape(len(planes), prod(planes.shape[1:-1]), planes.shape[-1])
    return flat if is_channels_last(places) else flat.squeeze(2)


def _blocks(
    places: Tensor, numbers: Sequence[int], size: Sequence[int]
) -> Iterator[tuple[slice, Tensor, Tensor | None]]:
    """Give for one block of planes after the other their elements, and where there is none."""
    windows = from_numbers(numbers)
    first, far = _elements(windows, size, places.shape[2:], places.device)
    none = prod(window.kernel for window in windows)
    some_nowhere = places.numel() > 0 and int(places.max()) == none
    flat = _flat(places, places)
    together = flat.ndim > 2  # the values of all channels
    most = max(1, room_for(places) // max(1, SHARE[together] * prod(flat.shape[1:])))
    for block in even_parts(len(flat), most):
        each = flat[block].long()
        if together:
            index = torch.take(far, each).add_(first[:, None])
        else:  # faster here, and slower there
            index = far.expand(len(each), -1).gather(1, each).add_(first)
        nowhere = each == none if some_nowhere else None
        yield block, index if nowhere is None else index.masked_fill_(nowhere, 0), nowhere


def _elements(
    windows: Sequence[Window], size: Sequence[int], outputs: Sequence[int], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Number the element with which each window begins, and say how much further each place of it lies."""
    first = torch.zeros((), dtype=torch.int64)
    for length, count, window in zip(size, outputs, windows, strict=True):
        along = torch.arange(count) * window.stride - window.before
        first = first[..., None] * length + along
    far = [0]
    for length, window in zip(size, windows, strict=True):
        steps = range(0, window.kernel * window.dilation, window.dilation)
        far = [before * length + step for before, step in product(far, steps)]
    return first.flatten().to(device), torch.tensor([*far, 0], device=device)
