"""What augmentation makes of a few images, to be looked at before a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from striate.core.seeds import derive
from striate.data.augmentation import Augmentation
from striate.data.batches import as_tensor
from striate.data.dataset import Split
from striate.data.policy import Policy


@dataclass(frozen=True, eq=False)
class Preview:
    """An image, and what chance made of it.

    Args:
        original: C x H x W, uint8.
        labels: its class, or all of its labels.
        variants: V x C x H x W, uint8.
        shares: V x classes: of which classes each is, which is not one alone where images were mixed.
    """

    original: NDArray[np.uint8]
    labels: tuple[int, ...]
    variants: NDArray[np.uint8]
    shares: NDArray[np.float32]


def preview(
    split: Split, augmentation: Augmentation, *, images: int, variants: int, classes: int, seed: int = 0
) -> list[Preview]:
    """Change a few images at random, several times over, as batches of a training would be.

    Args:
        split: what they are drawn from.
        augmentation: what is done to them.
        images: how many, at least 1; all where there are fewer.
        variants: of each, at least 1; where images are mirrored, every other one is.
        classes: how many there are.
        seed: what the choice and the changes follow from.

    Returns:
        A preview for each image, of all classes in turn.

    >>> split = Split(np.zeros((3, 1, 8, 8), np.uint8), np.array([0, 0, 1]))
    >>> found = preview(split, Augmentation(flip=True, shift=1), images=2, variants=3, classes=2)
    >>> [each.labels for each in found], found[0].variants.shape
    ([(0,), (1,)], (3, 1, 8, 8))
    """
    chosen = _in_turn(np.asarray(split.labels), images, seed)
    originals = as_tensor(split.images[chosen])
    labels = torch.as_tensor(np.asarray(split.labels)[chosen], dtype=torch.long)
    table = (labels if labels.ndim == 2 else torch.nn.functional.one_hot(labels, classes)).float()
    made, shares = [], []
    for variant in range(variants):
        generator = torch.Generator().manual_seed(derive(seed, "preview", variant))
        mirrored = (torch.arange(len(chosen)) + variant) % 2 == 1
        changed, of_classes = originals, table
        if isinstance(augmentation, Policy):
            draws = augmentation.draw(mirrored, generator)
            changed = augmentation.change(originals, draws)
            if augmentation.mixes:
                changed, of_classes = augmentation.mix(changed, table, draws, classes=classes)
        else:
            changed = augmentation(originals, mirrored, generator)
        made.append(changed)
        shares.append(of_classes)
    each = torch.stack(made, dim=1).numpy(), torch.stack(shares, dim=1).numpy()
    return [
        Preview(original.numpy(), tuple(own.nonzero()[:, 0].tolist()), variants_of, shares_of)
        for original, own, variants_of, shares_of in zip(originals, table, *each, strict=True)
    ]


def apart(augmentation: Augmentation) -> list[Augmentation]:
    """Take an augmentation apart, so that each of its changes can be looked at by itself.

    Args:
        augmentation: any.

    Returns:
        One for each of its changes, made of every image.

    >>> apart(Augmentation(flip=True, shift=0))
    [Augmentation(flip=True, shift=0)]
    """
    found: list[Augmentation] = []
    if augmentation.flip:
        found.append(Augmentation(flip=True, shift=0))
    if augmentation.shift:
        found.append(Augmentation(flip=False, shift=augmentation.shift))
    if isinstance(augmentation, Policy):
        found += [
            Policy(flip=False, shift=0, changes=(replace(change, share=1.0),))
            for change in augmentation.changes
        ]
    return found


def _in_turn(labels: NDArray[np.int64], count: int, seed: int) -> Sequence[int]:
    """Choose images by chance, one of each class, or of each set of labels, after the other."""
    if labels.ndim == 2:
        labels = np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)
    order = np.random.default_rng(seed).permutation(len(labels))
    seen = np.zeros(int(labels.max()) + 1, dtype=np.int64)
    turns = []
    for index in order:
        turns.append((int(seen[labels[index]]), int(labels[index]), int(index)))
        seen[labels[index]] += 1
    return [index for _, _, index in sorted(turns)[:count]]
