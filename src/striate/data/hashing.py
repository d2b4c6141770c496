"""Perceptual hashes of sketches, of two kinds, and by buckets the pictures whose hashes nearly agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from striate.core.events import OnEvent, ignore
from striate.data.dataset import Labels, Pixels
from striate.data.progress import Progress
from striate.data.shrinking import Floats, shrinking
from striate.data.sketching import SIDE

Hashes = npt.NDArray[np.uint64]
Window: TypeAlias = tuple[float, float, float, float]  # top, left, height, width as shares of the side

WHOLE: Window = (0.0, 0.0, 1.0, 1.0)
CROPS: tuple[Window, ...] = (
    (0.04, 0.04, 0.92, 0.92),
    (0.08, 0.08, 0.84, 0.84),
    (0.0, 0.0, 0.92, 0.92),
    (0.0, 0.08, 0.92, 0.92),
    (0.08, 0.0, 0.92, 0.92),
    (0.08, 0.08, 0.92, 0.92),
)
"""Parts of a picture that may be another picture; what lies between them differs in few bits only."""

TURNS = 8
"""How a picture can lie: four quarter turns, each mirrored or not."""

MOST_BITS = 12
"""Hashes of 64 bits that differ in more are not taken for the same picture's."""

MOST_IN_A_BUCKET = 400
"""Of so many pictures at most that share a quarter of a hash each is compared; the rest is chance."""

