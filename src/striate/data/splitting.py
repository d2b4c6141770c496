"""Hold a validation part out of the training part: stratified, by seed, image by image or in whole groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError
from striate.core.seeds import derive
from striate.data.dataset import Labels
from striate.data.grouped_splitting import hold_out_groups
from striate.data.multi_label_splitting import hold_out_label_sets

DEFAULT_SHARE = 0.15
DEFAULT_MOST = 5000


@dataclass(frozen=True)
class HoldOut:
    """What is held out to validate on, where a source has no validation part.

    Args:
        share: of the training images, in (0, 0.5]; ``None``: 0.15, but at most 5,000.
        group_by: images of one group are never divided: a pattern on the file names with the group in
            parentheses, a column of the .csv, or ``duplicates`` (pictures that are the same, or nearly so);
            ``None``: every image is by itself.

    >>> HoldOut(0.2, r"(patient[0-9]+)_").share
    0.2
    """

    share: float | None = None
    group_by: str | None = None


def hold_out(
    labels: Labels, *, share: float | None, seed: int, groups: Labels | None = None
) -> tuple[Labels, Labels]:
    """Choose which images are held out, each class by its share.

    Every class keeps at least one image to learn from, and gives at least one where it has two.

    Args:
        labels: class of each image, int64 of shape (N,); or uint8 of shape (N, K), 1 for each class that an
            image has: then sizes are only near, and a class may give none where the others do not allow it.
        share: share of the images to hold out, in (0, 0.5]; ``None``: 0.15, but at most 5,000.
        seed: what the choice follows from.
        groups: number of each image's group, of shape (N,); groups are held out whole, so that sizes are only
            near. ``None``: every image by itself.

    Returns:
        Indices that stay and indices that are held out, both ascending.

    Raises:
        DataError: where the share is out of range, no class has two images, or no group can be held out.

    >>> kept, held = hold_out(np.array([0] * 8 + [1] * 2), share=0.2, seed=0)
    >>> len(kept), len(held), (held >= 8).sum().item()
    (8, 2, 1)
    """
    check_share(share)
    wanted = round(DEFAULT_SHARE * len(labels)) if share is None else round(share * len(labels))
    if share is None:
        wanted = min(wanted, DEFAULT_MOST)
    if groups is not None:
        return hold_out_groups(labels, groups, wanted=max(1, wanted), seed=seed)
    if labels.ndim == 2:
        return hold_out_label_sets(labels, wanted=max(1, wanted), seed=seed)
    classes, counts = np.unique(labels, return_counts=True)
    if not (counts > 1).any():
        raise DataError(
            "no class has two images, so nothing can be held out to validate on; give more images a class"
        )
    quotas = _quotas(counts, wanted)
    generator = np.random.default_rng(derive(seed, "validation"))
    chosen = [
        generator.permutation(np.flatnonzero(labels == label))[:quota]
        for label, quota in zip(classes, quotas, strict=True)
    ]
    held = np.sort(np.concatenate(chosen)).astype(np.int64)
    kept = np.setdiff1d(np.arange(len(labels), dtype=np.int64), held, assume_unique=True)
    return kept, held


def check_share(share: float | None) -> None:
    """Refuse a share that cannot be held out.

    Args:
        share: the share, or ``None`` for the default.

    Raises:
        DataError: where it is not in (0, 0.5].
    """
    if share is not None and not 0 < share <= 0.5:
        raise DataError(f"a validation share of {share:g} is not in (0, 0.5]")


def _quotas(counts: npt.NDArray[np.int64], wanted: int) -> npt.NDArray[np.int64]:
    # Largest remainders, within at least one held out (of two or more) and at least one kept.
    ideal = wanted * counts / counts.sum()
    most = counts - 1
    quotas: npt.NDArray[np.int64] = np.clip(np.floor(ideal).astype(np.int64), np.minimum(1, most), most)
    for index in np.argsort(quotas - ideal, kind="stable"):
        if quotas.sum() >= wanted:
            break
        if quotas[index] < most[index]:
            quotas[index] += 1
    return quotas
