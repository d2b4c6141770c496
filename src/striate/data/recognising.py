"""Recognise files that were decoded before: by size and times of change, else by their content."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from striate.core.events import OnEvent
from striate.data.dataset import Labels
from striate.data.facts import Facts, stamp
from striate.data.listing import LabelledFile
from striate.data.progress import Progress
from striate.data.working import each

READ_AT_ONCE = 1 << 24


def recognise(files: Sequence[LabelledFile], facts: Facts, old: Facts, on_event: OnEvent) -> Labels:
    """Find which files were decoded before, and take over what is known of them.

    A file is the same where its name and stamp are; where they are not, its content is compared with that of
    all files, so that what was moved, copied or only touched is not decoded again.

    Args:
        files: those of now.
        facts: of those, with their stamps; what is known is filled in.
        old: of the files that were decoded.
        on_event: told of the progress.

    Returns:
        For each file its position among the old ones, or -1.
    """
    if old.keys == facts.keys:
        candidates = np.arange(len(old.keys))
    else:
        places = {key: place for place, key in enumerate(old.keys)}
        candidates = np.array([places.get(key, -1) for key in facts.keys])
    settled = facts.stamps[:, 1] >= 0
    same = (candidates >= 0) & settled & (old.stamps[candidates] == facts.stamps).all(axis=1)
    origin = np.where(same, candidates, -1)
    by_content = {content.tobytes(): place for place, content in enumerate(old.contents) if content.any()}

    def compare(position: int) -> None:
        try:
            with files[position].open() as file:
                digest, _ = hashed(file)
        except OSError:
            return  # decoding will say why
        candidate = int(candidates[position])
        if candidate >= 0 and old.contents[candidate].tobytes() == digest:
            origin[position] = candidate
        else:
            origin[position] = by_content.get(digest, -1)

    changed = np.flatnonzero(origin < 0).tolist()
    if changed:
        each(compare, changed, "looking for changed images", on_event)
    known = np.flatnonzero(origin >= 0)
    facts.take_over(known, old, origin[known])
    return origin


def stamp_all(files: Sequence[LabelledFile], on_event: OnEvent) -> npt.NDArray[np.int64]:
    """Give the stamps of files.

    Args:
        files: what to look at.
        on_event: told of the progress.

    Returns:
        A row for each, (N, 3); see `striate.data.facts.stamp`. Members of an archive have none.
    """
    now = time.time_ns()
    stamps = np.full((len(files), 3), -1, np.int64)
    progress = Progress(on_event, "looking for changed files", len(files), "files")
    for row, file in enumerate(files):
        if file.path is not None:
            stamps[row] = stamp(file.path, now)
        progress.advance()
    progress.finish()
    return stamps


def hashed(file: BinaryIO) -> tuple[bytes, BinaryIO]:
    """Read a file whole, unless it is huge, and hash it.

    Args:
        file: open, at its start.

    Returns:
        Its SHA-256, and what reads it from its start.
    """
    start = file.read(READ_AT_ONCE)
    if len(start) < READ_AT_ONCE:
        return hashlib.sha256(start).digest(), io.BytesIO(start)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]
    file.seek(0)
    return digest, file
