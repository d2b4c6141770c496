"""Sketches of pictures: a small grey copy, the mean hue and how plain it is, to tell likeness by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from striate.core.events import OnEvent, ignore
from striate.data.dataset import Labels, Pixels
from striate.data.progress import Progress
from striate.data.shrinking import Floats, shrinking
from striate.data.stored import Images, read_rows
from striate.data.working import in_threads

SIDE = 32
"""Height and width of a sketch, pixels."""

BLANK_DEVIATION = 2.0
"""A picture whose grey values deviate by less from their mean, in levels of 256, shows nothing."""

_AT_ONCE = 64
_COLOURS = 512  # eight levels of each of three channels
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class Sketches:
    """What pictures look like from afar, one row each.

    Args:
        greys: uint8 (N, 32, 32), the picture without its padding, stretched.
        hues: float32 (N, 2), the mean of red less green and of blue less green, in levels of 256.
        coloured: bool (N), whether there is any colour.
        deviations: float32 (N), of the grey values from their mean, in levels of 256.
        flatness: float32 (N), the share of the pixels that are exactly as their right-hand neighbours.
        colours: int32 (N), how many of 512 colours make up 98 % of the pixels.
        digests: uint8 (N, 16), a hash of all pixels, the padding among them.
        side: the shorter side of the images, pixels.
    """

    greys: Pixels
    hues: Floats
    coloured: npt.NDArray[np.bool_]
    deviations: Floats
    flatness: Floats
    colours: npt.NDArray[np.int32]
    digests: Pixels
    side: int

    @classmethod
    def empty(cls, count: int, side: int) -> Sketches:
        """Give room for sketches.

        Args:
            count: of how many pictures.
            side: the shorter side of the images, pixels.

        Returns:
            Zeros in every column.
        """
        return cls(
            np.zeros((count, SIDE, SIDE), np.uint8),
            np.zeros((count, 2), np.float32),
            np.zeros(count, bool),
            np.zeros(count, np.float32),
            np.zeros(count, np.float32),
            np.zeros(count, np.int32),
            np.zeros((count, 16), np.uint8),
            side,
        )

    @classmethod
    def joined(cls, several: Sequence[Sketches]) -> Sketches:
        """Put sketches of images of one size one after the other.

        Args:
            several: at least one.

        Returns:
            All of them.
        """
        names = [field.name for field in fields(cls) if field.name != "side"]
        columns = {name: np.concatenate([getattr(each, name) for each in several]) for name in names}
        return cls(**columns, side=several[0].side)

    def __len__(self) -> int:
        return len(self.greys)

    @property
    def blank(self) -> npt.NDArray[np.bool_]:
        """Which pictures show nothing: bool (N)."""
        return self.deviations < BLANK_DEVIATION


def sketch(images: Images, *, fill: tuple[int, ...] | None = None, on_event: OnEvent = ignore) -> Sketches:
    """Make sketches of images, block by block, in threads.

    Args:
        images: uint8 of shape (N, C, H, W), C being 1 or 3, perhaps on the disk.
        fill: colour of the padding around pictures, which is left out; ``None``: there is none.
        on_event: told of the progress.

    Returns:
        The sketches.

    >>> sketch(np.zeros((2, 3, 40, 50), np.uint8)).blank.tolist()
    [True, True]
    """
    count, channels, height, width = images.shape
    found = Sketches.empty(count, min(height, width))
    blocks = [np.arange(start, min(start + _AT_ONCE, count)) for start in range(0, count, _AT_ONCE)]

    def draw(number: int) -> None:
        rows = blocks[number]
        block = np.empty((len(rows), channels, height, width), np.uint8)
        read_rows(images, rows, block)
        hashed = [hashlib.blake2b(image.data, digest_size=16).digest() for image in block]
        found.digests[rows] = np.frombuffer(b"".join(hashed), np.uint8).reshape(-1, 16)
        own, which = np.unique(picture_boxes(block, fill), axis=0, return_inverse=True)
        for place, (top, left, bottom, right) in enumerate(own.tolist()):
            here = np.flatnonzero(which.reshape(-1) == place)
            _draw(block[here, :, top:bottom, left:right], found, rows[here])

    progress = Progress(on_event, "sketching images", count, "images")
    for done in in_threads(draw, [[number] for number in range(len(blocks))]):
        progress.advance(len(blocks[done[0]]))
    progress.finish()
    return found


def picture_boxes(images: Pixels, fill: tuple[int, ...] | None) -> Labels:
    """Find where pictures lie in the padding around them, by its colour.

    Args:
        images: uint8 of shape (N, C, H, W).
        fill: colour of the padding, a value per channel; ``None``: there is none.

    Returns:
        Top, left, bottom and right of each, (N, 4); all of an image that has the one colour throughout.

    >>> image = np.array([[[[0, 0], [7, 7], [0, 0]]]], np.uint8)
    >>> picture_boxes(image, (0,)).tolist()
    [[1, 0, 2, 2]]
    """
    height, width = images.shape[2:]
    whole = np.tile(np.array([0, 0, height, width]), (len(images), 1))
    if fill is None or not len(images):
        return whole
    colour = np.array(fill, np.uint8).reshape(-1, 1, 1)
    shown = (images != colour).any(axis=1)
    down, across = shown.any(axis=2), shown.any(axis=1)
    ends = (down.argmax(axis=1), across.argmax(axis=1))
    others = (height - down[:, ::-1].argmax(axis=1), width - across[:, ::-1].argmax(axis=1))
    return np.where(shown.any(axis=(1, 2))[:, None], np.stack([*ends, *others], axis=1), whole)


def _draw(inner: Pixels, found: Sketches, rows: Labels) -> None:
    if inner.shape[1] == 3:
        means = inner.mean(axis=(2, 3), dtype=np.float32)
        found.hues[rows] = means[:, [0, 2]] - means[:, [1]]
        found.coloured[rows] = (inner != inner[:, :1]).any(axis=(1, 2, 3))
        grey = np.einsum("c,ncij->nij", _GREY, inner.astype(np.float32))
    else:
        grey = inner[:, 0].astype(np.float32)
    height, width = inner.shape[2:]
    small = shrinking(height, SIDE) @ grey @ shrinking(width, SIDE).T
    found.greys[rows] = np.clip(np.rint(small), 0, 255).astype(np.uint8)
    found.deviations[rows] = grey.std(axis=(1, 2))
    found.flatness[rows] = (
        (inner[..., 1:] == inner[..., :-1]).all(axis=1).mean(axis=(1, 2)) if width > 1 else 0
    )
    counts = np.sort(_colour_counts(inner), axis=1)[:, ::-1]
    found.colours[rows] = 1 + (np.cumsum(counts, axis=1) < 0.98 * height * width).sum(axis=1)


def _colour_counts(inner: Pixels) -> npt.NDArray[np.int64]:
    code = np.zeros((len(inner), *inner.shape[2:]), np.int32)
    for channel in range(inner.shape[1]):
        code = code * 8 + (inner[:, channel] >> 5)
    code += (np.arange(len(inner), dtype=np.int32) * _COLOURS)[:, None, None]
    return np.bincount(code.ravel(), minlength=len(inner) * _COLOURS).reshape(len(inner), _COLOURS)
