"""Find out what a source is, read it, and bring its images to the form that is wanted."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from striate.core.errors import DataError
from striate.core.events import OnEvent
from striate.data.archives import ARCHIVE_SUFFIXES, unpacked
from striate.data.arrays import collect_arrays, collect_npz
from striate.data.assembling import Collection
from striate.data.dataset import Labels
from striate.data.folders import scan_folder
from striate.data.gathering import decode_files
from striate.data.listing import Listing, are_characters, class_order
from striate.data.named import NAMES, collect_named
from striate.data.pictures import Size
from striate.data.refitting import refit
from striate.data.tables import TABLE_SUFFIXES, scan_table

PathOrName: TypeAlias = "str | PathLike[str]"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the images of a source are to become; see `decode_files` for what ``None`` means."""

    size: int | Size | None = None
    channels: int | None = None
    fit: str = "pad"
    fill: tuple[int, ...] | None = None


def everything(there: set[str]) -> set[str]:
    """Choose all parts that a source has.

    Args:
        there: the parts that it has.

    Returns:
        The same.
    """
    return there


def collect(
    source: PathOrName | tuple[Any, Any],
    wanted: Wanted,
    *,
    choose: Callable[[set[str]], set[str]] = everything,
    on_event: OnEvent,
) -> Collection:
    """Read a source, decoding only the parts that are chosen.

    Args:
        source: a name, a path, or a pair (images, labels).
        wanted: what the images are to become.
        choose: given the parts that the source has, gives those to read.
        on_event: told of the progress.

    Returns:
        The images.

    Raises:
        DataError: where the source cannot be used.
    """
    if not isinstance(source, str | PathLike):
        return _refitted(take_parts(collect_arrays(*_pair(source)), choose), wanted)
    with _opened(source, on_event) as opened:
        if isinstance(opened, Collection):
            return _refitted(take_parts(opened, choose), wanted)
        chosen = choose({file.part for file in opened.files})
        files = tuple(file for file in opened.files if file.part in chosen)
        return _decoded(replace(opened, files=files), source, wanted, on_event)


def take_parts(collection: Collection, choose: Callable[[set[str]], set[str]]) -> Collection:
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
        images=collection.images[rows],
        labels=collection.labels[rows],
        parts=collection.parts[rows],
        names=collection.names and tuple(collection.names[row] for row in rows),
    )


def _pair(source: Any) -> tuple[Any, Any]:
    if isinstance(source, tuple | list) and len(source) == 2:
        return source[0], source[1]
    raise DataError(
        f"a {type(source).__name__} is no source of images; a name, a path or a pair (images, labels) is"
    )


def _refitted(collection: Collection, wanted: Wanted) -> Collection:
    return refit(collection, size=wanted.size, channels=wanted.channels, fit=wanted.fit, fill=wanted.fill)


@contextmanager
def _opened(source: PathOrName, on_event: OnEvent) -> Iterator[Listing | Collection]:
    """Find out what a name or path is; what was unpacked lies there until the block ends."""
    if isinstance(source, str) and source in NAMES:
        yield collect_named(source, on_event=on_event)
        return
    path = Path(source)
    if os.path.isdir(path):
        yield scan_folder(path)
    elif not os.path.isfile(path):
        raise DataError(_missing(str(source)))
    elif path.name.lower().endswith(ARCHIVE_SUFFIXES):
        with unpacked(path, on_event=on_event) as listing:
            yield listing
    elif path.name.lower().endswith(TABLE_SUFFIXES):
        yield scan_table(path)
    elif path.suffix.lower() == ".npz":
        yield replace(collect_npz(path), source=os.path.abspath(path))
    else:
        raise DataError(
            f"{str(source)!r} is no source of images; a folder, {', '.join(ARCHIVE_SUFFIXES)}, "
            f"{', '.join(TABLE_SUFFIXES)} or .npz is"
        )


def _missing(source: str) -> str:
    nearest = difflib.get_close_matches(source, NAMES, n=1, cutoff=0.6)
    hint = f"; did you mean '{nearest[0]}'?" if nearest else ""
    return f"there is no file or folder {source!r}{hint} (named sets: {', '.join(NAMES)})"


def _decoded(listing: Listing, source: PathOrName, wanted: Wanted, on_event: OnEvent) -> Collection:
    if not listing.files:
        first = f": {listing.rejected[0].name!r}, {listing.rejected[0].reason}" if listing.rejected else ""
        raise DataError(f"{source} has no images{first}")
    images, files, rejected, fill = decode_files(
        listing.files,
        size=wanted.size,
        channels=wanted.channels,
        fit=wanted.fit,
        fill=wanted.fill,
        on_event=on_event,
    )
    classes = class_order(file.label for file in listing.files)
    position = {label: index for index, label in enumerate(classes)}
    return Collection(
        name=_name(source),
        source=os.path.abspath(source),
        images=images,
        labels=np.array([position[file.label] for file in files], np.int64),
        parts=np.array([file.part for file in files]),
        classes=classes,
        names=tuple(file.name for file in files),
        rejected=(*listing.rejected, *rejected),
        notes=listing.notes,
        flip=not are_characters(classes),
        fit=wanted.fit,
        fill=fill,
    )


def _name(source: PathOrName) -> str:
    name = Path(os.path.abspath(source)).name
    for suffix in (*ARCHIVE_SUFFIXES, *TABLE_SUFFIXES):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name
