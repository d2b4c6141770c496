"""Open any source of images: a named set, a folder, an archive, a CSV or .npz file, or arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any, Protocol, TypeAlias

import numpy as np

from striate.core.errors import DataError, unknown_name
from striate.core.events import OnEvent, ignore
from striate.core.recipe import FITS
from striate.data.assembling import Collection, assemble, listed
from striate.data.dataset import PARTS, Dataset, Rejected, Split
from striate.data.label_sets import as_labels
from striate.data.listing import counted
from striate.data.named import NAMES
from striate.data.refitting import refit
from striate.data.sources import collect, take_rows
from striate.data.splitting import HoldOut, check_share
from striate.data.wanted import UpTo, Wanted

Source: TypeAlias = "str | PathLike[str] | tuple[Any, Any] | Mapping[str, Any] | Dataset"


class Like(Protocol):
    """What a trained model tells of the images that it takes."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the model's outputs."""

    @property
    def size(self) -> tuple[int, ...]:
        """Height and width, pixels; of series the length, of volumes and clips all three axes."""

    @property
    def channels(self) -> int:
        """1 or 3; series and volumes have any number."""

    @property
    def fit(self) -> str:
        """``pad``, ``crop`` or ``stretch``."""

    @property
    def fill(self) -> tuple[int, ...]:
        """Colour of the padding, a uint8 value per channel."""


def open_dataset(
    source: Source,
    *,
    size: int | UpTo | None = None,
    channels: int | None = None,
    fit: str = "pad",
    validation: float | HoldOut | None = None,
    seed: int = 0,
    cache_gb: float | None = None,
    on_event: OnEvent = ignore,
) -> Dataset:
    """Open a source of images as a dataset with a train, a validation and perhaps a test part.

    Args:
        source: a named set such as ``fashion-mnist``; the path of a folder (of images, of .npy files or of
            videos), archive (.zip, .tar, .tar.gz, ...), .csv or .npz; a pair of arrays (images, labels);
            arrays by the names that an .npz has, or a Dataset, given back. Arrays hold images, series
            (N, C, L), or volumes and clips (N, C, D, H, W); see `striate.data.axes`.
        size: side in pixels of the square that images become; ``None``: arrays and named sets as they
            are; files as they are where all are alike and at most 128, else a square of 128, or of the
            median shorter side where that is less; `UpTo` names another side than 128 for these. Of series
            the length, of volumes and clips height and width.
        channels: 1 or 3; ``None``: 3 where any image has colour. Series and volumes keep those they have.
        fit: how an image of another shape fits: ``pad``, ``crop`` or ``stretch``; see also
            `striate.data.numbers.fit_numbers`.
        validation: share of the training part to hold out, in (0, 0.5], or a `HoldOut`, where the source has
            no validation part; ``None``: 0.15, but at most 5,000 images.
        seed: what the hold-out follows from.
        cache_gb: how much the decoded images of files may take on the disk, all together, GB; 0 keeps
            none; ``None``: 20, but at most a quarter of what is free.
        on_event: told of the progress.

    Returns:
        The dataset.

    Raises:
        DataError: where the source cannot be used, saying why and what would work.

    >>> data = open_dataset("digits")
    >>> len(data.train), len(data.validation), len(data.test), data.size, data.channels
    (1221, 216, 360, (8, 8), 1)
    """
    if isinstance(source, Dataset):
        return source
    if fit not in FITS:
        raise DataError(unknown_name("fit", str(fit), FITS))
    side = size.side if isinstance(size, UpTo) else size
    if side is not None and not 1 <= side <= 4096:
        raise DataError(f"a size of {side} pixels is not in [1, 4096]")
    sized = Wanted(size=None if isinstance(size, UpTo) else size, channels=channels, fit=fit)
    if isinstance(size, UpTo):
        sized = replace(sized, photo_side=size.side, photo_fit=size.fit)
    holding = validation if isinstance(validation, HoldOut) else HoldOut(validation)
    check_share(holding.share)
    collection = collect(source, sized, cache_gb=cache_gb, on_event=on_event)
    told = isinstance(source, str) and source in NAMES
    if collection.images.ndim == 4 and not (collection.flip or told):
        collection = _noted(
            collection,
            "images are not mirrored, since the classes are digits or letters; --flip mirrors them",
        )
    return assemble(collection, holding=holding, seed=seed, on_event=on_event)


