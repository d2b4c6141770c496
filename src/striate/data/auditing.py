"""The audit: what is wrong or odd in a set of images, before anything is trained on it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from striate.core.errors import DataError
from striate.core.events import OnEvent, ignore
from striate.data.archives import ARCHIVE_SUFFIXES, unpacked
from striate.data.assembling import Collection
from striate.data.audit_files import Subject, class_counts, odd_kinds, odd_sizes, unreadable
from striate.data.audit_pictures import blank_pictures, duplicate_rows, placeholders, same_pictures
from striate.data.axes import NOUNS
from striate.data.cache import open_cache
from striate.data.dataset import Labels, Pixels
from striate.data.duplicates import find_duplicates
from striate.data.findings import AuditFinding, sorted_findings
from striate.data.folders import scan_folder
from striate.data.gathering import gather
from striate.data.inspecting import Inspected, inspect
from striate.data.listing import Listing
from striate.data.named import NAMES
from striate.data.recalling import describe_archive, describe_listing
from striate.data.sketching import sketch
from striate.data.sources import collect, collected
from striate.data.tables import TABLE_SUFFIXES, scan_table
from striate.data.wanted import Wanted

PHOTO_SIDE = 224
"""Pixels a side at which photos are looked at: as in a training on pre-trained weights, which finds them."""


@dataclass(frozen=True, eq=False)
class Audit:
    """What is known of a set of images after looking at all of them.

    Args:
        source: what was audited.
        findings: what was found, what matters most first.
        counts: images by class and part; the part is ``all`` where the source is not divided.
        names: of the images that can be read: their files, or their numbers.
        images: these images, padded to one size: uint8 of shape (N, C, H, W).
        labels: the class of each, by name, (N).
        groups: for each image the first one that is the same or nearly so, (N).
        seconds: that it took.
        multi_label: whether images may have several classes, which then are one name in ``labels``.
    """

    source: str
    findings: tuple[AuditFinding, ...]
    counts: dict[str, dict[str, int]]
    names: tuple[str, ...]
    images: Pixels
    labels: tuple[str, ...]
    groups: Labels
    seconds: float
    multi_label: bool = False

    def joined(self, findings: Sequence[AuditFinding]) -> Audit:
        """Give the audit with more findings.

        Args:
            findings: found by other means, such as label suspects.

        Returns:
            A new audit.
        """
        return replace(self, findings=sorted_findings([*self.findings, *findings]))

    def to_dict(self) -> dict[str, Any]:
        """Give the audit as plain values, as JSON has them.

        Returns:
            Source, number of images, counts, findings and seconds.
        """
        return {
            "source": self.source,
            "images": len(self.names),
            "classes": self.counts,
            "findings": [finding.to_dict() for finding in self.findings],
            "seconds": round(self.seconds, 3),
        }


def audit(source: str | PathLike[str], *, cache_gb: float | None = None, on_event: OnEvent = ignore) -> Audit:
    """Look at every image of a source, and say what is wrong or odd.

    Of files it looks at content, name, size, colour mode and turn; of pictures at what is blank, a
    placeholder, there twice, or in the training part and another; of classes at their numbers. The images
    are decoded once, at 224 pixels a side where they are not small and all alike, and kept in the cache.

    Args:
        source: a folder, an archive, a .csv, an .npz or a named set.
        cache_gb: how much decoded images may take on the disk, as for `striate.open_dataset`.
        on_event: told of the progress.

    Returns:
        What was found.

    Raises:
        DataError: where the source cannot be used at all.

    >>> found = audit("digits")
    >>> len(found.names), [finding.kind for finding in found.findings]
    (1797, [])
    """
    began = time.perf_counter()
    collection, files, root = _read(source, cache_gb, on_event)
    if collection.images.ndim != 4:
        raise DataError(
            f"{source} holds {NOUNS[collection.images.ndim - 2]}, and an audit looks at images only"
        )
    names = collection.names or tuple(f"{part} {row}" for row, part in enumerate(collection.parts.tolist()))
    subject = Subject(
        collection, names, files, sketch(collection.images, fill=collection.fill, on_event=on_event), root
    )
    digests = None if files is None else [file.digest for file in files]
    duplicates = find_duplicates(subject.sketches, digests=digests, on_event=on_event)
    copies, _ = duplicate_rows(len(names), [pair for pair in duplicates if pair.kind != "near"])
    _, roots = duplicate_rows(len(names), duplicates)
    findings = [
        *unreadable(subject),
        *same_pictures(subject, duplicates),
        *class_counts(subject),
        *blank_pictures(subject),
        *placeholders(subject, copies),
        *odd_sizes(subject),
        *odd_kinds(subject),
    ]
    return Audit(
        source=str(source),
        findings=sorted_findings(findings),
        counts=subject.counts(),
        names=names,
        images=collection.images,
        labels=tuple(subject.labels),
        groups=roots,
        seconds=time.perf_counter() - began,
        multi_label=collection.labels.ndim == 2,
    )


def _read(
    source: str | PathLike[str], cache_gb: float | None, on_event: OnEvent
) -> tuple[Collection, list[Inspected] | None, Path | None]:
    """Read a source; of files tell what they say of themselves, and the folder that they are in."""
    path = Path(source)
    by_file = os.path.isdir(path) or path.name.lower().endswith((*ARCHIVE_SUFFIXES, *TABLE_SUFFIXES))
    if source in NAMES or not by_file or not path.exists():
        return (
            collect(source, Wanted(photo_side=PHOTO_SIDE), cache_gb=cache_gb, on_event=on_event),
            None,
            None,
        )
    archive = None if os.path.isdir(path) or _is_table(path) else describe_archive(path)
    with _listed(path, on_event) as listing:
        inspected = inspect(listing.files, on_event)
        kept = None if archive is None else describe_listing(archive, listing)
        gathered = gather(
            listing.files,
            Wanted(photo_side=PHOTO_SIDE),
            source=str(path),
            cache=open_cache(cache_gb),
            archive=kept,
            on_event=on_event,
        )
    by_file_object = {id(file): inspected[row] for row, file in enumerate(listing.files)}
    files = [by_file_object[id(file)] for file in gathered.files]
    root = path if os.path.isdir(path) else None
    return collected(listing, gathered, path, "pad"), files, root


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith(TABLE_SUFFIXES)


@contextmanager
def _listed(path: Path, on_event: OnEvent) -> Iterator[Listing]:
    if os.path.isdir(path):
        yield scan_folder(path)
    elif _is_table(path):
        yield scan_table(path)
    else:
        with unpacked(path, on_event=on_event) as listing:
            yield listing
