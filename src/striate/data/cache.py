"""The cache of decoded images: where it is, what it may take, what it holds, and how it is emptied."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import __version__ as pillow_version
from PIL import features

from striate.core.errors import DataError
from striate.core.files import cache_directory
from striate.data.entry import Entry
from striate.data.wanted import Wanted

FORMAT = 1
"""Raised where images are decoded in another way, or kept in another form, than before."""

DEFAULT_BYTES = 20e9
DEFAULT_SHARE = 0.25
"""By default the cache takes at most so many bytes, and this share of what is free without it."""


@dataclass(frozen=True)
class Cache:
    """All sets of decoded images.

    Args:
        folder: where they are.
        most: bytes that they may take together.
    """

    folder: Path
    most: float

    def entry(self, source: str, wanted: Wanted) -> Entry:
        """Give the place of one source, decoded in one way.

        Args:
            source: path of a folder, table or archive.
            wanted: what its images become.

        Returns:
            The place, which may be empty.
        """
        # Another decoder may round otherwise, and with the cache or without, images are the same.
        decoder = (pillow_version, features.version("libjpeg_turbo"))
        text = json.dumps([FORMAT, os.path.realpath(source), asdict(wanted), decoder])
        return Entry(self.folder, hashlib.sha256(text.encode("ascii")).hexdigest()[:24])

    def entries(self) -> list[Entry]:
        """List the places that are taken.

        Returns:
            The places, the least recently used first.
        """
        names = os.listdir(self.folder) if self.folder.is_dir() else []
        found = [Entry(self.folder, name) for name in names if re.fullmatch("[0-9a-f]{24}", name)]
        return sorted(found, key=lambda entry: (entry.used, entry.name))

    def make_room(self, amount: int, entry: Entry) -> bool:
        """Remove the sets that were not used for longest, until there is room for another one.

        Args:
            amount: bytes that are needed.
            entry: the place of the set that needs them, whose own bytes will be replaced.

        Returns:
            Whether there is room.
        """
        others = [other for other in self.entries() if other != entry]
        taken = sum(other.bytes for other in others)
        for other in others:
            if taken + amount <= self.most:
                break
            there = other.bytes
            if other.remove():
                taken -= there
        return taken + amount <= self.most


def open_cache(cache_gb: float | None) -> Cache | None:
    """Give the cache of decoded images.

    Args:
        cache_gb: how much it may take, GB (1e9 bytes), at least 0; ``None``: 20, but at most a quarter of
            what the disk has free without it.

    Returns:
        The cache; ``None`` for 0.

    Raises:
        DataError: where the bound is no number or under 0.
    """
    if cache_gb is not None and not 0 <= cache_gb < math.inf:
        raise DataError(f"a cache of {cache_gb:g} GB cannot be had; 0 GB (none) or more can")
    if cache_gb == 0:
        return None
    cache = _whole_cache()
    if cache_gb is not None:
        return Cache(cache.folder, cache_gb * 1e9)
    there = next(folder for folder in (cache.folder, *cache.folder.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free + sum(entry.bytes for entry in cache.entries())
    return Cache(cache.folder, min(DEFAULT_BYTES, DEFAULT_SHARE * free))


@dataclass(frozen=True)
class CachedSet:
    """A set of decoded images in the cache.

    Args:
        source: the folder, table or archive that it was decoded from; empty where it was never finished.
        images: how many there are.
        shape: channels, height and width of each.
        bytes: what it takes on the disk.
        used: when it was used last, seconds since 1970.
    """

    source: str
    images: int
    shape: tuple[int, ...]
    bytes: int
    used: float


def cached_sets() -> list[CachedSet]:
    """List the sets of decoded images that the cache holds.

    Returns:
        What each is and what it takes, the least recently used first.

    >>> all(each.bytes >= 0 for each in cached_sets())
    True
    """
    return [_described(entry) for entry in _whole_cache().entries()]


def clean_cache(source: str | os.PathLike[str] | None = None) -> tuple[list[CachedSet], list[CachedSet]]:
    """Remove decoded images from the cache; what was fetched, or is anything else, stays.

    Args:
        source: remove those of this folder, table or archive only; ``None``: all.

    Returns:
        The sets that were removed, and those that were not, because a process is at them or they are not
        ours to remove.
    """
    wanted = None if source is None else os.path.realpath(source)
    removed: list[CachedSet] = []
    left: list[CachedSet] = []
    for entry in _whole_cache().entries():
        described = _described(entry)
        if wanted is None or (described.source and os.path.realpath(described.source) == wanted):
            (removed if entry.remove() else left).append(described)
    return removed, left


def _whole_cache() -> Cache:
    return Cache(cache_directory() / "decoded", 0.0)


def _described(entry: Entry) -> CachedSet:
    index = entry.read()
    if index is None:
        return CachedSet("", 0, (), entry.bytes, entry.used)
    return CachedSet(index.source, len(index.facts.good), index.shape, entry.bytes, entry.used)
