"""Which rows of a drawn network are joined by paths that skip others, and where these are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from striate.geometry import Group, Trace


@dataclass(frozen=True)
class Skip:
    """A path from one row to a later one that is not the next.

    Args:
        start: the row that it comes from; -1 is the last input, -2 the one before.
        end: the row that it leads to.
        lane: how far to the side it is drawn, from 0; paths that overlap have different lanes.
    """

    start: int
    end: int
    lane: int


def paths_between(groups: Sequence[Group], trace: Trace) -> set[tuple[int, int]]:
    """Find which rows read what others give.

    Args:
        groups: the rows, every layer of the trace in one of them.
        trace: of the network.

    Returns:
        Pairs of the row that gives and the row that reads; inputs are rows before 0.
    """
    row_of = {layer: row for row, group in enumerate(groups) for layer in group.layers}
    paths = set()
    for layer, row in row_of.items():
        for read in trace.layers[layer].reads:
            start = row_of[read] if read >= 0 else -len(trace.inputs) - 1 - read
            if start != row:
                paths.add((start, row))
    return paths


def skips_between(paths: set[tuple[int, int]]) -> tuple[Skip, ...]:
    """Find the paths that skip rows, and lay them beside each other.

    Args:
        paths: what `paths_between` gave.

    Returns:
        Each path that does not lead to the next row, the short ones in the inner lanes.
    """
    found: list[Skip] = []
    for start, end in sorted(paths, key=lambda path: (path[1] - path[0], path)):
        if start < end - 1:
            taken = {skip.lane for skip in found if skip.start < end and start < skip.end}
            lane = next(lane for lane in range(len(found) + 1) if lane not in taken)
            found.append(Skip(start, end, lane))
    return tuple(found)
