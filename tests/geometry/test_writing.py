"""What is written in place reaches the views of the same memory that it meets, and no others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from striate.geometry import TracedLayer, trace


class Writing(nn.Module):
    """Convolves once and twice, and gives both to a function that writes in place."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.one = nn.Conv1d(2, 2, 3, padding=1)
        self.two = nn.Conv1d(2, 2, 3, padding=1)
        self.function = function

    def forward(self, features: Tensor) -> Tensor:
        once = self.one(features)
        return self.function(once, self.two(once)) * 1


def seen(function: Callable[[Tensor, Tensor], Tensor]) -> TracedLayer:
    return trace(Writing(function), (2, 12)).layers[-1]


def filled(once: Tensor, twice: Tensor) -> Tensor:
    both = torch.zeros(1, 4, 12)  # on a real device, as a network on the CPU would make it
    both[:, :2] = once
    both[:, 2:] = twice
    return both


def filled_and_joined(once: Tensor, twice: Tensor) -> Tensor:
    both = torch.zeros(1, 2, 12)
    both[:, 1:] = twice[:, 1:]
    return torch.cat([both, once], dim=1)


def first_half(once: Tensor, twice: Tensor) -> Tensor:
    left, right = torch.cat([once, once], dim=1).chunk(2, dim=1)
    right.copy_(twice)
    return left


def second_half(once: Tensor, twice: Tensor) -> Tensor:
    left, right = torch.cat([once, once], dim=1).chunk(2, dim=1)
    left.copy_(twice)
    return torch.cat([left, right], dim=1)


def same_memory(once: Tensor, twice: Tensor) -> Tensor:
    alias = once.detach()
    alias += twice
    return once


def overwritten(once: Tensor, twice: Tensor) -> Tensor:
    twice.copy_(once)
    return twice


def zeroed(once: Tensor, twice: Tensor) -> Tensor:
    twice.zero_()
    twice += once
    return twice


@pytest.mark.parametrize(
    ("function", "size"),
    [
        (filled, 5),
        (filled_and_joined, 5),
        (first_half, 3),
        (second_half, 5),
        (same_memory, 5),
        (overwritten, 3),
        (zeroed, 3),
    ],
)
def test_slices_of_channels_are_followed(function, size) -> None:
    layer = seen(function)
    assert [field.size for field in layer.fields] == [size]


def by_position(once: Tensor, twice: Tensor) -> Tensor:
    once[:, :, :6] = twice[:, :, 6:]
    return once


def every_second(once: Tensor, twice: Tensor) -> Tensor:
    once[:, :, ::2] = twice[:, :, ::2]
    return once


def transposed(once: Tensor, twice: Tensor) -> Tensor:
    view = once.transpose(1, 2)
    view += twice.transpose(1, 2)
    return once


@pytest.mark.parametrize("function", [by_position, every_second, transposed])
def test_what_is_written_at_other_positions_is_unknown(function) -> None:
    layer = seen(function)
    assert layer.fields == (None,)
    assert "in place through a view" in layer.note


def test_the_values_are_really_written_there() -> None:
    once, twice = torch.ones(1, 2, 12), torch.full((1, 2, 12), 2.0)
    assert filled(once, twice)[:, 2:].equal(twice)
    assert first_half(once, twice).equal(once)
