"""The augmentation sheet: pictures, each followed by what chance made of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.core.errors import ShapeError
from striate.plots.tiles import Row, Tile, as_picture, tile_rows

MOST_TILES = 400
"""So many pictures are drawn at most."""

_SIDE = 1.25  # inches of a picture's longer side


@dataclass(frozen=True, eq=False)
class AugmentedRow:
    """A picture and what was made of it.

    Args:
        original: C x H x W, uint8.
        variants: V x C x H x W, uint8.
        label: lines to the left.
        captions: below the original and each variant; none, or one for each.
    """

    original: NDArray[np.uint8]
    variants: NDArray[np.uint8]
    label: Sequence[str] = ()
    captions: Sequence[str] = ()


def augmentation_sheet(
    rows: Sequence[AugmentedRow], path: os.PathLike[str] | str, *, title: str, note: str = ""
) -> None:
    """Draw pictures below each other, each followed by its variants.

    Args:
        rows: from above, at least one.
        path: the PNG file to be made or replaced.
        title: what is written above.
        note: smaller below it, broken into lines.

    Raises:
        ShapeError: where there is nothing to draw, or more than can be looked at.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     row = AugmentedRow(np.zeros((1, 8, 8), np.uint8), np.zeros((2, 1, 8, 8), np.uint8))
    ...     augmentation_sheet([row], f"{folder}/sheet.png", title="Nothing")
    """
    count = sum(1 + len(row.variants) for row in rows)
    if count > MOST_TILES:
        raise ShapeError(
            f"{count:,} pictures are too many for a sheet; {MOST_TILES} are drawn at most, such as "
            f"{len(rows)} rows of {max(0, MOST_TILES // max(1, len(rows)) - 1)} variants"
        )
    tile_rows([_row(row) for row in rows], path, title=title, note=note, side=_SIDE)


def _row(row: AugmentedRow) -> Row:
    captions = list(row.captions) or ["as it is", *([""] * len(row.variants))]
    if len(captions) != 1 + len(row.variants):
        raise ShapeError(f"{len(captions)} captions are for {1 + len(row.variants)} pictures; each has one")
    pictures = [row.original, *row.variants]
    tiles = [
        Tile(as_picture(picture)[0], caption=caption)
        for picture, caption in zip(pictures, captions, strict=True)
    ]
    return Row(tiles, label=row.label)
