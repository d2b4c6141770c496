"""Receptive fields by hand: which elements of the input an element of a feature map can depend on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from striate.core.errors import ShapeError
from striate.geometry.sizes import Window

Number = int | Fraction
"""Positions are whole, or exact fractions where a layer enlarges its input."""


@dataclass(frozen=True, kw_only=True)
class ReceptiveField:
    """Which input elements the elements of a feature map can depend on, along one axis.

    Element ``i`` depends on no others than those from ``first + jump*i`` to ``last + jump*i``. What lies
    before 0 or beyond the input is padding. Without arguments it is the field of the input itself.

    Args:
        jump: input elements from one element's field to the next one's; 0 where all see the same, a
            fraction where the input was enlarged, negative where it was mirrored.
        first: position in the input where the field of element 0 begins.
        last: position where it ends.
        whole: whether every element sees all of the input.

    Source: Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural Networks (Distill
    2019), where ``first`` is called -u_0 and ``last`` v_0.

    >>> two = ReceptiveField().through(Window(kernel=3)).through(Window(kernel=3))
    >>> two.size, two.jump, two.offset
    (5, 1, 0)
    """

    jump: Number = 1
    first: Number = 0
    last: Number = 0
    whole: bool = False

    @property
    def size(self) -> int:
        """How many input elements the field spans, gaps and padding included."""
        return math.floor(self.last - self.first) + 1

    @property
    def offset(self) -> Number:
        """Where the field of element 0 begins; negative in the padding."""
        return self.first

    @property
    def centre(self) -> Number:
        """The middle of the field of element 0."""
        return plain(Fraction(self.first + self.last) / 2)

    def through(self, window: Window) -> ReceptiveField:
        """Compute the field after one more convolution or pooling.

        With jump j and a window of reach R, stride S and padding P before: the field grows by j(R - 1),
        begins jP earlier, and its jump becomes jS.

        Args:
            window: of the layer.

        Returns:
            The field of its output.

        >>> ReceptiveField().through(Window(kernel=7, stride=2, before=3, after=3)).offset
        -3
        """
        return self._resampled(window.stride, -window.before, window.reach - 1 - window.before)

    def through_transposed(self, window: Window) -> ReceptiveField:
        """Compute the field after one more transposed convolution.

        Output o takes part of input i where o = iS - P + Dk for some k from 0 to F - 1, which bounds i from
        (o + P - D(F - 1))/S to (o + P)/S.

        Args:
            window: of the convolution whose transpose the layer is.

        Returns:
            The field of its output.

        >>> ReceptiveField().through_transposed(Window(kernel=4, stride=2, before=1, after=1)).size
        2
        """
        low = Fraction(window.before - window.reach + 1, window.stride)
        return self._resampled(Fraction(1, window.stride), low, Fraction(window.before, window.stride))

    def joined(self, other: ReceptiveField) -> ReceptiveField:
        """Compute the field after the sum or concatenation of two feature maps.

        Args:
            other: the field of the other map.

        Returns:
            The field that holds both.

        Raises:
            ShapeError: where their jumps differ, so that no one field is true of all elements.

        >>> ReceptiveField().joined(ReceptiveField(first=-1, last=1)).size
        3
        """
        if self.whole or other.whole:
            return self if self.whole else other
        if self.jump != other.jump:
            raise ShapeError(
                f"fields that move by {self.jump} and by {other.jump} input elements cannot be joined to "
                "one; the layers before must have the same strides in all"
            )
        return ReceptiveField(
            jump=self.jump, first=min(self.first, other.first), last=max(self.last, other.last)
        )

    def elements(self, index: int, *, size: int) -> range:
        """Give the input elements that one element can depend on, padding left out.

        Args:
            index: of the element in the feature map.
            size: of the input along the axis.

        Returns:
            Their positions; empty where the element sees nothing but padding.

        >>> list(ReceptiveField(jump=2, first=-1, last=1).elements(0, size=4))
        [0, 1]
        """
        start = max(0, math.ceil(self.first + self.jump * index))
        stop = min(size, math.floor(self.last + self.jump * index) + 1)
        return range(start, max(start, stop))

    def to_dict(self) -> dict[str, int | float | bool]:
        """Give the figures as JSON can hold them; fractions become decimal.

        Returns:
            ``size``, ``jump``, ``offset`` and ``whole``.
        """
        jump, offset = (
            value if isinstance(value, int) else float(value) for value in (self.jump, self.offset)
        )
        return {"size": self.size, "jump": jump, "offset": offset, "whole": self.whole}

    def _resampled(self, step: Number, low: Number, high: Number) -> ReceptiveField:
        if self.whole:
            return self
        ends = (self.jump * low, self.jump * high)
        return ReceptiveField(
            jump=plain(self.jump * step),
            first=plain(self.first + min(ends)),
            last=plain(self.last + max(ends)),
        )


def receptive_field(windows: Iterable[Window]) -> ReceptiveField:
    """Compute the receptive field along one axis after a chain of convolutions and poolings.

    Args:
        windows: of the layers, from the input on.

    Returns:
        The field of the last one's output.

    >>> receptive_field([Window(kernel=3), Window(kernel=2, stride=2)]).size
    4
    """
    field = ReceptiveField()
    for window in windows:
        field = field.through(window)
    return field


def plain(value: Number) -> Number:
    """Write a number as whole where it is.

    Args:
        value: an integer or a fraction.

    Returns:
        The same value, an ``int`` where the denominator is 1.

    >>> plain(Fraction(4, 2)), plain(Fraction(1, 2))
    (2, Fraction(1, 2))
    """
    return int(value) if value.denominator == 1 else value
