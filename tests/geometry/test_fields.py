"""Receptive fields by hand equal what is found by following every element of small maps."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import ShapeError
from striate.geometry import ReceptiveField, Window, receptive_field

WINDOWS = st.builds(
    lambda kernel, stride, dilation, before: Window(
        kernel=kernel, stride=stride, dilation=dilation, before=before, after=before
    ),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(0, 2),
)


def seen_by(index: int, windows: list[Window]) -> set[int]:
    """Follow one element back to the input, which goes on for ever on both sides."""
    places = {index}
    for window in reversed(windows):
        places = {
            place * window.stride - window.before + window.dilation * element
            for place in places
            for element in range(window.kernel)
        }
    return places


@given(windows=st.lists(WINDOWS, max_size=4), index=st.integers(0, 5))
def test_a_chain_of_windows_sees_what_its_elements_see(windows, index) -> None:
    field = receptive_field(windows)
    seen = seen_by(index, windows)
    assert field.first + field.jump * index == min(seen)
    assert field.last + field.jump * index == max(seen)
    assert field.size == max(seen) - min(seen) + 1
    assert list(field.elements(index, size=9)) == [
        place for place in range(9) if min(seen) <= place <= max(seen)
    ]


@given(window=WINDOWS, index=st.integers(0, 12))
def test_a_transposed_convolution_sees_what_reaches_its_elements(window, index) -> None:
    field = ReceptiveField().through_transposed(window)
    given_by = {
        place
        for place in range(-20, 20)
        for element in range(window.kernel)
        if place * window.stride - window.before + window.dilation * element == index
    }
    bounds = range(-100, 100)
    allowed = {place for place in bounds if field.first <= place - field.jump * index <= field.last}
    assert given_by <= allowed
    if window.dilation == 1:
        assert given_by == allowed


def test_convolution_and_transposed_convolution_of_the_same_window_give_back_the_grid() -> None:
    window = Window(kernel=4, stride=2, before=1, after=1)
    field = ReceptiveField().through(window).through_transposed(window)
    assert field.jump == 1
    assert ReceptiveField().through_transposed(window).jump == Fraction(1, 2)
    assert ReceptiveField().through_transposed(window).to_dict() == {
        "size": 2,
        "jump": 0.5,
        "offset": -1,
        "whole": False,
    }


def test_branches_are_joined_where_they_move_alike() -> None:
    wide = receptive_field([Window(kernel=5, before=2, after=2)])
    narrow = receptive_field([Window(kernel=1)])
    assert wide.joined(narrow) == wide
    assert wide.centre == 0
    whole = ReceptiveField(jump=0, first=0, last=6, whole=True)
    assert wide.joined(whole) == whole == whole.through(Window(kernel=3))
    with pytest.raises(ShapeError, match="that move by 1 and by 2 input elements cannot be joined"):
        wide.joined(receptive_field([Window(kernel=2, stride=2)]))
