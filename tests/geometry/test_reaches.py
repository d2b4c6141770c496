"""Wherever views and moves take a pixel, its place is still told by the digits of the indices."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from striate.geometry.reaches import Digit, Reach, Sampling, Spread

HEIGHT, WIDTH = 6, 4


def told(reach: Reach, index: tuple[int, ...]) -> tuple[float, float]:
    """Give the first and last place that a reach tells for an element."""
    moved = sum(
        digit.step * ((index[digit.axis] - digit.shift) // digit.divisor % digit.size)
        for digit in reach.digits
    )
    return reach.first + moved, reach.last + moved


def start() -> tuple[Tensor, Tensor, Reach, Reach]:
    """Rows and columns of a map of 2 channels, as tensors and as reaches."""
    rows = torch.arange(HEIGHT).view(1, 1, HEIGHT, 1).expand(1, 2, HEIGHT, WIDTH).contiguous()
    columns = torch.arange(WIDTH).view(1, 1, 1, WIDTH).expand(1, 2, HEIGHT, WIDTH).contiguous()
    return (
        rows,
        columns,
        Reach((Digit(2, 1, HEIGHT, 1),), 0, 0),
        Reach((Digit(3, 1, WIDTH, 1),), 0, 0),
    )


def factorings(count: int, axes: int) -> list[tuple[int, ...]]:
    """All shapes of so many axes with so many elements."""
    if axes == 1:
        return [(count,)]
    return [
        (first, *rest)
        for first in range(1, count + 1)
        if count % first == 0
        for rest in factorings(count // first, axes - 1)
    ]


SHAPES = [shape for axes in range(1, 5) for shape in factorings(2 * HEIGHT * WIDTH, axes)]
STEPS = st.one_of(
    st.tuples(st.just("view"), st.sampled_from(SHAPES)),
    st.tuples(st.just("permute"), st.randoms(use_true_random=False)),
    st.tuples(st.just("pad"), st.integers(0, 2)),
)


@given(steps=st.lists(STEPS, max_size=5))
def test_views_and_permutations_keep_every_place_or_say_that_they_cannot(steps) -> None:
    rows, columns, row, column = start()
    places, reaches = [rows, columns], [row, column]
    for name, choice in steps:
        shape = tuple(places[0].shape)
        if name == "view":
            if places[0].numel() != 2 * HEIGHT * WIDTH:
                continue
            places = [each.reshape(choice) for each in places]
            reaches = [each and each.reshaped(shape, choice) for each in reaches]
        elif name == "permute":
            order = list(range(len(shape)))
            choice.shuffle(order)
            places = [each.permute(order) for each in places]
            moved = {old: new for new, old in enumerate(order)}
            reaches = [each and each.renumbered(moved) for each in reaches]
        else:
            axis = choice % len(shape)
            filler = list(shape)
            filler[axis] = 1
            places = [torch.cat([torch.full(filler, -1), each], dim=axis) for each in places]
            sampling = Sampling(shape[axis] + 1, 1, -1, -1)
            reaches = [each and each.resampled(axis, shape[axis], sampling) for each in reaches]
    for values, reach in zip(places, reaches, strict=True):
        if reach is None:
            continue
        for index in itertools.product(*map(range, values.shape)):
            value = int(values[index])
            if value >= 0:  # what was put before it depends on nothing
                assert told(reach, index) == (value, value)


def test_a_flattened_map_can_be_unflattened() -> None:
    _, _, row, column = start()
    shape, flat = (1, 2, HEIGHT, WIDTH), (1, 2, HEIGHT * WIDTH)
    for reach in (row, column):
        moved = reach.reshaped(shape, flat)
        assert moved is not None
        assert moved != reach
        assert moved.reshaped(flat, shape) == reach


def test_a_view_that_cuts_rows_apart_unevenly_is_not_followed() -> None:
    _, _, row, _ = start()
    assert row.reshaped((1, 2, HEIGHT, WIDTH), (16, 3)) is None


def test_a_class_token_before_the_patches_leaves_them_their_places() -> None:
    _, _, row, _ = start()
    tokens = row.reshaped((1, 2, HEIGHT, WIDTH), (1, 2, HEIGHT * WIDTH))
    assert tokens is not None
    after = tokens.resampled(2, HEIGHT * WIDTH, Sampling(HEIGHT * WIDTH + 1, 1, -1, -1))
    assert after is not None
    assert told(after, (0, 0, 1 + 2 * WIDTH)) == (2, 2)
    back = after.resampled(2, HEIGHT * WIDTH + 1, Sampling(HEIGHT * WIDTH, 1, 1, 1))
    assert back == tokens
    cut = tokens.resampled(2, HEIGHT * WIDTH, Sampling(5, 2, 0, 0))
    assert cut is None or told(cut, (0, 0, 2))[0] <= 4 // WIDTH <= told(cut, (0, 0, 2))[1]


@given(size=st.integers(1, 3), step=st.integers(1, 3), dilation=st.integers(1, 2))
def test_reducing_takes_all_places_together(size, step, dilation) -> None:
    reach = Reach((Digit(0, 1, 5, step), Digit(1, 1, size, dilation)), -1, 2)
    reduced = reach.reduced({1})
    assert (reduced.first, reduced.last) == (-1, 2 + dilation * (size - 1))
    both = reach.reduced({0, 1})
    assert not both.digits
    assert both.span(100) == (0, 2 + 4 * step + dilation * (size - 1))


def test_windows_become_axes() -> None:
    reach = Reach((Digit(0, 1, 7, 2),), 0, 1)
    spread = reach.spread({0: Spread(7, (Digit(0, 1, 3, 2), Digit(1, 1, 3, 1)), -1)})
    assert spread is not None
    assert told(spread, (1, 2)) == (2 * (2 * 1 - 1 + 2), 2 * (2 * 1 - 1 + 2) + 1)
    assert spread.spread({0: Spread(9, (), 0)}) is None
