"""Decode the files of a listing into one array, or take from the cache what was decoded before."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError
from striate.core.events import Event, OnEvent
from striate.data.cache import Cache
from striate.data.choosing import choose_channels, choose_size, mean_colour
from striate.data.dataset import Pixels, Rejected
from striate.data.decoding import decode_into_box, measure, quiet_pillow
from striate.data.entry import CacheFailed, Entry
from striate.data.facts import Facts, Index, image_checksum
from striate.data.finishing import finish_images, load_images
from striate.data.listing import LabelledFile
from striate.data.memory import allocate, fits_memory
from striate.data.recognising import hashed, recognise, stamp_all
from striate.data.stored import StreamedImages, as_pixels
from striate.data.wanted import Wanted
from striate.data.working import SAMPLE, each

SMALLEST_SOURCE = 4_000_000
"""Sources of fewer bytes are decoded sooner than a cache of them is looked after."""

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Gathered:
    """The images of a listing.

    Args:
        images: uint8 of shape (N, C, H, W).
        files: the files that they show.
        rejected: the files that could not be decoded.
        fill: colour of the padding.
    """

    images: Pixels
    files: tuple[LabelledFile, ...]
    rejected: tuple[Rejected, ...]
    fill: tuple[int, ...]


def gather(
    files: Sequence[LabelledFile],
    wanted: Wanted,
    *,
    source: str,
    cache: Cache | None,
    archive: dict[str, Any] | None = None,
    on_event: OnEvent,
) -> Gathered:
    """Decode files into one array, in their order, whatever the order in which threads finish.

    What the cache has of them and is unchanged is not decoded again; what is decoded is kept there.

    Args:
        files: what to decode.
        wanted: what they become.
        source: path of the folder, table or archive that lists them.
        cache: of decoded images; ``None``: none.
        archive: where they are members of one: its stamp under ``stamp``, and what is to be kept of it.
        on_event: told of the progress, and why nothing is kept where that is so.

    Returns:
        The images, in memory where they take up to a quarter of what is free; else a map of the cache, or
        where that is not to be, what decodes them whenever they are asked for.

    Raises:
        DataError: where no file can be decoded.
    """
    with quiet_pillow():
        if cache is not None:
            stamps = stamp_all(files, on_event)
            size = archive["stamp"][0] if archive else int(stamps[:, 0].clip(0).sum())
        if cache is not None and size >= SMALLEST_SOURCE:
            entry = cache.entry(source, wanted)
            try:
                with entry.locked(on_event):
                    kept = _Kept(cache, entry, source, archive or {}, stamps)
                    return _Gathering(files, wanted, kept, on_event).run()
            except CacheFailed as error:
                message = f"{error}; going on without, so the next run decodes again"
                on_event(Event("warning", {"message": message}))
        return _Gathering(files, wanted, None, on_event).run()


@dataclass(frozen=True, eq=False)
class _Kept:
    """Where decoded images are kept, and what is told of their source."""

    cache: Cache
    entry: Entry
    source: str
    archive: dict[str, Any]
    stamps: npt.NDArray[np.int64]


class _Gathering:
    """One gathering: what is known of each file, and which image of the old set it is, if any."""

    def __init__(
        self, files: Sequence[LabelledFile], wanted: Wanted, kept: _Kept | None, on_event: OnEvent
    ) -> None:
        self._files = files
        self._wanted = wanted
        self._kept = kept
        self._on_event = on_event
        self._facts = Facts.unknown([file.name for file in files])
        self._origin = np.full(len(files), -1, np.int64)
        self._old: Index | None = None

    def run(self) -> Gathered:
        if self._kept is not None:
            self._facts.stamps = self._kept.stamps
            self._old = self._kept.entry.read()
        if self._old is not None:
            self._origin = recognise(self._files, self._facts, self._old.facts, self._on_event)
        shape = self._choose_shape()
        if self._kept is not None and self._is_too_large(self._kept, shape):
            self._kept.entry.clear()
            self._kept = self._old = None
        if self._old is None or self._old.shape != shape:
            self._origin[:] = -1
        return self._reuse() or self._decode(shape)

    def _choose_shape(self) -> Shape:
        """Decide size and channels where they are open, from the heads of as many files as that takes."""
        wanted, facts = self._wanted, self._facts

        def look(position: int) -> None:
            try:
                with self._files[position].open() as content:
                    facts.measures[position] = measure(content)
            except (DataError, OSError) as error:
                self._reject(position, error)

        unseen = self._unseen()
        if wanted.size is not None:
            # One picture with colour decides the channels, and mostly it is the first.
            for position in unseen[:SAMPLE]:
                if not self._channels_are_known():
                    look(position)
            unseen = [] if self._channels_are_known() else self._unseen()
        if unseen:
            each(look, unseen, "looking at images", self._on_event)
        seen = facts.measures[facts.measures[:, 0] > 0]
        if not len(seen) and None in (wanted.size, wanted.channels):
            raise DataError(self._all_broken())
        channels = wanted.channels or choose_channels(seen)
        size = wanted.size or choose_size(seen, wanted.photo_side)
        return channels, *wanted.kept((size, size) if isinstance(size, int) else (size[0], size[1]))

    def _unseen(self) -> list[int]:
        known = self._facts.measures[:, 0] > 0
        return [place for place, reason in enumerate(self._facts.reasons) if not reason and not known[place]]

    def _channels_are_known(self) -> bool:
        return self._wanted.channels is not None or bool((self._facts.measures[:, 2] == 3).any())

    def _reuse(self) -> Gathered | None:
        """Take the set that is kept, where all of its images and none but those are wanted."""
        old, kept, facts = self._old, self._kept, self._facts
        if old is None or kept is None or (self._origin < 0).any():
            return None
        same = np.array_equal(self._origin[facts.good], old.facts.good)
        if not same or self._fill(old.shape) != old.fill:
            return None
        images, damaged = load_images(kept.entry, old, self._on_event)
        if len(damaged):
            self._origin[facts.good[damaged]] = -1
            return None
        stale = old.facts.keys != facts.keys or (old.facts.stamps != facts.stamps).any()
        if stale or old.archive != kept.archive:
            kept.entry.update(replace(old, facts=facts, archive=kept.archive))
        kept.entry.mark_used()
        return self._gathered(images, old.fill)

    def _decode(self, shape: Shape) -> Gathered:
        """Decode what is not known, and keep it in the cache, in memory, or not at all."""
        kept, facts = self._kept, self._facts
        whole = (len(self._files), *shape)
        with ExitStack() as stack:
            images: Pixels | None = None
            name = ""
            if kept is not None:
                name, images = stack.enter_context(kept.entry.begun(whole, self._old))
            elif fits_memory(math.prod(whole)) or any(file.path is None for file in self._files):
                images = allocate(whole)
            self._make_images(images, shape)
            if not len(facts.good):
                raise DataError(self._all_broken())
            fill = self._fill(shape)
            if images is None:
                files = [self._files[position] for position in facts.good]
                stored = StreamedImages(files, shape, fit=self._wanted.fit_of(shape[1:]), fill=fill)
                return self._gathered(as_pixels(stored), fill)
            images = finish_images(images, facts, fill, checked=bool(name))
            if kept is not None and name:
                index = Index(os.path.abspath(kept.source), name, shape, fill, facts, kept.archive)
                kept.entry.keep(index, images)
                images, _ = load_images(kept.entry, index, self._on_event, trusted=True)
            return self._gathered(images, fill)

    def _make_images(self, images: Pixels | None, shape: Shape) -> None:
        """Copy or decode each file's image; what becomes of it is written into the facts."""
        facts, kept, fit = self._facts, self._kept, self._wanted.fit_of(shape[1:])
        if self._old is not None and kept is not None:
            before = kept.entry.map(self._old)
            rows = np.cumsum([not reason for reason in self._old.facts.reasons]) - 1

        def make(position: int) -> None:
            origin = int(self._origin[position])
            if origin >= 0 and images is not None:
                if facts.reasons[position]:
                    return
                images[position] = before[int(rows[origin])]
                if image_checksum(images[position]) == facts.checksums[position, 0]:
                    return
            try:
                with self._files[position].open() as file:
                    content: BinaryIO = file
                    if kept is not None:
                        digest, content = hashed(file)
                        facts.contents[position] = np.frombuffer(digest, np.uint8)
                    pixels, box = decode_into_box(content, size=shape[1:], channels=shape[0], fit=fit)
            except (DataError, OSError) as error:
                self._reject(position, error)
                return
            facts.boxes[position] = box
            facts.sums[position, : shape[0]] = pixels.reshape(shape[0], -1).sum(axis=1, dtype=np.int64)
            if images is not None:
                images[position] = pixels

        # What is broken already by its head is not tried again.
        work = [place for place, reason in enumerate(facts.reasons) if not reason or self._origin[place] >= 0]
        each(make, work, "decoding images", self._on_event)

    def _reject(self, position: int, error: DataError | OSError) -> None:
        if isinstance(error, DataError):
            self._facts.reasons[position] = str(error)
            return
        self._facts.reasons[position] = f"the file cannot be read: {error.strerror or error}"
        self._facts.stamps[position] = -1  # the next time it may be readable
        self._facts.contents[position] = 0

    def _fill(self, shape: Shape) -> tuple[int, ...]:
        if self._wanted.fill is not None:
            return self._wanted.fill
        good = self._facts.good
        train = good[[self._files[position].part in ("train", "all") for position in good]]
        return mean_colour(self._facts, train if len(train) else good, shape[0])

    def _is_too_large(self, kept: _Kept, shape: Shape) -> bool:
        amount = len(self._files) * math.prod(shape)
        if kept.cache.make_room(amount, kept.entry):
            return False
        message = (
            f"the {len(self._files):,} decoded images take {amount / 1e9:.3g} GB, where the cache may take "
            f"{kept.cache.most / 1e9:.3g} GB, so they are not kept; a larger cache_gb keeps them"
        )
        self._on_event(Event("note", {"message": message}))
        return True

    def _gathered(self, images: Pixels, fill: tuple[int, ...]) -> Gathered:
        rejected = [
            Rejected(file.name, reason)
            for file, reason in zip(self._files, self._facts.reasons, strict=True)
            if reason
        ]
        files = tuple(self._files[position] for position in self._facts.good)
        return Gathered(images, files, tuple(rejected), tuple(fill))

    def _all_broken(self) -> str:
        broken = [place for place, reason in enumerate(self._facts.reasons) if reason]
        name, reason = self._files[broken[0]].name, self._facts.reasons[broken[0]]
        return f"none of the {len(broken)} image files can be read; the first, {name!r}, because {reason}"