_BANDS = 4
_AT_ONCE = 8192
_PAIRS_AT_ONCE = 1 << 22


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of pictures that may be the same.

    Args:
        first: rows, (P); the whole picture looks like a part of the second one.
        second: rows, (P).
        turn: how the second one is turned first, 0 to 7, (P).
        window: which part of it is meant, as an index into the windows that were looked at, (P).
        bits: how many bits differ, (P).
    """

    first: Labels
    second: Labels
    turn: Labels
    window: Labels
    bits: Labels


def turned(pictures: npt.NDArray[Any], turn: int) -> npt.NDArray[Any]:
    """Turn pictures by quarters, and mirror them.

    Args:
        pictures: (..., S, S).
        turn: 0 to 3 quarter turns; 4 to 7: the same, then mirrored.

    Returns:
        A view.

    >>> turned(np.array([[1, 2], [3, 4]]), 4).tolist()
    [[2, 1], [4, 3]]
    """
    quarter = np.rot90(pictures, turn % 4, axes=(-2, -1))
    return quarter[..., ::-1] if turn >= 4 else quarter


@lru_cache(maxsize=64)
def enlarging(start: float, length: float) -> Floats:
    """Give the matrix that takes a stretch of a line of pixels out, at as many pixels as the whole has.

    Args:
        start: where it begins, as a share of the line.
        length: how long it is, likewise.

    Returns:
        float32 (32, 32), linear between pixels.
    """
    places = np.clip(start * SIDE + (np.arange(SIDE) + 0.5) * length - 0.5, 0, SIDE - 1)
    matrix: Floats = np.clip(1 - np.abs(places[:, None] - np.arange(SIDE)[None]), 0, None).astype(np.float32)
    return matrix


def seen_through(greys: Pixels, *, turn: int, window: Window) -> Floats:
    """Give what a window shows of pictures after turning them, at the size of a whole one.

    Args:
        greys: uint8 (N, 32, 32).
        turn: as for `turned`.
        window: which part.

    Returns:
        float32 (N, 32, 32).

    >>> seen_through(np.full((1, 32, 32), 7, np.uint8), turn=5, window=CROPS[0]).max().round(3)
    np.float32(7.0)
    """
    top, left, height, width = window
    seen: Floats = enlarging(top, height) @ turned(greys, turn).astype(np.float32) @ enlarging(left, width).T
    return seen


def hashes(greys: Pixels, *, turn: int = 0, window: Window = WHOLE) -> Hashes:
    """Give two hashes of 64 bits of each picture.

    The first one holds the signs of its lowest 8 x 8 cosine frequencies but for the mean, the second one
    whether it grows brighter from left to right between the cells of a grid of 8 x 9. Neither depends on
    brightness and contrast.

    Args:
        greys: uint8 (N, 32, 32).
        turn: how the pictures are turned first.
        window: which part of them is meant.

    Returns:
        uint64 (N, 2).

    Source: the second one is the difference hash of Krawetz (2013); the first one is his hash by cosine
    frequencies, with 0 for the median, which turns and mirrors keep.
    """
    top, left, height, width = window
    rows, columns = enlarging(top, height), enlarging(left, width)
    frequencies = _cosines()
    down = np.concatenate([frequencies, shrinking(SIDE, 8)]) @ rows
    across = np.concatenate([frequencies, shrinking(SIDE, 9)]) @ columns
    found = np.empty((len(greys), 2), np.uint64)
    for start in range(0, len(greys), _AT_ONCE):
        part = turned(greys[start : start + _AT_ONCE], turn).astype(np.float32)
        both = np.tensordot(down, part, (1, 1)) @ across.T  # (16, N, 17): two large products
        signs = both[:8, :, :8].transpose(1, 0, 2).reshape(-1, 64) > 0
        signs[:, 0] = False
        rises = np.diff(both[8:, :, 8:], axis=2).transpose(1, 0, 2).reshape(-1, 64) > 0
        bits = np.packbits(np.stack([signs, rises], axis=1), axis=2)
        found[start : start + _AT_ONCE] = np.ascontiguousarray(bits).view(np.uint64)[..., 0]
    return found


class Buckets:
    """The hashes of whole pictures, sorted by each quarter of each hash.

    Args:
        base: from `hashes`, (N, 2).
    """

    def __init__(self, base: Hashes) -> None:
        self._base = base
        self._tables = [(kind, band, *self._table(kind, band)) for kind in (0, 1) for band in range(_BANDS)]

    def pairs(self, queries: Hashes) -> tuple[Labels, Labels, Labels]:
        """Find which pictures' hashes nearly agree with those of queries.

        A pair is found where at least one quarter of one of the hashes agrees, and that hash differs in at
        most 12 bits.

        Args:
            queries: (N, 2), the same pictures turned or cropped, in the same order.

        Returns:
            Rows of the base, rows of the queries, and bits that differ; no picture with itself, and some
            pairs more than once.
        """
        found: list[tuple[Labels, Labels, Labels]] = []
        for kind, band, order, keys in self._tables:
            wanted = _quarters(queries[:, kind])[:, band]
            low = np.searchsorted(keys, wanted, "left")
            counts = np.minimum(np.searchsorted(keys, wanted, "right") - low, MOST_IN_A_BUCKET)
            ends = np.cumsum(counts)
            start = 0
            while start < len(queries):
                before = ends[start - 1] if start else 0
                stop = max(start + 1, int(np.searchsorted(ends, before + _PAIRS_AT_ONCE, "right")))
                found.append(self._near(queries[:, kind], kind, order, low, counts, slice(start, stop)))
                start = stop
        first, second, bits = (np.concatenate(column) for column in zip(*found, strict=True))
        return first, second, bits

    def _near(
        self, queries: Hashes, kind: int, order: Labels, low: Labels, counts: Labels, part: slice
    ) -> tuple[Labels, Labels, Labels]:
        each = counts[part]
        second = np.repeat(np.arange(part.start, part.stop), each)
        within = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
        first = order[np.repeat(low[part], each) + within]
        bits = np.bitwise_count(self._base[first, kind] ^ queries[second]).astype(np.int64)
        near = (bits <= MOST_BITS) & (first != second)
        return first[near], second[near], bits[near]

    def _table(self, kind: int, band: int) -> tuple[Labels, npt.NDArray[np.uint16]]:
        keys = _quarters(self._base[:, kind])[:, band]
        order = np.argsort(keys, kind="stable")
        return order, keys[order]


def candidates(
    greys: Pixels,
    *,
    windows: tuple[Window, ...],
    parts: Labels | None = None,
    on_event: OnEvent = ignore,
) -> Candidates:
    """Find the pairs of pictures that may be the same, however one of them is turned or cropped.

    Args:
        greys: uint8 (N, 32, 32).
        windows: the parts of a picture that are looked for among the whole ones.
        parts: a number for each picture; pairs of the same number are left out. ``None``: all are wanted.
        on_event: told of the progress.

    Returns:
        Each unordered pair once, with the turn and the window of the fewest bits.
    """
    if len(greys) < 2:
        return Candidates(*(np.zeros(0, np.int64) for _ in range(5)))
    buckets = Buckets(hashes(greys))
    columns: list[list[Labels]] = [[], [], [], [], []]
    progress = Progress(on_event, "looking for duplicates", len(windows) * TURNS, "ways to turn and crop")
    for number, window in enumerate(windows):
        for turn in range(TURNS):
            first, second, bits = buckets.pairs(hashes(greys, turn=turn, window=window))
            if parts is not None:
                apart = parts[first] != parts[second]
                first, second, bits = first[apart], second[apart], bits[apart]
            filled = (first, second, np.full_like(first, turn), np.full_like(first, number), bits)
            for column, values in zip(columns, filled, strict=True):
                column.append(values)
            progress.advance()
    progress.finish()
    joined = [np.concatenate(column) for column in columns]
    pair = np.minimum(joined[0], joined[1]) * len(greys) + np.maximum(joined[0], joined[1])
    order = np.lexsort((joined[3], joined[2], joined[4], pair))
    _, kept = np.unique(pair[order], return_index=True)
    return Candidates(*(column[order[kept]] for column in joined))


def _quarters(values: Hashes) -> npt.NDArray[np.uint16]:
    return np.ascontiguousarray(values).view(np.uint16).reshape(-1, _BANDS)


@lru_cache(maxsize=1)
def _cosines() -> Floats:
    places = (np.arange(SIDE) + 0.5) / SIDE
    return np.cos(np.pi * np.arange(8)[:, None] * places[None]).astype(np.float32)
