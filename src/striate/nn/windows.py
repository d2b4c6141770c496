"""Where the windows of a pooling lie: as plain numbers for torch's operators, and where borders cut them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from striate.geometry import Window

NUMBERS = 4
"""Of one axis in `as_numbers`."""


class Span(NamedTuple):
    """Windows next to each other along an axis that hold equally many elements of the input.

    Args:
        first: the first of these windows.
        outputs: how many there are.
        begin: where in the input the first one's first element lies.
        kernel: elements of the input that each holds.
    """

    first: int
    outputs: int
    begin: int
    kernel: int


def as_numbers(windows: Sequence[Window]) -> list[int]:
    """Write windows as the plain numbers that a torch operator takes.

    The padding after the input is left out: how many windows there are says it.

    Args:
        windows: one an axis.

    Returns:
        Kernel, stride, padding before, and dilation of each axis.

    >>> as_numbers([Window(kernel=3, stride=2, before=1)])
    [3, 2, 1, 1]
    """
    return [
        number
        for window in windows
        for number in (window.kernel, window.stride, window.before, window.dilation)
    ]


def from_numbers(numbers: Sequence[int]) -> tuple[Window, ...]:
    """Read windows from the plain numbers that `as_numbers` gives.

    Args:
        numbers: four an axis.

    Returns:
        One window an axis.
    """
    axes = (numbers[start : start + NUMBERS] for start in range(0, len(numbers), NUMBERS))
    return tuple(
        Window(kernel=kernel, stride=stride, before=before, dilation=dilation)
        for kernel, stride, before, dilation in axes
    )


def spans(size: int, outputs: int, window: Window) -> Iterator[Span]:
    """Group the windows along an axis by how many elements of the input they hold.

    Windows at the borders, of which padding takes a part, are smaller windows; those between are whole.

    Args:
        size: of the input.
        outputs: how many windows there are; each holds at least one element.
        window: how they lie.

    Yields:
        The groups, from the first window to the last.

    >>> [span.kernel for span in spans(5, 5, Window(kernel=3, before=1))]
    [2, 3, 2]
    """
    found: Span | None = None
    parts: tuple[int, int] | None = None
    for output in range(outputs):
        start = output * window.stride - window.before
        taken = held(size, start, window)
        if found is not None and parts == (taken.start, taken.stop):
            found = found._replace(outputs=found.outputs + 1)
            continue
        if found is not None:
            yield found
        parts = taken.start, taken.stop
        found = Span(output, 1, start + taken.start * window.dilation, len(taken))
    if found is not None:
        yield found


def held(size: int, start: int, window: Window) -> range:
    """Say which elements of a window lie in the input.

    Args:
        size: of the input.
        start: where the window begins; negative in the padding.
        window: its elements.

    Returns:
        Their numbers in the window.

    >>> held(5, -1, Window(kernel=3))
    range(1, 3)
    """
    first = max(0, -(start // window.dilation))
    return range(first, max(first, min(window.kernel, (size - 1 - start) // window.dilation + 1)))