def open_split(
    source: Source,
    part: str | None,
    *,
    like: Like,
    cache_gb: float | None = None,
    on_event: OnEvent = ignore,
) -> tuple[Split, tuple[Rejected, ...], tuple[str, ...]]:
    """Open one part of a source in the way that a trained model takes images.

    Args:
        source: as for `open_dataset`.
        part: ``train``, ``validation`` or ``test``; ``None``: test where there is one, else validation,
            else everything.
        like: the model, or anything that has its classes, size, channels, fit and fill.
        cache_gb: as for `open_dataset`.
        on_event: told of the progress.

    Returns:
        The images, labelled by ``like.classes`` (each by one, or by several where the source has several);
        files that could not be read; and what was noticed, such as images of classes that the model does
        not know, which are left out, or which part was read where none was named.

    Raises:
        DataError: where the source cannot be used, has no such part, or no image of a known class.

    >>> split, rejected, notes = open_split("digits", "test", like=open_dataset("digits"))
    >>> len(split), rejected, notes
    (360, (), ())
    """
    if part is not None and part not in PARTS:
        raise DataError(unknown_name("part", str(part), PARTS))
    wanted = Wanted(
        size=tuple(like.size),
        channels=like.channels,
        fit=like.fit,
        fill=tuple(like.fill),
        choice=part or "measured",
    )
    if isinstance(source, Dataset):
        collection = refit(_from_dataset(source, part), wanted)
    else:
        choose = partial(_choose_part, part=part, source=source)
        collection = collect(source, wanted, choose=choose, cache_gb=cache_gb, on_event=on_event)
    if part is None:
        collection = _noted(collection, f"measured on {_told_part(collection)}")
    return _matched(collection, like.classes)


def _noted(collection: Collection, note: str) -> Collection:
    return replace(collection, notes=(*collection.notes, note))


def _told_part(collection: Collection) -> str:
    parts = set(np.unique(collection.parts).tolist())
    return "all images" if parts & {"train", "all"} else f"the {', '.join(parts)} part"


def _choose_part(there: set[str], part: str | None, source: object) -> set[str]:
    if part is None:
        part = next((candidate for candidate in ("test", "validation") if candidate in there), "train")
    chosen = {"train", "all"} if part == "train" else {part}
    if not there & chosen:
        what = f"{source}" if isinstance(source, str | PathLike) else "the source"
        has = ", ".join(name for name in PARTS if name in there) or "one undivided part"
        raise DataError(f"{what} has no {part} part (it has: {has})")
    return chosen


def _from_dataset(data: Dataset, part: str | None) -> Collection:
    splits = {name: split for name in PARTS if (split := getattr(data, name)) is not None}
    chosen = next(name for name in splits if name in _choose_part(set(splits), part, data.name))
    split = splits[chosen]
    return Collection(
        name=data.name,
        source=data.source,
        images=split.images,
        labels=split.labels,
        parts=np.full(len(split), chosen),
        classes=data.classes,
        names=split.names,
        rejected=data.rejected,
    )


def _matched(
    collection: Collection, classes: tuple[str, ...]
) -> tuple[Split, tuple[Rejected, ...], tuple[str, ...]]:
    if collection.labels.ndim == 2:
        return _matched_tables(collection, classes)
    notes = list(collection.notes)
    position = {name: index for index, name in enumerate(classes)}
    mapping = np.array([position.get(name, -1) for name in collection.classes], np.int64)
    labels = mapping[collection.labels]
    unknown = labels < 0
    if unknown.all():
        raise DataError(
            f"{collection.name} has images of {listed(collection.classes, 'class')}, none of which the model "
            f"knows; it knows {listed(classes, 'class')}"
        )
    if unknown.any():
        names = [collection.classes[label] for label in np.unique(collection.labels[unknown])]
        notes.append(
            f"{counted(int(unknown.sum()), 'image')} of classes that the model does not know left out: "
            f"{listed(names, 'class')}"
        )
    known = take_rows(collection, np.flatnonzero(~unknown))
    labels = labels[~unknown]
    absent = [classes[index] for index in np.setdiff1d(np.arange(len(classes)), labels)]
    if absent:
        notes.append(f"no image of {listed(absent, 'class')}")
    return Split(known.images, labels, known.names), collection.rejected, tuple(notes)


def _matched_tables(
    collection: Collection, classes: tuple[str, ...]
) -> tuple[Split, tuple[Rejected, ...], tuple[str, ...]]:
    """Bring tables of labels to the columns of a model; images without any label that it knows stay."""
    notes = list(collection.notes)
    place = {name: column for column, name in enumerate(collection.classes)}
    known = [name for name in classes if name in place]
    if not known:
        raise DataError(
            f"{collection.name} has images of {listed(collection.classes, 'class')}, none of which the model "
            f"knows; it knows {listed(classes, 'class')}"
        )
    unknown = [name for name in collection.classes if name not in set(classes)]
    if unknown:
        notes.append(f"labels that the model does not know left out: {listed(unknown, 'class')}")
    labels = np.zeros((len(collection.labels), len(classes)), np.uint8)
    for column, name in enumerate(classes):
        if name in place:
            labels[:, column] = collection.labels[:, place[name]]
    absent = [name for name, count in zip(classes, labels.sum(axis=0).tolist(), strict=True) if not count]
    if absent:
        notes.append(f"no image of {listed(absent, 'class')}")
    return Split(collection.images, as_labels(labels), collection.names), collection.rejected, tuple(notes)
