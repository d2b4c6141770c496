"""Average the elements of windows that match a key, and route gradients back to them.

To torch each function is a single operator, around which it compiles. The two are linear in what they average
and route, and each is the other's transpose: so each is the other's derivative, as often as is wanted. What
matches is found anew from the keys, so that nothing in between is kept for the gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from striate.nn.planes import Layout, as_planes, empty_as, even_parts, is_channels_last, room_for
from striate.nn.windows import from_numbers

ROWS, WINDOW_ROWS = 2, 5
"""Rows in use at once: of the images, and with a number for each window."""

_BITS = {torch.float32: torch.int32, torch.float64: torch.int64}


@torch.library.custom_op("striate::collect", mutates_args=())
def collect(values: Tensor, keys: Tensor, chosen: Tensor, windows: list[int]) -> Tensor:
    """Average in each window the values at which the key is that of the window.

    Args:
        values: N x C x spatial.
        keys: a floating-point number for each of them.
        chosen: the key of each window, N x C x outputs.
        windows: as `striate.nn.windows.as_numbers` writes them.

    Returns:
        N x C x outputs, of the values' type; NaN where nothing matches.
    """
    out = empty_as(keys, chosen.shape[2:], dtype=values.dtype)
    matching = _Matching(keys, chosen, windows)
    layout = matching.layout
    source, target = matching.planes(values), matching.planes(out)
    row, sums = layout.row(values), matching.window_row(values)
    sum_of_each, sum_bits = matching.first(sums), matching.first(sums.view(matching.bits))
    value_bits = matching.elements(row.view(matching.bits))
    taken = torch.empty_like(matching.match)
    for block in matching.blocks():
        layout.store(row, source[block])
        sums.zero_()
        for match, value in zip(matching.matches(), value_bits, strict=True):
            sum_of_each.add_(torch.mul(match, value, out=taken).view(sums.dtype))
        sum_bits.mul_(matching.known)
        sum_of_each.div_(matching.counts())
        target[block].copy_(layout.at_windows(sums)[: len(target[block])])
    return out


@torch.library.custom_op("striate::route", mutates_args=())
def route(gradient: Tensor, keys: Tensor, chosen: Tensor, windows: list[int]) -> Tensor:
    """Bring a gradient back through `collect`: to what matches, in equal shares.

    Args:
        gradient: of the loss by the output, N x C x outputs.
        keys: as in `collect`.
        chosen: as there.
        windows: as there.

    Returns:
        The gradient by the values, N x C x spatial, of the gradient's type.
    """
    out = empty_as(keys, keys.shape[2:], dtype=gradient.dtype)
    matching = _Matching(keys, chosen, windows)
    layout = matching.layout
    source, target = matching.planes(gradient), matching.planes(out)
    row, shares = layout.row(gradient), matching.window_row(gradient)
    share, sums = matching.first(shares), matching.elements(row)
    share_bits = matching.first(shares.view(matching.bits))
    for block in matching.blocks():
        layout.at_windows(shares)[: len(source[block])].copy_(source[block])
        share_bits.mul_(matching.known)
        share.div_(matching.counts().clamp_(min=1))
        row.zero_()
        for match, sum_of_each in zip(matching.matches(), sums, strict=True):
            match.mul_(share_bits)
            sum_of_each.add_(matching.matched)
        layout.load(row, target[block])
    return out


@collect.register_fake
def _(values: Tensor, keys: Tensor, chosen: Tensor, windows: list[int]) -> Tensor:  # noqa: ARG001
    return empty_as(keys, chosen.shape[2:], dtype=values.dtype)


@route.register_fake
def _(gradient: Tensor, keys: Tensor, chosen: Tensor, windows: list[int]) -> Tensor:  # noqa: ARG001
    return empty_as(keys, keys.shape[2:], dtype=gradient.dtype)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    _, keys, chosen, ctx.windows = inputs
    ctx.save_for_backward(keys, chosen)


def _through_collect(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    routed = torch.ops.striate.route(gradient, *ctx.saved_tensors, ctx.windows)
    return routed, None, None, None


def _through_route(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    collected = torch.ops.striate.collect(gradient, *ctx.saved_tensors, ctx.windows)
    return collected, None, None, None


collect.register_autograd(_through_collect, setup_context=_keep)
route.register_autograd(_through_route, setup_context=_keep)


class _Matching:
    """The keys of a block of planes after the other, and which elements of its windows match.

    Numbers are compared and taken by their bits: equal bits give 1, which times the bits of a number gives
    the number. Unlike comparisons that give booleans, this is done on many numbers at once, and unlike
    products of the numbers themselves, it leaves infinite ones alone. NaN, which has many bits, is told
    apart: ``known`` is 0 for the windows whose key it is, and 1 for the others.
    """

    def __init__(self, keys: Tensor, chosen: Tensor, numbers: Sequence[int]) -> None:
        windows = from_numbers(numbers)
        self._channels_last = is_channels_last(keys)
        self._keys, self._chosen = self.planes(keys), self.planes(chosen)
        single = Layout(1, images=self._keys, out=self._chosen, windows=windows)
        each = ROWS * single.length() + WINDOW_ROWS * single.length(len(windows) - 1)
        self._most = min(max(1, room_for(keys) // max(1, each)), len(self._keys))
        self.layout = Layout(self._most, images=self._keys, out=self._chosen, windows=windows)
        self._places = list(product(*(range(window.kernel) for window in windows)))
        self._key_row, self._chosen_row = self.layout.row(keys), self.window_row(keys)
        self._key_row.fill_(torch.nan)  # which padding keeps
        self.bits = _BITS[self._key_row.dtype]
        self._each_key = self.elements(self._key_row.view(self.bits))
        self._sought = self.first(self._chosen_row.view(self.bits))
        self.match = torch.empty_like(self._sought)
        self.matched = self.match.view(self._key_row.dtype)
        self.known = torch.empty_like(self._sought)

    def planes(self, images: Tensor) -> Tensor:
        """View images as the planes of which the blocks are made."""
        return as_planes(images, channels_last=self._channels_last)

    def window_row(self, like: Tensor) -> Tensor:
        """Make a row with one number for each window."""
        return self.layout.row(like, axis=len(self._places[0]) - 1)

    def first(self, row: Tensor) -> Tensor:
        """View the number of every window in such a row."""
        return self.layout.each(row, self._places[0])

    def elements(self, row: Tensor) -> list[Tensor]:
        """View each element of all windows in a row of all phases."""
        return [self.layout.each(row, place) for place in self._places]

    def blocks(self) -> Iterator[slice]:
        """Take up one block of planes after the other."""
        for block in even_parts(len(self._keys), self._most):
            self.layout.store(self._key_row, self._keys[block])
            chosen = self._chosen[block]
            self.layout.at_windows(self._chosen_row)[: len(chosen)].copy_(chosen)
            for row in (self._key_row, self._chosen_row):
                row.add_(0.0)  # makes 0 of -0, whose bits differ
            numbers = self._sought.view(self._key_row.dtype)
            self.known.copy_(torch.eq(numbers, numbers, out=self.matched))
            yield block

    def matches(self) -> Iterator[Tensor]:
        """Say for each element, by 1 and 0, in which windows it matches."""
        for key in self._each_key:
            yield torch.eq(key, self._sought, out=self.match)

    def counts(self) -> Tensor:
        """Count the elements that match in each window."""
        total = torch.zeros_like(self._sought)
        for match in self.matches():
            total.add_(match)
        return total.mul_(self.known)
