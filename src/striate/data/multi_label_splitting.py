"""Hold images out that may have several labels, so that every label has its share on both sides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError
from striate.core.seeds import derive
from striate.data.dataset import Labels

KEPT, HELD = 0, 1


def hold_out_label_sets(table: Labels, *, wanted: int, seed: int) -> tuple[Labels, Labels]:
    """Choose which images are held out, each label by its share, as nearly as the labels of others allow.

    Iterative stratification: the label with the fewest images that are not placed yet comes first; each of
    its images goes to the side that lacks most images of this label, of equal ones to the side that lacks
    most images, and images without a label fill up what is left.

    Every label keeps at least one image to learn from; of a label of two or more images one is to be held
    out, which can fail where their other labels have no second image.

    Args:
        table: (N, K): 1 for each label that an image has.
        wanted: how many images to hold out, at least 1; the number comes out near it.
        seed: what the choice follows from.

    Returns:
        Indices that stay and indices that are held out, both ascending.

    Raises:
        DataError: where nothing can be held out, since every image is the only one of some label.

    Source: Sechidis, Tsoumakas and Vlahavas, On the stratification of multi-label data, ECML PKDD 2011,
    algorithm 1, for two subsets; here rare labels ask for a whole image, and the last image of a label stays.

    >>> table = np.array([[1, 0]] * 6 + [[1, 1]] * 4, np.uint8)
    >>> kept, held = hold_out_label_sets(table, wanted=5, seed=0)
    >>> table[held].sum(axis=0).tolist()
    [5, 2]
    """
    generator = np.random.default_rng(derive(seed, "validation"))
    sides = _Sides(table, wanted)
    order = generator.permutation(len(table))
    # Ties of both numbers are decided by chance, in the order of the images.
    chances = generator.integers(2, size=len(table))
    shuffled = table[order]
    while (label := sides.rarest()) is not None:
        for row in order[shuffled[:, label] > 0].tolist():
            if not sides.placed[row]:
                sides.place(row, label, int(chances[row]))
    for row in order.tolist():
        if not sides.placed[row]:
            sides.place(row, None, int(chances[row]))
    if not sides.held.any():
        raise DataError(
            f"each of the {len(table):,} images is the only one of some label, so none can be held out to "
            "validate on; give more images a label"
        )
    return np.flatnonzero(~sides.held), np.flatnonzero(sides.held)


class _Sides:
    """What is placed on either side, and what both still lack."""

    def __init__(self, table: Labels, wanted: int) -> None:
        images = table.sum(axis=0, dtype=np.int64)
        share = wanted * images / len(table)
        held = np.where(images > 1, np.maximum(share, 1), 0)
        self._table = table
        self._lacking: npt.NDArray[np.float64] = np.stack([images - held, held])
        self._room = [len(table) - wanted, wanted]
        self._keepable = images.copy()
        self.left = images
        self.placed = np.zeros(len(table), bool)
        self.held = np.zeros(len(table), bool)

    def rarest(self) -> int | None:
        """Give the label with the fewest images to be placed; nothing where all are."""
        if not (self.left > 0).any():
            return None
        return int(np.where(self.left > 0, self.left, np.iinfo(np.int64).max).argmin())

    def place(self, row: int, label: int | None, chance: int) -> None:
        """Put an image on the side that lacks most of a label; of no label, on the one with more room."""
        own = np.flatnonzero(self._table[row])
        kept, held = (0.0, 0.0) if label is None else self._lacking[:, label].tolist()
        side = HELD if (held, self._room[HELD], chance) > (kept, self._room[KEPT], 1 - chance) else KEPT
        if side == HELD and (self._keepable[own] < 2).any():
            side = KEPT
        self._lacking[side, own] -= 1
        self._room[side] -= 1
        self.left[own] -= 1
        self._keepable[own] -= side
        self.placed[row] = True
        self.held[row] = side == HELD
