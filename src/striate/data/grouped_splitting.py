"""Hold out whole groups of images, so that no patient, burst or video is on both sides, and stratified."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError
from striate.core.seeds import derive
from striate.data.dataset import Labels

MOST_MOVES = 100
MOST_SWAPPED = 50
"""So many of the largest groups held out are tried to be swapped for others."""

Figures = npt.NDArray[np.float64]


def hold_out_groups(
    labels: Labels, groups: Labels, *, wanted: int, seed: int, stream: str = "validation"
) -> tuple[Labels, Labels]:
    """Choose which groups are held out, so that the number of images of each class is near its share.

    Groups are taken in random order where that brings the counts nearer to what is wanted, and then taken,
    given back or swapped as long as that helps. Near is by ``sum_c (held_c - wanted_c)^2 / wanted_c`` over
    the classes and the whole. Every class keeps at least one image to learn from; it gives at least one
    where the groups allow it.

    Args:
        labels: class of each image, int64 of shape (N,); or uint8 of shape (N, K), 1 for each class that an
            image has.
        groups: number of each image's group, int64 of shape (N,).
        wanted: how many images to hold out, at least 1.
        seed: what the choice follows from.
        stream: the name of the choice, so that several by one seed differ.

    Returns:
        Indices that stay and indices that are held out, both ascending.

    Raises:
        DataError: where no group can be held out.

    >>> labels, groups = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2, 3, 3])
    >>> kept, held = hold_out_groups(labels, groups, wanted=4, seed=0)
    >>> sorted(labels[held].tolist()), len(set(groups[held]) & set(groups[kept]))
    ([0, 0, 1, 1], 0)
    """
    _, groups = np.unique(groups, return_inverse=True)
    choice = _Choice(_members(labels), groups, wanted)
    if choice.groups < 2:
        raise DataError("all images to train on are of one group, so none can be held out to validate on")
    generator = np.random.default_rng(derive(seed, stream))
    for group in generator.permutation(choice.groups).tolist():
        if choice.fits(group):
            choice.consider(group)
    choice.reach_every_class()
    choice.refine()
    held = choice.held[groups]
    if not held.any():
        raise DataError(
            f"each of the {choice.groups:,} groups holds all images of a class, so none can be held out; "
            "finer groups, or more of them a class, can"
        )
    return np.flatnonzero(~held), np.flatnonzero(held)


def _members(labels: Labels) -> tuple[Labels, Labels]:
    """Give which image is of which class: a pair for each image, or for each label of each image."""
    rows, columns = (np.arange(len(labels)), labels) if labels.ndim == 1 else np.nonzero(labels)
    _, numbers = np.unique(columns, return_inverse=True)
    return rows, numbers.astype(np.int64)


class _Choice:
    """Which groups are held out, and how far the counts are from what is wanted.

    The last of the classes stands for all images together.
    """

    def __init__(self, members: tuple[Labels, Labels], groups: Labels, wanted: int) -> None:
        rows, labels = members
        self.groups = int(groups.max()) + 1
        classes = int(labels.max(initial=-1)) + 1
        pairs, counts = np.unique(groups[rows] * (classes + 1) + labels, return_counts=True)
        sizes = np.bincount(groups)
        every = np.arange(self.groups) * (classes + 1) + classes
        order = np.argsort(np.concatenate([pairs, every]), kind="stable")
        pairs = np.concatenate([pairs, every])[order]
        self._group, self._class = np.divmod(pairs, classes + 1)
        self._count: Figures = np.concatenate([counts, sizes])[order].astype(np.float64)
        self._starts = np.searchsorted(self._group, np.arange(self.groups + 1))
        total = np.append(np.bincount(labels), len(groups)).astype(np.float64)
        self._most = total - 1
        self._divisible = np.bincount(self._class, minlength=classes + 1) > 1
        share = wanted * total / len(groups)
        self._wanted = np.where(self._divisible, np.maximum(share, 1), share)
        self._weight = 1 / np.maximum(self._wanted, 1)
        self._now = np.zeros(classes + 1)
        self.held = np.zeros(self.groups, bool)

    def fits(self, group: int) -> bool:
        """Say whether every class keeps an image when a group is held out too."""
        own = slice(self._starts[group], self._starts[group + 1])
        which = self._class[own]
        return bool((self._now[which] + self._count[own] <= self._most[which]).all())

    def fitting(self) -> npt.NDArray[np.bool_]:
        """Say of which groups that is so, among those that are not held out yet."""
        over = self._now[self._class] + self._count > self._most[self._class]
        fitting: npt.NDArray[np.bool_] = np.bincount(self._group, over, self.groups) == 0
        return fitting & ~self.held

    def consider(self, group: int) -> None:
        """Hold a group out where that brings the counts nearer to what is wanted."""
        own = slice(self._starts[group], self._starts[group + 1])
        which, count = self._class[own], self._count[own]
        off = self._now[which] - self._wanted[which]
        if float((self._weight[which] * (count**2 + 2 * count * off)).sum()) < 0:
            self._move(group)

    def reach_every_class(self) -> None:
        """Hold out one group more for each class that none is held out of, where one may be."""
        for label in np.flatnonzero((self._now == 0) & self._divisible).tolist():
            if self._now[label] == 0:
                here = np.zeros(self.groups, bool)
                here[self._group[self._class == label]] = True
                changes = np.where(here & self.fitting(), self._changes(), np.inf)
                if np.isfinite(changes).any():
                    self._move(int(changes.argmin()))

    def refine(self) -> None:
        """Take, give back or swap groups as long as that brings the counts nearer."""
        for _ in range(MOST_MOVES):
            change, moved = self._best_single()
            if change >= 0:
                change, moved = self._best_swap()
            if change >= -1e-9:
                return
            for group in moved:
                self._move(group)

    def _best_single(self) -> tuple[float, tuple[int, ...]]:
        allowed = np.where(self.held, ~self._is_last(), self.fitting())
        changes = np.where(allowed, self._changes(), np.inf)
        best = int(changes.argmin())
        return float(changes[best]), (best,)

    def _best_swap(self) -> tuple[float, tuple[int, ...]]:
        best: tuple[float, tuple[int, ...]] = (np.inf, ())
        held = np.flatnonzero(self.held)
        sizes = self._starts[held + 1] - self._starts[held]
        for group in held[np.argsort(-sizes, kind="stable")][:MOST_SWAPPED].tolist():
            lost = float(self._changes()[group])
            before = self._now > 0
            self._move(group)
            needed = before & (self._now == 0)
            having = np.bincount(self._group, weights=needed[self._class], minlength=self.groups)
            fits = self.fitting() & (having == needed.sum())
            fits[group] = False
            changes = np.where(fits, self._changes(), np.inf)
            other = int(changes.argmin())
            if lost + changes[other] < best[0]:
                best = lost + float(changes[other]), (group, other)
            self._move(group)
        return best

    def _changes(self) -> Figures:
        """How much further off the counts would be, were each group moved to the other side."""
        sign = np.where(self.held, -1.0, 1.0)[self._group]
        off = (self._now - self._wanted)[self._class]
        terms = self._weight[self._class] * (self._count**2 + 2 * sign * self._count * off)
        changes: Figures = np.bincount(self._group, terms, self.groups).astype(np.float64)
        return changes

    def _is_last(self) -> npt.NDArray[np.bool_]:
        """Which groups hold all that is held out of some class."""
        alone = self._now[self._class] == self._count
        return np.bincount(self._group, weights=alone, minlength=self.groups) > 0

    def _move(self, group: int) -> None:
        own = slice(self._starts[group], self._starts[group + 1])
        sign = -1 if self.held[group] else 1
        self._now[self._class[own]] += sign * self._count[own]
        self.held[group] = not self.held[group]


def divide_groups(labels: Labels, groups: Labels, *, folds: int, seed: int) -> Labels:
    """Divide images into folds of about one size and mixture of classes, no group in two of them.

    Args:
        labels: class of each image, int64 of shape (N,).
        groups: number of each image's group, likewise.
        folds: how many, at least 2.
        seed: what the choice follows from.

    Returns:
        The number of each image's fold, (N,); some are empty where there are too few groups.

    >>> divide_groups(np.array([0, 0, 1, 1]), np.arange(4), folds=2, seed=0).sum().item()
    2
    """
    numbers = np.full(len(labels), folds - 1, np.int64)
    rest = np.arange(len(labels))
    for fold in range(folds - 1):
        wanted = max(1, round(len(rest) / (folds - fold)))
        try:
            kept, held = hold_out_groups(
                labels[rest], groups[rest], wanted=wanted, seed=seed, stream=f"fold {fold}"
            )
        except DataError:  # what is left cannot be divided
            break
        numbers[rest[held]] = fold
        rest = rest[kept]
    return numbers
