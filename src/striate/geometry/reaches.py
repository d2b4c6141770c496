"""What each element of a tensor may depend on, as arithmetic on its indices.

A tensor on its way through a network is viewed, transposed, flattened, split and joined, so that the
position of a pixel is not always an axis of its own. It is always made of digits of the indices: after
``flatten(2)`` of a map of W columns, the row is ``index // W`` and the column ``index % W``. A `Reach` says
which input elements an element may depend on: the sum of its digits, each times a step, plus what lies
between ``first`` and ``last``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from striate.geometry.fields import Number, plain


@dataclass(frozen=True, slots=True)
class Digit:
    """A part of an index, and how many input elements each unit of it moves the reach.

    Args:
        axis: whose index it is part of.
        divisor: the digit is ``(index - shift) // divisor % size``.
        size: how many values it takes.
        step: input elements for each unit.
        shift: how many elements stand before the first that the digit counts, such as a class token.
    """

    axis: int
    divisor: int
    size: int
    step: Number
    shift: int = 0

    def fills(self, size: int) -> bool:
        """Whether this is the whole index of an axis of that size."""
        return self.divisor == 1 and self.size == size and self.shift == 0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a layer reads an axis: output ``i`` takes from ``step*i + low`` to ``step*i + high``."""

    outputs: int
    step: Number
    low: Number
    high: Number


