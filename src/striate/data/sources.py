"""Find out what a source is, read it, and bring its images to the form that is wanted."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from striate.core.errors import DataError
from striate.core.events import OnEvent
from striate.data.archives import ARCHIVE_SUFFIXES, unpacked
from striate.data.arrays import collect_arrays, collect_mapping, collect_npz
from striate.data.assembling import Collection
from striate.data.cache import Cache, open_cache
from striate.data.clips import ClipReader, sought_in
from striate.data.dataset import Labels
from striate.data.folders import IMAGES, Sought, scan_folder
from striate.data.gathering import Gathered, gather
from striate.data.label_sets import label_table
from striate.data.listing import LabelledFile, Listing, are_characters, class_order
from striate.data.named import NAMES, collect_named
from striate.data.number_files import NUMBERS, NumberReader, gather_numbers
from striate.data.numbered import collect_series_table
from striate.data.pictures import Size
from striate.data.recalling import describe_archive, describe_listing, recall_archive
from striate.data.refitting import check_images, refit
from striate.data.series_tables import is_series_table
from striate.data.stored import pick_rows
from striate.data.tables import TABLE_SUFFIXES, scan_table
from striate.data.wanted import Wanted

PathOrName: TypeAlias = "str | PathLike[str]"
Choose: TypeAlias = Callable[[set[str]], set[str]]


def everything(there: set[str]) -> set[str]:
    """Choose all parts that a source has.

    Args:
        there: the parts that it has.

    Returns:
        The same.
    """
    return there


def collect(
    source: PathOrName | tuple[Any, Any] | Mapping[str, Any],
    wanted: Wanted,
    *,
    choose: Choose = everything,
    cache_gb: float | None = None,
    on_event: OnEvent,
) -> Collection:
    """Read a source, decoding only the parts that are chosen.

    Args:
        source: a name, a path, a pair (images, labels), or arrays by the names that an .npz file has.
        wanted: what the images are to become.
        choose: given the parts that the source has, gives those to read; ``wanted.choice`` names it.
        cache_gb: how much decoded images may take on the disk; see `open_cache`.
        on_event: told of the progress.

    Returns:
        The images.

    Raises:
        DataError: where the source cannot be used.
    """
    cache = open_cache(cache_gb)
    if not isinstance(source, str | PathLike):
        return refit(take_parts(_of_memory(source, on_event), choose), wanted)
    if isinstance(source, str) and source in NAMES:
        return refit(take_parts(collect_named(source, on_event=on_event), choose), wanted)
    path = Path(source)
    name = path.name.lower()
    if os.path.isdir(path):
        sought = sought_in(path)
        if sought is not IMAGES:
            return _of_number_files(path, sought, wanted, choose=choose, on_event=on_event)
        return _decoded(scan_folder(path), path, wanted, choose=choose, cache=cache, on_event=on_event)
    if not os.path.isfile(path):
        raise DataError(_missing(str(source)))
    if name.endswith(ARCHIVE_SUFFIXES):
        return _of_archive(path, wanted, choose=choose, cache=cache, on_event=on_event)
    if name.endswith(TABLE_SUFFIXES) and is_series_table(path):
        opened = replace(collect_series_table(path, on_event=on_event), name=_name(path))
        return refit(take_parts(opened, choose), wanted)
    if name.endswith(TABLE_SUFFIXES):
        return _decoded(scan_table(path), path, wanted, choose=choose, cache=cache, on_event=on_event)
    if path.suffix.lower() == ".npz":
        opened = replace(collect_npz(path, on_event=on_event), source=os.path.abspath(path))
        return refit(take_parts(opened, choose), wanted)
    raise DataError(
        f"{str(source)!r} is no source of images; a folder, {', '.join(ARCHIVE_SUFFIXES)}, "
        f"{', '.join(TABLE_SUFFIXES)} or .npz is"
    )


def take_parts(collection: Collection, choose: Choose) -> Collection:
    """Give the images of some parts.

    Args:
        collection: the images.
        choose: given the parts that there are, gives those to take.

    Returns:
        The collection itself where all are taken, else a copy of the rows.
    """
    chosen = choose(set(np.unique(collection.parts).tolist()))
    return take_rows(collection, np.flatnonzero(np.isin(collection.parts, list(chosen))))


def take_rows(collection: Collection, rows: Labels) -> Collection:
    """Give some images of a collection.

    Args:
        collection: the images.
        rows: which, ascending.

    Returns:
        The collection itself where all are taken, else a copy of the rows.
    """
    if len(rows) == len(collection.labels):
        return collection
    return replace(
        collection,
        images=pick_rows(collection.images, rows),
        labels=collection.labels[rows],
        parts=collection.parts[rows],
        names=collection.names and tuple(collection.names[row] for row in rows),
    )


def _of_memory(source: Any, on_event: OnEvent) -> Collection:
    if isinstance(source, Mapping):
        return collect_mapping(source, on_event=on_event)
    if isinstance(source, tuple | list) and len(source) == 2:
        return collect_arrays(source[0], source[1], on_event=on_event)
    raise DataError(
        f"a {type(source).__name__} is no source of images; a name, a path or a pair (images, labels) is"
    )


def _missing(source: str) -> str:
    nearest = difflib.get_close_matches(source, NAMES, n=1, cutoff=0.6)
    hint = f"; did you mean '{nearest[0]}'?" if nearest else ""
    return f"there is no file or folder {source!r}{hint} (named sets: {', '.join(NAMES)})"


def _of_number_files(
    path: Path, sought: Sought, wanted: Wanted, *, choose: Choose, on_event: OnEvent
) -> Collection:
    """Read a folder of .npy files or videos."""
    listing = _chosen(scan_folder(path, sought), choose, path)
    reader = NumberReader() if sought is NUMBERS else ClipReader(channels=wanted.channels or 3)
    gathered = gather_numbers(listing, reader, wanted, on_event=on_event)
    collection = collected(listing, gathered, path, wanted.fit)
    return refit(replace(collection, flip=False), wanted)


def _of_archive(
    path: Path, wanted: Wanted, *, choose: Choose, cache: Cache | None, on_event: OnEvent
) -> Collection:
    """Take the images of an archive from the cache, or unpack and decode it."""
    check_images(wanted, str(path))
    archive = describe_archive(path)
    if cache is not None:
        recalled = recall_archive(str(path), wanted, archive, cache=cache, on_event=on_event)
        if recalled is not None:
            return collected(*recalled, path, wanted.fit_of(_size(recalled[1])))
    with unpacked(path, on_event=on_event) as listing:
        return _decoded(listing, path, wanted, choose=choose, cache=cache, archive=archive, on_event=on_event)


def _decoded(
    listing: Listing,
    source: Path,
    wanted: Wanted,
    *,
    choose: Choose,
    cache: Cache | None,
    archive: dict[str, Any] | None = None,
    on_event: OnEvent,
) -> Collection:
    check_images(wanted, str(source))
    listing = _chosen(listing, choose, source)
    gathered = gather(
        listing.files,
        wanted,
        source=str(source),
        cache=cache,
        archive=None if archive is None else describe_listing(archive, listing),
        on_event=on_event,
    )
    return collected(listing, gathered, source, wanted.fit_of(_size(gathered)))


def _chosen(listing: Listing, choose: Choose, source: Path) -> Listing:
    """Leave out the files of parts that are not wanted."""
    chosen = choose({file.part for file in listing.files})
    listing = replace(listing, files=tuple(file for file in listing.files if file.part in chosen))
    if not listing.files:
        first = f": {listing.rejected[0].name!r}, {listing.rejected[0].reason}" if listing.rejected else ""
        raise DataError(f"{source} has no images{first}")
    return listing


def _size(gathered: Gathered) -> Size:
    return int(gathered.images.shape[2]), int(gathered.images.shape[3])


def collected(listing: Listing, gathered: Gathered, source: Path, fit: str) -> Collection:
    """Make a collection of what was gathered.

    Args:
        listing: the files of the source.
        gathered: the images of those that are wanted.
        source: its path.
        fit: how the images were fitted.

    Returns:
        The images, labels, names and what was noticed.
    """
    classes, labels = _labels(listing, gathered.files)
    return Collection(
        name=_name(source),
        source=os.path.abspath(source),
        images=gathered.images,
        labels=labels,
        parts=np.array([file.part for file in gathered.files]),
        classes=classes,
        names=tuple(file.name for file in gathered.files),
        rejected=(*listing.rejected, *gathered.rejected),
        notes=listing.notes,
        flip=not are_characters(classes),
        fit=fit,
        fill=gathered.fill,
    )


def _labels(listing: Listing, files: Sequence[LabelledFile]) -> tuple[tuple[str, ...], Labels]:
    if listing.classes is not None:
        return listing.classes, label_table([file.labels or () for file in files], listing.classes)
    classes = class_order(file.label for file in listing.files)
    position = {label: index for index, label in enumerate(classes)}
    return classes, np.array([position[file.label] for file in files], np.int64)


def _name(source: Path) -> str:
    name = Path(os.path.abspath(source)).name
    for suffix in (*ARCHIVE_SUFFIXES, *TABLE_SUFFIXES):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name
