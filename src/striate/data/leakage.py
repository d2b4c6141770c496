"""The short audit before a training: pictures on both sides of a split, blank ones, small classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from striate.core.errors import DataError
from striate.core.events import Event, OnEvent, ignore
from striate.data.assembling import listed
from striate.data.audit_files import IMBALANCED, NEARLY_EMPTY
from striate.data.dataset import Dataset, Split
from striate.data.duplicates import find_duplicates
from striate.data.label_sets import images_of_classes
from striate.data.listing import counted
from striate.data.same_numbers import digests_of
from striate.data.sketching import Sketches, sketch
from striate.data.stored import StreamedImages

MOST_IMAGES = 100_000
"""More images are not compared before a training, which would take minutes."""

_SHOWN = 5


@dataclass(frozen=True)
class Leak:
    """A picture that is measured on, and trained on too.

    Args:
        measured: the file in the validation or test part.
        trained: the file in the training part that is the same, or nearly so.
        part: ``validation`` or ``test``.
        similarity: the correlation of their details; 1 where they are the same.
    """

    measured: str
    trained: str
    part: str
    similarity: float


def audit_briefly(dataset: Dataset, *, allow_leakage: bool, on_event: OnEvent = ignore) -> tuple[Leak, ...]:
    """Look at a dataset of files before a training, and say what is wrong; sets without files are left alone.

    Args:
        dataset: opened for the training.
        allow_leakage: whether to go on where a picture is on both sides of a split.
        on_event: told of the progress and, as warnings and notes, of what was found.

    Returns:
        The pictures on both sides of a split; of each one it is said once.

    Raises:
        DataError: where there are any and they are not allowed, naming the first.
    """
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    there = {name: split for name, split in parts.items() if split is not None and len(split)}
    if any(split.names is None for split in there.values()):
        return ()
    _say_counts(dataset, on_event)
    if dataset.dims != 2:
        return _decide(_same_leaks(there, on_event), there, allow_leakage, on_event)
    total = sum(map(len, there.values()))
    if total > MOST_IMAGES or any(isinstance(split.images, StreamedImages) for split in there.values()):
        message = (
            f"{total:,} images are too many to look for duplicates before a training; 'striate audit' does"
        )
        on_event(Event("note", {"message": message}))
        return ()
    fill = dataset.fill if dataset.fit == "pad" else None
    sketches = {name: sketch(split.images, fill=fill, on_event=on_event) for name, split in there.items()}
    _say_blank(there, sketches, on_event)
    return _decide(_leaks(there, sketches, on_event), there, allow_leakage, on_event)


def _decide(
    leaks: tuple[Leak, ...], parts: dict[str, Split], allow_leakage: bool, on_event: OnEvent
) -> tuple[Leak, ...]:
    """Refuse what is on both sides of a split, or warn of it where that is allowed."""
    if leaks:
        message = _told(leaks, parts)
        if not allow_leakage:
            audited = "'striate audit' lists them all: " if parts["train"].images.ndim == 4 else ""
            raise DataError(
                f"{message}; {audited}remove them, keep them on one side by "
                "--group-by duplicates where striate divides the data, or go on with --allow-leakage"
            )
        on_event(Event("warning", {"message": f"{message}; going on, as allowed"}))
    return leaks


def _same_leaks(parts: dict[str, Split], on_event: OnEvent) -> tuple[Leak, ...]:
    """Find series and volumes that are measured on, and whose very numbers are trained on."""
    trained = dict(zip(digests_of(parts["train"].images, on_event), parts["train"].names or (), strict=True))
    leaks = []
    for part, split in parts.items():
        if part != "train":
            named = zip(digests_of(split.images, on_event), split.names or (), strict=True)
            leaks += [Leak(name, trained[digest], part, 1.0) for digest, name in named if digest in trained]
    return tuple(leaks)


def _leaks(parts: dict[str, Split], sketches: dict[str, Sketches], on_event: OnEvent) -> tuple[Leak, ...]:
    together = Sketches.joined(list(sketches.values()))
    names = [name for split in parts.values() for name in split.names or ()]
    of = [part for part, split in parts.items() for _ in range(len(split))]
    sides = np.array([part != "train" for part in of], np.int64)
    found = find_duplicates(together, parts=sides, cropped=False, on_event=on_event)
    leaks: dict[int, Leak] = {}
    for pair in found:
        trained, measured = sorted((pair.first, pair.second), key=lambda row: int(sides[row]))
        leaks.setdefault(measured, Leak(names[measured], names[trained], of[measured], pair.similarity))
    return tuple(leaks[row] for row in sorted(leaks))


def _told(leaks: tuple[Leak, ...], parts: dict[str, Split]) -> str:
    counts = {part: sum(leak.part == part for leak in leaks) for part in parts if part != "train"}
    said = " and ".join(
        f"{count:,} of the {len(parts[part]):,} {part} images" for part, count in counts.items() if count
    )
    pairs = ", ".join(f"{leak.measured!r} is {leak.trained!r}" for leak in leaks[:_SHOWN])
    more = f" and {len(leaks) - _SHOWN:,} more" if len(leaks) > _SHOWN else ""
    return f"the training part also holds {said}, on which accuracy is no evidence: {pairs}{more}"


def _say_blank(parts: dict[str, Split], sketches: dict[str, Sketches], on_event: OnEvent) -> None:
    blank = [
        name
        for part, split in parts.items()
        for name, is_blank in zip(split.names or (), sketches[part].blank.tolist(), strict=True)
        if is_blank
    ]
    if blank:
        shown = ", ".join(repr(name) for name in blank[:_SHOWN])
        more = f" and {len(blank) - _SHOWN:,} more" if len(blank) > _SHOWN else ""
        message = f"{counted(len(blank), 'picture')} of one colour all over: {shown}{more}"
        on_event(Event("warning", {"message": message}))


def _say_counts(dataset: Dataset, on_event: OnEvent) -> None:
    counts = images_of_classes(dataset.train.labels, len(dataset.classes))
    few = [name for name, count in zip(dataset.classes, counts.tolist(), strict=True) if count < NEARLY_EMPTY]
    if few:
        message = f"fewer than {NEARLY_EMPTY} images to train on of {listed(few, 'class')}"
        on_event(Event("note", {"message": message}))
    if counts.max() >= IMBALANCED * max(int(counts.min()), 1):
        most, least = dataset.classes[int(counts.argmax())], dataset.classes[int(counts.argmin())]
        message = (
            f"class {most!r} has {counts.max():,} images to train on and class {least!r} {counts.min():,}; "
            f"look at the {'average precision' if dataset.multi_label else 'recall'} of each class, not at "
            f"the {'mean' if dataset.multi_label else 'accuracy'} alone"
        )
        on_event(Event("note", {"message": message}))