@dataclass(frozen=True, slots=True)
class Spread:
    """How the index of an axis of ``size`` is put together: ``offset`` plus a sum of digits."""

    size: int
    digits: tuple[Digit, ...]
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """The input elements from ``first`` to ``last``, moved by the digits of an element's index."""

    digits: tuple[Digit, ...]
    first: Number
    last: Number

    def is_all(self, size: int) -> bool:
        """Whether every element reaches all of an input of that size."""
        return not self.digits and self.first <= 0 and self.last >= size - 1

    def span(self, size: int) -> tuple[Number, Number]:
        """Give the first and last input element, of ``size``, that any element reaches."""
        whole = self.reduced({digit.axis for digit in self.digits})
        return max(whole.first, 0), min(whole.last, size - 1)

    def reduced(self, axes: Collection[int]) -> Reach:
        """Give the reach of a sum, maximum or product over all elements along axes."""
        first, last, kept = self.first, self.last, []
        for digit in self.digits:
            if digit.axis in axes:
                travel = digit.step * (digit.size - 1)
                first, last = first + min(0, travel), last + max(0, travel)
            else:
                kept.append(digit)
        return self if len(kept) == len(self.digits) else Reach(tuple(kept), plain(first), plain(last))

    def selected(self, axis: int, index: int) -> Reach | None:
        """Give the reach of the elements at one index of an axis, which stays without being counted."""
        first, last, kept = self.first, self.last, []
        for digit in self.digits:
            if digit.axis == axis:
                if index < digit.shift:
                    return None
                moved = digit.step * ((index - digit.shift) // digit.divisor % digit.size)
                first, last = first + moved, last + moved
            else:
                kept.append(digit)
        return Reach(tuple(kept), plain(first), plain(last))

    def renumbered(self, places: Mapping[int, int]) -> Reach:
        """Give the reach after axes moved from places to places; axes of one element may be left out."""
        return Reach(
            tuple(replace(digit, axis=places[digit.axis]) for digit in self.digits if digit.axis in places),
            self.first,
            self.last,
        )

    def evened(self, axis: int, size: int) -> Reach | None:
        """Give the reach with what moves in jumps along an axis moving evenly; ``None`` where it begins anew.

        floor(i/D) lies between i/D - (D - 1)/D and i/D.
        """
        first, last, digits = self.first, self.last, []
        for digit in self.digits:
            if digit.axis != axis or digit.fills(size):
                digits.append(digit)
            elif digit.shift or digit.divisor * digit.size != size:
                return None
            else:
                behind = digit.step * Fraction(digit.divisor - 1, digit.divisor)
                first, last = (first - behind, last) if behind > 0 else (first, last - behind)
                digits.append(Digit(axis, 1, size, plain(digit.step / Fraction(digit.divisor))))
        return Reach(tuple(digits), plain(first), plain(last))

    def resampled(self, axis: int, size: int, sampling: Sampling) -> Reach | None:
        """Give the reach after a window ran along an axis; ``None`` where that holds several positions."""
        here = [digit for digit in self.digits if digit.axis == axis]
        if any(not digit.fills(size) for digit in here):
            moved = [_moved(digit, sampling) if digit.axis == axis else digit for digit in self.digits]
            if None not in moved:
                return Reach(tuple(digit for digit in moved if digit is not None), self.first, self.last)
        even = self.evened(axis, size)
        if even is None or len(here) > 1:
            return None
        first, last, digits = even.first, even.last, []
        for digit in even.digits:
            if digit.axis == axis:
                ends = (digit.step * sampling.low, digit.step * sampling.high)
                first, last = first + min(ends), last + max(ends)
                digit = Digit(axis, 1, sampling.outputs, plain(digit.step * sampling.step))
            digits.append(digit)
        return Reach(tuple(digits), plain(first), plain(last))

    def spread(self, parts: Mapping[int, Spread]) -> Reach | None:
        """Give the reach where indices become sums of other digits; ``None`` where they cannot."""
        first, last, digits = self.first, self.last, []
        for digit in self.digits:
            part = parts.get(digit.axis)
            if part is None:
                digits.append(digit)
            elif digit.fills(part.size):
                first, last = first + digit.step * part.offset, last + digit.step * part.offset
                digits += [replace(each, step=plain(each.step * digit.step)) for each in part.digits]
            else:
                return None
        return Reach(tuple(digits), plain(first), plain(last))

    def reshaped(self, old: Sequence[int], new: Sequence[int]) -> Reach | None:
        """Give the reach after a view of another shape; ``None`` where a digit is cut apart unevenly."""
        digits: list[Digit] = []
        for digit in self.digits:
            below = math.prod(old[digit.axis + 1 :])
            place = _same_axis(digit.axis, old, new)
            if place is not None:
                digits.append(replace(digit, axis=place))
            elif digit.shift:
                return None
            elif digit.size > 1:  # the only index of an axis of one element is 0
                found = _cut(digit, below * digit.divisor, new)
                if found is None:
                    return None
                digits += found
        return Reach(_merged(digits), self.first, self.last)


def _moved(digit: Digit, sampling: Sampling) -> Digit | None:
    """Move a digit that is not alone on its axis; ``None`` where elements that it counts are cut off."""
    if sampling.step != 1 or sampling.low != sampling.high:
        return None
    shift = digit.shift - int(sampling.low)
    if shift < 0 or shift + digit.divisor * digit.size > sampling.outputs:
        return None
    return replace(digit, shift=shift)


def _same_axis(axis: int, old: Sequence[int], new: Sequence[int]) -> int | None:
    """Find the axis of another shape that is this one: of its size, with as many elements after it."""
    if old[axis] == 1:
        place = len(new) - len(old) + axis
        return place if place >= 0 and tuple(new[place:]) == tuple(old[axis:]) else None
    below = math.prod(old[axis + 1 :])
    for place in reversed(range(len(new))):
        if new[place] == old[axis] and math.prod(new[place + 1 :]) == below:
            return place
    return None


def _cut(digit: Digit, place: int, new: Sequence[int]) -> list[Digit] | None:
    """Find a digit, which counts steps of ``place`` elements in memory, among the axes of another shape."""
    found: list[Digit] = []
    end, below = place * digit.size, 1
    for axis in reversed(range(len(new))):
        low, high = max(place, below), min(end, below * new[axis])
        if low < high:
            even = low % below == 0 and low % place == 0 and high % low == 0
            if not even or (below * new[axis]) % high:
                return None
            found.append(Digit(axis, low // below, high // low, digit.step * (low // place)))
        below *= new[axis]
    return found


def _merged(digits: list[Digit]) -> tuple[Digit, ...]:
    """Put digits of one index together again where each goes on where the smaller one ends."""
    found: list[Digit] = []
    for digit in sorted(digits, key=lambda each: (each.axis, each.divisor)):
        below = found[-1] if found else None
        if (
            below is not None
            and (below.axis, below.shift) == (digit.axis, digit.shift)
            and below.divisor * below.size == digit.divisor
            and below.step * below.size == digit.step
        ):
            found[-1] = replace(below, size=below.size * digit.size)
        else:
            found.append(digit)
    return tuple(found)
