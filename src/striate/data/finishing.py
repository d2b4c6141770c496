"""The last steps from decoded pictures to images, and reading images that were kept, checking each."""

from __future__ import annotations

import math

import numpy as np

from striate.core.events import OnEvent
from striate.data.dataset import Labels, Pixels
from striate.data.entry import Entry
from striate.data.facts import Facts, Index, image_checksum
from striate.data.memory import fits_memory
from striate.data.pictures import paint_padding
from striate.data.progress import Progress
from striate.data.stored import as_pixels
from striate.data.working import in_threads

_BLOCK_BYTES = 1 << 20


def finish_images(images: Pixels, facts: Facts, fill: tuple[int, ...], *, checked: bool) -> Pixels:
    """Close the gaps that broken files left, and paint the padding, in place.

    Args:
        images: an image, or nothing, for each file.
        facts: what is known of each file; its checksums are written where they are wanted.
        fill: colour of the padding.
        checked: whether the images are kept, so that their checksums are wanted.

    Returns:
        The images of the files that could be decoded: a view.
    """
    good = facts.good
    for row, position in enumerate(good.tolist()):
        if row != position:
            images[row] = images[position]
    images = images[: len(good)]
    shape = images.shape[2:]

    def finish(row: int) -> None:
        top, left, height, width = facts.boxes[good[row]].tolist()
        if (height, width) != shape:
            paint_padding(images[row], (top, left, height, width), fill)
        if checked:
            facts.checksums[good[row]] = image_checksum(images[row])

    for _ in in_threads(finish, _blocks(images.shape)):
        pass
    return images


def load_images(
    entry: Entry, index: Index, on_event: OnEvent, *, trusted: bool = False
) -> tuple[Pixels, Labels]:
    """Read the images that are kept; call it locked.

    Args:
        entry: where they are.
        index: what they are.
        on_event: told of the progress.
        trusted: whether their checksums need not be compared, since they were just written.

    Returns:
        The images, in memory, or mapped where they would take over a quarter of what is free; and the
        rows of those in memory that are damaged.

    Raises:
        CacheFailed: where they cannot be read.
    """
    mapped = entry.map(index)
    if not fits_memory(mapped.nbytes):
        return as_pixels(mapped), np.zeros(0, np.int64)
    images = np.empty(mapped.shape, np.uint8)
    checksums = index.facts.checksums[index.facts.good, 0]
    blocks = _blocks(mapped.shape)
    damaged: list[int] = []

    def load(number: int) -> None:
        rows = np.array(blocks[number], np.int64)
        block = images[rows[0] : rows[-1] + 1]
        mapped.read(rows, block)
        if not trusted:
            pairs = zip(block, checksums[rows], strict=True)
            wrong = [image_checksum(image) != checksum for image, checksum in pairs]
            damaged.extend(rows[wrong].tolist())

    progress = Progress(on_event, "reading decoded images", len(images), "images")
    for done in in_threads(load, [[number] for number in range(len(blocks))]):
        progress.advance(len(blocks[done[0]]))
    progress.finish()
    return images, np.array(sorted(damaged), np.int64)


def _blocks(shape: tuple[int, ...]) -> list[range]:
    """Divide rows into blocks that are worth a thread each."""
    rows = max(1, _BLOCK_BYTES // math.prod(shape[1:]))
    return [range(first, min(first + rows, shape[0])) for first in range(0, shape[0], rows)]
