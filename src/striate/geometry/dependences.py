"""What a tensor may depend on: for each spatial axis of each input its reaches, or why they are unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from striate.geometry.fields import ReceptiveField, plain
from striate.geometry.reaches import Digit, Reach

MOST_REACHES = 8
"""How many reaches of one tensor are kept apart; with more, what it depends on is called unknown."""

REPEATED = "its places begin anew along an axis"
SEVERAL = "its parts see places that move differently, which no one receptive field says"


class Source(NamedTuple):
    """A spatial axis of an input of the network, and its size.

    An input without spatial axes has one source of axis -1, so that what depends on it is known to.
    """

    input: int
    axis: int
    size: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a tensor may depend on of one source: any of several reaches, or unknown, with the reason."""

    reaches: tuple[Reach, ...] = ()
    unknown: str = ""


Dependence = Mapping[Source, Seen]
"""What a tensor may depend on, by source; sources that it cannot depend on are not in it."""


def of_input(number: int, shape: Sequence[int]) -> Dependence:
    """Give what an input of the network depends on: each element on itself.

    Args:
        number: of the input.
        shape: without the batch, the channels first.

    Returns:
        One source for each axis after the channels.
    """
    spatial = shape[1:]
    if not spatial:
        return {Source(number, -1, 1): Seen((Reach((), 0, 0),))}
    return {
        Source(number, axis, size): Seen((Reach((Digit(axis + 2, 1, size, 1),), 0, 0),))
        for axis, size in enumerate(spatial)
    }


def mapped(dependence: Dependence, change: Callable[[Reach], Reach | None], why: str = "") -> Dependence:
    """Change every reach of a dependence.

    Args:
        dependence: of a tensor.
        change: gives the reach after a layer, or ``None`` where it cannot be said.
        why: it cannot be said in that case.

    Returns:
        The dependence after the layer.
    """
    found: dict[Source, Seen] = {}
    for source, seen in dependence.items():
        if seen.unknown:
            found[source] = seen
            continue
        reaches = [reach for each in seen.reaches if (reach := change(each)) is not None]
        complete = len(reaches) == len(seen.reaches)
        found[source] = united(reaches, source) if complete else Seen(unknown=why)
    return found


def joined(dependences: Iterable[Dependence]) -> Dependence:
    """Give what a tensor depends on that is made of several.

    Args:
        dependences: theirs, on axes numbered alike.

    Returns:
        The union.
    """
    parts = [dependence for dependence in dependences if dependence]
    if len(parts) == 1:
        return parts[0]
    found: dict[Source, Seen] = {}
    for dependence in parts:
        for source, seen in dependence.items():
            found[source] = _either(found[source], seen, source) if source in found else seen
    return found


def united(reaches: Sequence[Reach], source: Source) -> Seen:
    """Bring several reaches on one source to as few as say the same.

    Args:
        reaches: any of which an element may depend on.
        source: on which.

    Returns:
        Those that move alike as one, and without those that lie within what every element sees.
    """
    if len(reaches) == 1:
        return Seen((reaches[0],))
    alike: dict[frozenset[Digit], Reach] = {}
    for reach in reaches:
        key = frozenset(reach.digits)
        if key in alike:
            other = alike[key]
            reach = Reach(other.digits, min(reach.first, other.first), max(reach.last, other.last))
        alike[key] = reach
    steady = alike.get(frozenset())
    if steady is not None:
        low, high = steady.span(source.size)
        for key, reach in list(alike.items()):
            start, stop = reach.span(source.size)
            if key and low <= start and stop <= high:
                del alike[key]
    if len(alike) > MOST_REACHES:
        return Seen(unknown=SEVERAL)
    return Seen(tuple(alike.values()))


def unknown(dependence: Dependence, why: str) -> Dependence:
    """Give up on saying what a tensor depends on.

    Args:
        dependence: what is known of the tensors that it is made of.
        why: it cannot be said.

    Returns:
        The same sources, each with the reason; what was unknown before keeps its first reason.
    """
    return {source: seen if seen.unknown else Seen(unknown=why) for source, seen in dependence.items()}


def field_of(
    dependence: Dependence, source: Source, shape: Sequence[int]
) -> tuple[ReceptiveField | None, str]:
    """Say what a feature map sees of one source as one receptive field.

    Where a position is spread over several digits (such as windows of patches), the one with the largest
    step is taken as the place, and the field holds what all elements there see together. Where an axis holds
    the positions of several sources (such as a flattened map), each is told as if it had its own.

    Args:
        dependence: of the map.
        source: which it sees.
        shape: of the map.

    Returns:
        The field; or ``None``, and why there is no one field that is true.
    """
    seen = dependence[source]
    if seen.unknown or len(seen.reaches) != 1:
        return None, seen.unknown or SEVERAL
    reach = seen.reaches[0]
    if reach.is_all(source.size):
        return ReceptiveField(jump=0, first=0, last=source.size - 1, whole=True), ""
    if not reach.digits:
        return ReceptiveField(jump=0, first=reach.first, last=reach.last), ""
    main = max(reach.digits, key=lambda digit: (abs(digit.step), digit.size))
    # The digits besides the main one, wherever they are, are counted as one axis and taken together.
    others = tuple(Digit(0, 1, each.size, each.step) for each in reach.digits if each is not main)
    found = Reach((replace(main, axis=1), *others), reach.first, reach.last).reduced({0})
    axes_of_others = {
        digit.axis
        for other, seen in dependence.items()
        if other != source
        for each in seen.reaches
        for digit in each.digits
    }
    if main.axis not in axes_of_others:
        even = found.evened(1, shape[main.axis])
        if even is None:
            return None, REPEATED
        found = even
    (place,) = found.digits
    # A digit that begins late, after a class token, says where its first element lies.
    moved = place.step * place.shift if place.divisor == 1 else 0
    first, last = plain(found.first - moved), plain(found.last - moved)
    return ReceptiveField(jump=place.step, first=first, last=last), ""


def _either(one: Seen, other: Seen, source: Source) -> Seen:
    if not (one.unknown or other.unknown):
        return one if one == other else united((*one.reaches, *other.reaches), source)
    # Whatever is unknown lies within the input, so that all of the input is still all.
    for each in (one, other):
        for reach in each.reaches:
            if reach.is_all(source.size):
                return Seen((reach,))
    return one if one.unknown else other
