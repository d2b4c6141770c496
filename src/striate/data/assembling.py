"""Turn a collection of decoded images into a Dataset: order the classes, hold out, note what is odd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError
from striate.core.events import OnEvent, ignore
from striate.data.dataset import Dataset, Labels, Pixels, Rejected, Split
from striate.data.grouping import DUPLICATES, check_parts, duplicate_groups, group_names, numbered
from striate.data.label_sets import images_of_classes
from striate.data.listing import class_order, counted
from striate.data.splitting import HoldOut, hold_out
from striate.data.stored import Images, StoredImages, as_pixels


@dataclass(frozen=True, eq=False)
class Collection:
    """Decoded images of one source, in one array, before they are divided.

    Args:
        name: the dataset's name.
        source: what can be opened again, or ``None``.
        images: uint8 of shape (N, C, H, W); unless they are on the disk, its rows are moved in place when it
            is divided.
        labels: index of each image's class in ``classes``, of shape (N,); or, where images may have several,
            uint8 of shape (N, K): 1 for each class that an image has.
        parts: ``train``, ``validation``, ``test`` or ``all`` of each image, of shape (N,).
        classes: names of all classes that occur or may, in order.
        names: where each image came from, or ``None``.
        rejected: files that could not be read.
        notes: what was noticed.
        flip: whether an image means the same when mirrored.
        fit: how the images were fitted.
        fill: colour of their padding.
    """

    name: str
    source: str | None
    images: Pixels
    labels: Labels
    parts: npt.NDArray[np.str_]
    classes: tuple[str, ...]
    names: tuple[str, ...] | None = None
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()
    flip: bool = True
    fit: str = "pad"
    fill: tuple[int, ...] | None = None


def assemble(collection: Collection, *, holding: HoldOut, seed: int, on_event: OnEvent = ignore) -> Dataset:
    """Divide a collection into train, validation and test.

    The classes are those with a training image. A validation part of the source is used as it is.

    Args:
        collection: the images; its array is reordered in place and the splits are views of it.
        holding: what is held out where the source has no validation part.
        seed: what the hold-out follows from.
        on_event: told of the progress where duplicates are looked for, to keep them together.

    Returns:
        The dataset.

    Raises:
        DataError: where there is no training image, one class only, nothing can be held out, or images cannot
            be grouped or are grouped otherwise than the source is divided.
    """
    notes = list(collection.notes)
    in_train = np.isin(collection.parts, ("train", "all"))
    if not in_train.any():
        raise DataError(f"{collection.name} has no image to train on{_blame(collection.rejected)}")
    classes, labels = _choose_classes(collection, in_train, notes)
    rows = {"train": np.flatnonzero(in_train)}
    for part in ("validation", "test"):
        rows[part] = _known_rows(collection, part, classes, labels, notes)
    dividing = len(rows["validation"]) == 0
    groups = _groups(collection, holding.group_by, on_event, dividing=dividing)
    if dividing:
        of_train = None if groups is None else groups[rows["train"]]
        kept, held = hold_out(labels[rows["train"]], share=holding.share, seed=seed, groups=of_train)
        if of_train is not None:
            notes.append(_told_groups(of_train, held))
        rows["train"], rows["validation"] = rows["train"][kept], rows["train"][held]
    for part in ("validation", "test"):
        if len(rows[part]):
            _note_absent(part, labels[rows[part]], classes, notes)
    _note_single(labels[rows["train"]], labels[rows["validation"]], classes, notes)
    _note_everywhere(labels[rows["train"]], classes, notes)
    fill = collection.fill or mean_colour(collection.images, rows["train"])
    splits = _divide(collection, labels, [rows["train"], rows["validation"], rows["test"]])
    return Dataset(
        name=collection.name,
        source=collection.source,
        classes=classes,
        train=splits[0],
        validation=splits[1],
        test=splits[2] if len(rows["test"]) else None,
        rejected=collection.rejected,
        notes=tuple(notes),
        flip=collection.flip,
        fit=collection.fit,
        fill=fill,
    )


def mean_colour(images: Pixels, rows: Labels) -> tuple[int, ...]:
    """Give the mean of each channel over some images, rounded.

    Args:
        images: uint8 of shape (N, C, H, W).
        rows: which of them.

    Returns:
        One value in 0 to 255 per channel.

    >>> mean_colour(np.full((2, 3, 4, 4), 7, np.uint8), np.array([0, 1]))
    (7, 7, 7)
    """
    total = np.zeros(images.shape[1])
    for start in range(0, len(rows), 1024):
        total += images[rows[start : start + 1024]].sum(axis=(0, 2, 3), dtype=np.float64)
    count = len(rows) * images.shape[2] * images.shape[3]
    return tuple(round(value / count) for value in total.tolist())


def _groups(
    collection: Collection, group_by: str | None, on_event: OnEvent, *, dividing: bool
) -> Labels | None:
    if group_by is None:
        return None
    if group_by == DUPLICATES:
        return duplicate_groups(collection.images, on_event) if dividing else None
    names = group_names(group_by, collection.names, source=collection.source)
    check_parts(names, collection.parts.tolist())
    return numbered(names)


def _told_groups(groups: Labels, held: Labels) -> str:
    whole = len(np.unique(groups[held]))
    return (
        f"held out {counted(len(held), 'image')} of {len(groups):,} to validate on, in {whole:,} of "
        f"{counted(len(np.unique(groups)), 'group')}"
    )


def _choose_classes(
    collection: Collection, in_train: npt.NDArray[np.bool_], notes: list[str]
) -> tuple[tuple[str, ...], Labels]:
    """Give the classes that training has images of, and all labels by them: -1 for other classes."""
    count = len(collection.classes)
    present = images_of_classes(collection.labels[in_train], count) > 0
    chosen = tuple(name for name, here in zip(collection.classes, present, strict=True) if here)
    several = collection.labels.ndim == 2
    if len(chosen) < 2:
        only = f"of one class only, '{chosen[0]}'" if chosen else "without any label"
        hint = ", so give the images without it a label of their own" if several and chosen else ""
        raise DataError(
            f"{collection.name} has images {only}; two or more are needed{hint}{_blame(collection.rejected)}"
        )
    lost = [collection.classes[i] for i in np.flatnonzero(images_of_classes(collection.labels, count) == 0)]
    if lost:
        why = "since no image has them" if several else "for want of a readable image"
        notes.append(f"left out {why}: {listed(lost, 'class')}")
    if several:
        return chosen, np.ascontiguousarray(collection.labels[:, present])
    mapping = np.full(count, -1, dtype=np.int64)
    mapping[present] = np.arange(len(chosen))
    return chosen, mapping[collection.labels]


def _known_rows(
    collection: Collection, part: str, classes: tuple[str, ...], labels: Labels, notes: list[str]
) -> Labels:
    here = collection.parts == part
    counts = images_of_classes(collection.labels[here], len(collection.classes))
    pairs = zip(collection.classes, counts.tolist(), strict=True)
    unknown = {name: count for name, count in pairs if count and name not in classes}
    if unknown:
        names = listed(class_order(unknown), "class")
        if labels.ndim == 2:
            notes.append(f"the {part} part has labels that training does not have, left out: {names}")
        else:
            notes.append(
                f"the {part} part has {counted(sum(unknown.values()), 'image')} of classes that training "
                f"does not have, left out: {names}"
            )
    return np.flatnonzero(here if labels.ndim == 2 else here & (labels >= 0))


def _note_absent(part: str, labels: Labels, classes: tuple[str, ...], notes: list[str]) -> None:
    absent = [classes[i] for i in np.flatnonzero(images_of_classes(labels, len(classes)) == 0)]
    if absent:
        notes.append(f"the {part} part has no image of {listed(absent, 'class')}")


def _note_single(train: Labels, validation: Labels, classes: tuple[str, ...], notes: list[str]) -> None:
    counts = images_of_classes(train, len(classes))
    absent = images_of_classes(validation, len(classes)) == 0
    single = [name for name, one in zip(classes, (counts == 1) & absent, strict=True) if one]
    if single:
        notes.append(f"one image only, so nothing to validate on: {listed(single, 'class')}")


def _note_everywhere(train: Labels, classes: tuple[str, ...], notes: list[str]) -> None:
    everywhere = images_of_classes(train, len(classes)) == len(train)
    names = [name for name, each in zip(classes, everywhere, strict=True) if each]
    if names:
        notes.append(
            f"all images to train on have it, so nothing can learn to tell it: {listed(names, 'class')}"
        )


def listed(names: Sequence[str], noun: str) -> str:
    """List names for a sentence, the first five of them.

    Args:
        names: at least one.
        noun: what they are, in the singular.

    Returns:
        Such as ``classes 'ant', 'bee'``.

    >>> listed(["ant", "bee"], "class"), listed(["ant"], "class")
    ("classes 'ant', 'bee'", "class 'ant'")
    """
    plural = f"{noun}es" if len(names) > 1 else noun
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{plural} {', '.join(repr(name) for name in names[:5])}{more}"


def _blame(rejected: tuple[Rejected, ...]) -> str:
    if not rejected:
        return ""
    first = rejected[0]
    return f" ({counted(len(rejected), 'file')} could not be read, the first {first.name!r}: {first.reason})"


def _divide(collection: Collection, labels: Labels, rows: list[Labels]) -> list[Split]:
    splits = []
    for part, images in zip(rows, _divide_images(collection.images, rows), strict=True):
        names = None if collection.names is None else tuple(collection.names[row] for row in part)
        splits.append(Split(images, labels[part], names))
    return splits


def _divide_images(images: Images, rows: list[Labels]) -> list[Pixels]:
    if isinstance(images, StoredImages):
        return [as_pixels(images.pick(part)) for part in rows]
    order = np.concatenate(rows)
    rest = np.setdiff1d(np.arange(len(images), dtype=np.int64), order)
    _permute(images, np.concatenate([order, rest]))
    views = []
    start = 0
    for part in rows:
        view = images[start : start + len(part)]
        if isinstance(images, np.memmap):
            view.flags.writeable = False
        views.append(view)
        start += len(part)
    return views


def _permute(images: Pixels, order: Labels) -> None:
    # In place, along the cycles: a set that nearly fills the memory is not copied.
    sources = order.tolist()
    done = bytearray(len(sources))
    for start, source in enumerate(sources):
        if done[start] or source == start:
            continue
        held = images[start].copy()
        row = start
        while sources[row] != start:
            images[row] = images[sources[row]]
            done[row] = 1
            row = sources[row]
        images[row] = held
        done[row] = 1
