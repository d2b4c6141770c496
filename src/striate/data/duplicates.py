"""Find pictures that occur more than once: the same file, the same pixels, or nearly the same picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from striate.core.events import OnEvent, ignore
from striate.data.dataset import Labels
from striate.data.hashing import CROPS, WHOLE, Candidates, Window, candidates, seen_through
from striate.data.progress import Progress
from striate.data.registering import correlate_as_they_lie, correlate_registered
from striate.data.sketching import Sketches

SIMILAR = 0.9
"""From this correlation of registered details on, two pictures are taken for the same."""

WORTH_REGISTERING = 0.45
"""Below this correlation as they lie, two pictures are not laid over each other."""

OTHER_HUE = 0.75
"""Pictures whose mean hues differ by more are of other things, such as one thing in other colours. Hues are
measured by the deviation of the grey values, so that neither brightness nor contrast counts."""

SMALLEST_SIDE = 48
"""Images of fewer pixels a side look alike too easily: of these only the same ones are found."""

_AT_ONCE = 512


@dataclass(frozen=True)
class Duplicate:
    """Two pictures that are the same.

    Args:
        first: the row of one.
        second: the row of the other.
        kind: ``file`` (the same bytes), ``pixels`` (the same once decoded) or ``near``.
        similarity: the correlation of their details, in [0, 1]; 1 unless they are near.
    """

    first: int
    second: int
    kind: Literal["file", "pixels", "near"]
    similarity: float = 1.0


class Links:
    """Which rows are linked, directly or over others.

    Args:
        count: how many rows there are.

    >>> links = Links(4)
    >>> links.join(0, 2), links.join(2, 0)
    (True, False)
    >>> links.groups()
    [[0, 2]]
    """

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def root(self, row: int) -> int:
        """Give the row that stands for all that a row is linked with.

        Args:
            row: any.

        Returns:
            The same row for all of them.
        """
        while self._above[row] != row:
            self._above[row] = self._above[self._above[row]]
            row = self._above[row]
        return row

    def join(self, first: int, second: int) -> bool:
        """Link two rows.

        Args:
            first: one.
            second: the other.

        Returns:
            Whether they were not linked before.
        """
        one, other = self.root(first), self.root(second)
        self._above[max(one, other)] = min(one, other)
        return one != other

    def roots(self) -> Labels:
        """Give every row's root, (N)."""
        return np.array([self.root(row) for row in range(len(self._above))], np.int64)

    def groups(self) -> list[list[int]]:
        """Give the rows that are linked with others, group by group, in order."""
        together: dict[int, list[int]] = {}
        for row in range(len(self._above)):
            together.setdefault(self.root(row), []).append(row)
        return [rows for rows in together.values() if len(rows) > 1]


def find_duplicates(
    sketches: Sketches,
    *,
    digests: Sequence[bytes] | None = None,
    parts: Labels | None = None,
    cropped: bool = True,
    on_event: OnEvent = ignore,
) -> list[Duplicate]:
    """Find pictures that occur more than once, each linked to as few others as tie its copies together.

    Near duplicates are found by perceptual hashes in buckets, which pictures keep that are resized,
    compressed again, brightened, cropped, mirrored or turned by quarters or by a few degrees. What the hashes
    find is laid over each other and correlated; only that decides. Blank pictures are compared by their
    files only, images of under 48 pixels a side by files and pixels.

    Args:
        sketches: of the pictures.
        digests: a hash of the file of each, empty where it is not known; ``None``: there are no files.
        parts: a number for each picture; only pairs of other parts are wanted. ``None``: all.
        cropped: whether to look for parts of pictures as well, which takes seven times as long.
        on_event: told of the progress.

    Returns:
        The pairs: same files first, then the same pixels, then near ones.
    """
    links = Links(len(sketches))
    found: list[Duplicate] = []
    if digests is not None:
        keyed = ((row, digest) for row, digest in enumerate(digests) if digest)
        found += _same(keyed, links, parts, "file")
    shown = np.flatnonzero(~sketches.blank)
    keyed = ((row, sketches.digests[row].tobytes()) for row in shown.tolist())
    found += _same(keyed, links, parts, "pixels")
    if sketches.side >= SMALLEST_SIDE:
        rows = shown[links.roots()[shown] == shown]
        windows = (WHOLE, *CROPS) if cropped else (WHOLE,)
        of_rows = None if parts is None else parts[rows]
        looked = candidates(sketches.greys[rows], windows=windows, parts=of_rows, on_event=on_event)
        found += _near(sketches, rows, looked, windows, links, on_event)
    return found


def _same(
    keyed: Iterable[tuple[int, bytes]],
    links: Links,
    parts: Labels | None,
    kind: Literal["file", "pixels"],
) -> list[Duplicate]:
    first_of: dict[bytes, int] = {}
    found = []
    for row, key in keyed:
        first = first_of.setdefault(key, row)
        if links.join(first, row) and (parts is None or parts[first] != parts[row]):
            found.append(Duplicate(first, row, kind))
    return found


def _near(
    sketches: Sketches,
    rows: Labels,
    looked: Candidates,
    windows: tuple[Window, ...],
    links: Links,
    on_event: OnEvent,
) -> list[Duplicate]:
    """Compare what the hashes found, the likeliest first; what is linked by then needs no comparison."""
    order = np.argsort(looked.bits, kind="stable")
    order = order[_of_one_hue(sketches, rows[looked.first[order]], rows[looked.second[order]])]
    found: list[Duplicate] = []
    progress = Progress(on_event, "comparing pictures", len(order), "pairs")
    for start in range(0, len(order), _AT_ONCE):
        chosen = order[start : start + _AT_ONCE]
        ends = zip(rows[looked.first[chosen]].tolist(), rows[looked.second[chosen]].tolist(), strict=True)
        apart = [links.root(one) != links.root(other) for one, other in ends]
        chosen = chosen[np.array(apart, bool)]
        first, second = rows[looked.first[chosen]], rows[looked.second[chosen]]
        moving = np.zeros((len(chosen), *sketches.greys.shape[1:]), np.float32)
        kinds = looked.turn[chosen] * len(windows) + looked.window[chosen]
        for kind in np.unique(kinds).tolist():
            here = kinds == kind
            turn, window = divmod(kind, len(windows))
            moving[here] = seen_through(sketches.greys[second[here]], turn=turn, window=windows[window])
        fixed = sketches.greys[first].astype(np.float32)
        alike = correlate_as_they_lie(fixed, moving) >= WORTH_REGISTERING
        first, second = first[alike], second[alike]
        similarities = correlate_registered(fixed[alike], moving[alike])
        for one, other, similarity in zip(
            first.tolist(), second.tolist(), similarities.tolist(), strict=True
        ):
            if similarity >= SIMILAR and links.join(one, other):
                found.append(Duplicate(min(one, other), max(one, other), "near", round(similarity, 4)))
        progress.advance(min(_AT_ONCE, len(order) - start))
    progress.finish()
    return found


def _of_one_hue(sketches: Sketches, first: Labels, second: Labels) -> npt.NDArray[np.bool_]:
    hues = sketches.hues / (sketches.deviations[:, None] + 5)  # of faint pictures hues are chance
    apart = np.abs(hues[first] - hues[second]).max(axis=1, initial=0)
    both = sketches.coloured[first] & sketches.coloured[second]
    near: npt.NDArray[np.bool_] = ~both | (apart <= OTHER_HUE)
    return near
