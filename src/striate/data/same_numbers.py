"""Find series, volumes and clips that occur more than once: those of exactly the same numbers."""

from __future__ import annotations

import hashlib

import numpy as np

from striate.core.events import OnEvent, ignore
from striate.data.progress import Progress
from striate.data.stored import Images

_BLOCK_BYTES = 1 << 25


def digests_of(items: Images, on_event: OnEvent = ignore) -> list[bytes]:
    """Hash every item of an array.

    Args:
        items: N x any, maybe on the disk.
        on_event: told of the progress.

    Returns:
        N hashes; those of items with the same numbers are the same.

    >>> one, other, same = digests_of(np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]))
    >>> one == other, one == same
    (False, True)
    """
    progress = Progress(on_event, "looking for duplicates", len(items), "items")
    rows = max(1, _BLOCK_BYTES // max(1, items.nbytes // max(1, len(items))))
    found = []
    for start in range(0, len(items), rows):
        block = np.asarray(items[start : start + rows])
        found += [hashlib.blake2b(np.ascontiguousarray(item).data, digest_size=16).digest() for item in block]
        progress.advance(len(block))
    progress.finish()
    return found
