"""Draw some of a dataset's training images: evenly over the classes, smaller draws within larger ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from striate.core.seeds import derive
from striate.data import Dataset, Split
from striate.data.dataset import Labels
from striate.data.stored import pick_rows


def fewer(dataset: Dataset, count: int, *, seed: int) -> Dataset:
    """Keep some of the training images, and leave all other parts as they are.

    Args:
        dataset: what is drawn from.
        count: how many training images are kept, at least 1; all, where there are fewer.
        seed: what the choice follows from; with the same, a smaller draw is a part of a larger one.

    Returns:
        The dataset with fewer training images, which have its classes in the same shares, as nearly as whole
        images allow, and at least one image of each class where ``count`` allows.

    >>> labels = np.array([0] * 6 + [1] * 3)
    >>> split = Split(np.zeros((9, 1, 4, 4), np.uint8), labels)
    >>> data = Dataset("a", None, ("b", "c"), train=split, validation=split, test=None)
    >>> np.bincount(fewer(data, 3, seed=0).train.labels).tolist()
    [2, 1]
    """
    if count >= len(dataset.train):
        return dataset
    rows = np.sort(even_order(dataset.train.labels, seed=seed)[:count])
    return replace(dataset, train=_picked(dataset.train, rows))


def even_order(labels: Labels, *, seed: int) -> Labels:
    """Order images so that every beginning has the classes in about the shares of the whole.

    The images of each class are put in random order and spread evenly from 0 to 1, the first of each before
    all others; where they lie gives the order.

    Args:
        labels: class of each image, int64 of shape (N,).
        seed: what the order follows from.

    Returns:
        The numbers of all images.
    """
    generator = np.random.default_rng(derive(seed, "even order"))
    places = np.empty(len(labels))
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        places[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
        places[rows[0]] -= 1
    order: Labels = np.argsort(places + 1e-9 * generator.random(len(labels)), kind="stable")
    return order


def _picked(split: Split, rows: Labels) -> Split:
    names = None if split.names is None else tuple(split.names[row] for row in rows.tolist())
    return Split(pick_rows(split.images, rows), split.labels[rows], names)
