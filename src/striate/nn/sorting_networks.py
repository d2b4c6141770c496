"""Networks of minima and maxima that find the element of a rank in a window, or put all in order.

A network is a fixed list of steps, each the smaller or the larger of two values, so that it runs on whole
tensors at once: one step compares the same two elements of every window. Windows that overlap share work:
the elements are first put in order along one axis, and every window takes the ordered columns that it needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from math import prod
from typing import NamedTuple


class Operand(NamedTuple):
    """A value of a network.

    Args:
        register: where it is kept; 0 is the input.
        element: how far along each axis of the window it lies from where the window begins.
    """

    register: int
    element: tuple[int, ...]


class Step(NamedTuple):
    """The smaller or the larger of two values.

    Args:
        larger: which of them.
        first: one value.
        second: the other.
        target: the register of the result, never that of a value that is still needed.
        axis: the last axis of the window along which the result has gathered elements.
    """

    larger: bool
    first: Operand
    second: Operand
    target: int
    axis: int


class Network(NamedTuple):
    """Steps from the elements of a window to the values that are wanted of it.

    Args:
        steps: in their order.
        results: the values wanted.
        registers: how many there are, the input's included.
    """

    steps: tuple[Step, ...]
    results: tuple[Operand, ...]
    registers: int


@cache
def selecting(kernel: tuple[int, ...], rank: int) -> Network:
    """Make the network that finds one element of a window by its rank.

    Elements are put in order along the first axis, then the ordered columns along the second, and so on.
    Element ``(i, j, ...)`` of what results has at least ``(i + 1)(j + 1)... - 1`` others that are no larger
    and ``(I - i)(J - j)... - 1`` that are no smaller. What cannot have the rank is left out, and a sorting
    network decides among the rest. For the median of 3 x 3 that makes the known 18 minima and maxima.

    Args:
        kernel: elements of the window along each axis.
        rank: how many elements are smaller, from 0.

    Returns:
        The network, with one result.

    Source: Devillard, Fast median search (1998), for 3 x 3; Batcher, Sorting networks and their
    applications (1968), for the rest.

    >>> len(selecting((3, 3), 4).steps), len(selecting((3, 3), 0).steps)
    (18, 4)
    """
    smaller, candidates = _candidates(kernel, rank)
    drawing = _Drawing(len(kernel))
    ordered: dict[tuple[int, ...], Operand] = {(): drawing.input}
    for axis, elements in enumerate(kernel):
        columns = ordered
        ordered = {}
        for column, value in columns.items():
            ranks = sorted({place[axis] for place in candidates if place[:axis] == column})
            wires = [drawing.along(value, axis, element) for element in range(elements)]
            for number, result in drawing.order(wires, ranks, axis=axis).items():
                ordered[(*column, number)] = result
    wanted = rank - smaller
    found = drawing.order([ordered[place] for place in candidates], [wanted], axis=len(kernel) - 1)
    return drawing.network([found[wanted]])


@cache
def sorting(kernel: tuple[int, ...]) -> Network:
    """Make the network that puts all elements of a window in order.

    Args:
        kernel: elements of the window along each axis.

    Returns:
        The network; its results rise.

    Source: Batcher, Sorting networks and their applications (1968).

    >>> len(sorting((2, 2)).steps)
    10
    """
    drawing = _Drawing(len(kernel))
    wires = [Operand(0, place) for place in product(*map(range, kernel))]
    everything = range(len(wires))
    ordered = drawing.order(wires, everything, axis=len(kernel) - 1)
    return drawing.network([ordered[rank] for rank in everything])


def _candidates(kernel: tuple[int, ...], rank: int) -> tuple[int, list[tuple[int, ...]]]:
    """Say how many places of an ordered window are below a rank for certain, and which may have it."""
    smaller, candidates = 0, []
    total = prod(kernel)
    for place in product(*map(range, kernel)):
        no_larger = prod(index + 1 for index in place) - 1
        no_smaller = prod(size - index for size, index in zip(kernel, place, strict=True)) - 1
        if no_smaller > total - 1 - rank:
            smaller += 1
        elif no_larger <= rank:
            candidates.append(place)
    return smaller, candidates


def _comparators(wires: int) -> Iterator[tuple[int, int]]:
    """Give Batcher's merge exchanges: pairs of places, of which the lower one gets the smaller value."""
    length = 1
    while length < wires:
        distance = length
        while distance >= 1:
            for start in range(distance % length, wires - distance, 2 * distance):
                for lower in range(start, min(start + distance, wires - distance)):
                    if lower // (2 * length) == (lower + distance) // (2 * length):
                        yield lower, lower + distance
            distance //= 2
        length *= 2


class _Drawing:
    """A network while it is drawn: every value is a node, whose number stands for a register."""

    def __init__(self, axes: int) -> None:
        self._here = (0,) * axes
        self._steps: list[Step] = []
        self.input = Operand(0, self._here)

    def along(self, value: Operand, axis: int, element: int) -> Operand:
        """Take a value that lies further along an axis."""
        place = list(value.element)
        place[axis] = element
        return Operand(value.register, tuple(place))

    def order(self, wires: Sequence[Operand], ranks: Sequence[int], *, axis: int) -> dict[int, Operand]:
        """Find the values of some ranks among others."""
        last = len(wires) - 1
        if set(ranks) <= {0, last}:
            return {rank: self._extreme(wires, larger=rank > 0, axis=axis) for rank in ranks}
        places = list(wires)
        for lower, upper in _comparators(len(places)):
            pair = places[lower], places[upper]
            places[lower], places[upper] = (self._step(larger, *pair, axis=axis) for larger in (False, True))
        return {rank: places[rank] for rank in ranks}

    def _extreme(self, wires: Sequence[Operand], *, larger: bool, axis: int) -> Operand:
        result = wires[0]
        for wire in wires[1:]:
            result = self._step(larger, result, wire, axis=axis)
        return result

    def _step(self, larger: bool, first: Operand, second: Operand, *, axis: int) -> Operand:
        self._steps.append(Step(larger, first, second, len(self._steps) + 1, axis))
        return Operand(len(self._steps), self._here)

    def network(self, results: Sequence[Operand]) -> Network:
        """Leave out the steps that no result needs, and let values share registers, one after the other."""
        needed = {result.register for result in results}
        kept: list[Step] = []
        for step in reversed(self._steps):
            if step.target in needed:
                needed |= {step.first.register, step.second.register}
                kept.append(step)
        kept.reverse()
        last_use = {node: number for number, step in enumerate(kept) for node in _nodes(step)}
        last_use |= {result.register: len(kept) for result in results}
        registers, steps = {0: 0}, []
        free: list[int] = []
        count = 1
        for number, step in enumerate(kept):
            if free:
                target = free.pop()
            else:
                target, count = count, count + 1
            registers[step.target] = target
            first, second = (each._replace(register=registers[each.register]) for each in step[1:3])
            steps.append(Step(step.larger, first, second, target, step.axis))
            free += [registers[node] for node in _nodes(step) if node and last_use[node] == number]
        named = tuple(each._replace(register=registers[each.register]) for each in results)
        return Network(tuple(steps), named, count)


def _nodes(step: Step) -> set[int]:
    return {step.first.register, step.second.register}
