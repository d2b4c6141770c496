"""Take the images of an archive from the cache without unpacking it, where it is the one that was decoded."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from striate.core.events import OnEvent
from striate.data.cache import Cache
from striate.data.dataset import PARTS, Rejected
from striate.data.entry import CacheFailed
from striate.data.facts import Index, stamp
from striate.data.finishing import load_images
from striate.data.gathering import Gathered
from striate.data.listing import LabelledFile, Listing
from striate.data.wanted import Wanted


def describe_archive(path: Path) -> dict[str, Any]:
    """Give what tells whether an archive is still the one that was decoded.

    Args:
        path: the archive.

    Returns:
        Its stamp, as it is kept in the cache.
    """
    return {"stamp": list(stamp(path, time.time_ns()))}


def describe_listing(archive: dict[str, Any], listing: Listing) -> dict[str, Any]:
    """Give all that is to be kept of an archive and its listing.

    Args:
        archive: from `describe_archive`, before the archive was read.
        listing: its images.

    Returns:
        Plain values, as JSON has them.
    """
    return {
        **archive,
        "labels": [file.label for file in listing.files],
        "parts": [file.part for file in listing.files],
        "rejected": [[item.name, item.reason] for item in listing.rejected],
        "notes": list(listing.notes),
    }


def recall_archive(
    source: str, wanted: Wanted, archive: dict[str, Any], *, cache: Cache, on_event: OnEvent
) -> tuple[Listing, Gathered] | None:
    """Take the images of an archive from the cache.

    Args:
        source: path of the archive.
        wanted: what its images become.
        archive: from `describe_archive`.
        cache: where they may be.
        on_event: told of the progress.

    Returns:
        The listing and the images; ``None`` where they are not there, or not whole.
    """
    if archive["stamp"][1] < 0:
        return None
    entry = cache.entry(source, wanted)
    try:
        with entry.locked(on_event):
            index = entry.read()
            if index is None or index.archive.get("stamp") != archive["stamp"]:
                return None
            listing = _listing(index)
            if listing is None or not cache.make_room(entry.bytes, entry):
                return None
            images, damaged = load_images(entry, index, on_event)
            if len(damaged):
                return None
            entry.mark_used()
    except CacheFailed:
        return None  # gathering will say so
    files = tuple(listing.files[position] for position in index.facts.good)
    reasons = zip(listing.files, index.facts.reasons, strict=True)
    rejected = tuple(Rejected(file.name, reason) for file, reason in reasons if reason)
    return listing, Gathered(images, files, rejected, index.fill)


def _listing(index: Index) -> Listing | None:
    kept = index.archive
    labels: Any = kept.get("labels")
    parts: Any = kept.get("parts")
    notes: Any = kept.get("notes")
    rejected: Any = kept.get("rejected")
    if not (_are_texts(labels) and _are_texts(parts) and _are_texts(notes) and isinstance(rejected, list)):
        return None
    if not len(labels) == len(parts) == len(index.facts.keys) or not set(parts) <= {*PARTS, "all"}:
        return None
    if not all(_are_texts(item) and len(item) == 2 for item in rejected):
        return None
    files = [
        # The content stays in the archive: it is not needed where the images are whole.
        LabelledFile(name, label, part, io.BytesIO)
        for name, label, part in zip(index.facts.keys, labels, parts, strict=True)
    ]
    return Listing(tuple(files), tuple(Rejected(*item) for item in rejected), tuple(notes))


def _are_texts(values: Any) -> bool:
    return isinstance(values, Sequence) and all(isinstance(value, str) for value in values)
