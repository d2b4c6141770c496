"""What an audit finds in classes and files: counts, sizes, colour modes, names, what cannot be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from striate.data.assembling import Collection, listed
from striate.data.dataset import Labels
from striate.data.decoding import Head
from striate.data.findings import AuditFinding, Item
from striate.data.inspecting import Inspected, is_misnamed
from striate.data.label_sets import images_of_classes
from striate.data.listing import counted
from striate.data.sketching import Sketches

NEARLY_EMPTY = 10
"""A class of fewer training images can hardly be learnt."""

IMBALANCED = 5.0
"""From this ratio of the largest to the smallest class on, accuracy says little of the smallest."""

SMALL_SHARE = 0.5
"""A picture whose shorter side is less than this share of what it is brought to is blown up."""

LONG = 3.0
"""A picture so many times as long as it is wide becomes mostly padding."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What is audited.

    Args:
        collection: the images, their labels and parts.
        names: of the images: their files, or for arrays their numbers.
        files: what each file says of itself; ``None`` for arrays.
        sketches: of the images.
        root: the folder that they are of; ``None`` where they are of none.
    """

    collection: Collection
    names: Sequence[str]
    files: Sequence[Inspected] | None
    sketches: Sketches
    root: Path | None = None

    @cached_property
    def labels(self) -> list[str]:
        """The class of each image, by name; of images that may have several, all of them."""
        classes, labels = self.collection.classes, self.collection.labels
        if labels.ndim == 1:
            return [classes[label] for label in labels.tolist()]
        return [" + ".join(classes[place] for place in row.nonzero()[0]) or "no label" for row in labels]

    def counts(self) -> dict[str, dict[str, int]]:
        """Count images: class -> part -> how many, for every part that there is."""
        parts = [part for part in ("all", "train", "validation", "test") if part in self.collection.parts]
        labels = self.collection.labels
        return {
            name: {part: int((self.collection.parts[own] == part).sum()) for part in parts}
            for number, name in enumerate(self.collection.classes)
            for own in [labels == number if labels.ndim == 1 else labels[:, number] > 0]
        }

    def items(self, rows: Sequence[int] | Labels, remark: Callable[[int], str]) -> tuple[Item, ...]:
        """Name images, with a remark on each."""
        return tuple(Item((self.names[row],), remark(row)) for row in map(int, rows))


def unreadable(subject: Subject) -> list[AuditFinding]:
    """Find files that cannot be read, and classes that have no other.

    Args:
        subject: what is audited.

    Returns:
        What was found.
    """
    collection = subject.collection
    found = []
    if collection.rejected:
        items = tuple(Item((file.name,), file.reason) for file in collection.rejected)
        message = f"{counted(len(items), 'file')} that cannot be read, left out of every training"
        found.append(AuditFinding("unreadable", "warning", message, items))
    counts = images_of_classes(collection.labels, len(collection.classes))
    empty = [name for name, count in zip(collection.classes, counts.tolist(), strict=True) if not count]
    empty += _empty_folders(subject)
    if empty:
        message = f"no image can be read of {listed(empty, 'class')}: nothing can learn to tell it"
        found.append(AuditFinding("empty-class", "error", message))
    return found


def _empty_folders(subject: Subject) -> list[str]:
    """Name the folders beside the classes that hold no image."""
    if subject.root is None:
        return []
    known = set(subject.collection.classes)
    pieces = zip((name.split("/") for name in subject.names), subject.labels, strict=True)
    above = {tuple(parts[: parts.index(label)]) for parts, label in pieces if label in parts[:-1]}
    parents = [folder for folder in (subject.root.joinpath(*parts) for parts in above) if folder.is_dir()]
    inside = [folder for parent in parents for folder in parent.iterdir() if folder.is_dir()]
    return sorted({each.name for each in inside if not each.name.startswith(".")} - known)


def class_counts(subject: Subject) -> list[AuditFinding]:
    """Find classes that a part lacks, that are nearly empty, and classes of very different size.

    Args:
        subject: what is audited.

    Returns:
        What was found.
    """
    counts = subject.counts()
    found = []
    for part in ("train", "validation", "test"):
        absent = [name for name, own in counts.items() if own.get(part) == 0 and any(own.values())]
        if absent:
            message = f"the {part} part has no image of {listed(absent, 'class')}"
            found.append(AuditFinding("missing-class", "warning", message))
    trained = {name: own.get("train", own.get("all", 0)) for name, own in counts.items()}
    trained = {name: count for name, count in trained.items() if count}
    few = [name for name, count in trained.items() if count < NEARLY_EMPTY]
    if few:
        message = f"fewer than {NEARLY_EMPTY} images to train on of {listed(few, 'class')}; more are needed"
        found.append(AuditFinding("nearly-empty-class", "warning", message))
    if trained and max(trained.values()) >= IMBALANCED * min(trained.values()):
        most, least = (
            max(trained, key=lambda name: trained[name]),
            min(trained, key=lambda name: trained[name]),
        )
        message = (
            f"class {most!r} has {trained[most] / trained[least]:.3g} times as many images to train on "
            f"({trained[most]:,}) as class {least!r} ({trained[least]:,}); look at the recall of each class, "
            "not at the accuracy alone"
        )
        found.append(AuditFinding("imbalance", "note", message))
    return found


def odd_sizes(subject: Subject) -> list[AuditFinding]:
    """Find pictures that are much smaller than what they are brought to, and long strips.

    Args:
        subject: what is audited.

    Returns:
        What was found.
    """
    if subject.files is None:
        return []
    heads = _heads(subject)
    sizes = {row: (head.height, head.width) for row, head in heads.items()}
    side = subject.sketches.side
    small = [row for row, size in sizes.items() if min(size) < SMALL_SHARE * side]
    long = [row for row, size in sizes.items() if max(size) >= LONG * min(size)]

    def remark(row: int) -> str:
        return f"{sizes[row][1]} x {sizes[row][0]} pixels"

    found = []
    if small:
        message = (
            f"{counted(len(small), 'picture')} of under half the {side} pixels that images are brought to"
        )
        found.append(AuditFinding("small", "warning", message, subject.items(small, remark)))
    if long:
        message = (
            f"{counted(len(long), 'picture')} at least {LONG:g} times as long as wide, so mostly padding"
        )
        found.append(AuditFinding("long", "warning", message, subject.items(long, remark)))
    if len(set(sizes.values())) > 1:
        sides = np.sort([min(size) for size in sizes.values()])
        message = (
            f"pictures of {len(set(sizes.values())):,} sizes, the shorter side from {sides[0]:,} to "
            f"{sides[-1]:,} pixels, the median {int(np.median(sides)):,}"
        )
        found.append(AuditFinding("sizes", "note", message))
    return found


def odd_kinds(subject: Subject) -> list[AuditFinding]:
    """Find rare colour modes and formats, files whose names promise another format, and turned pictures.

    Args:
        subject: what is audited.

    Returns:
        What was found.
    """
    if subject.files is None:
        return []
    heads = _heads(subject)
    found = []
    wrong = [row for row, head in heads.items() if is_misnamed(subject.names[row], head)]
    if wrong:
        message = (
            f"{counted(len(wrong), 'file')} with the suffix of another format, read by content all the same; "
            "other programs may not"
        )
        items = subject.items(wrong, lambda row: f"the content is {heads[row].format}")
        found.append(AuditFinding("misnamed", "warning", message, items))
    for what, value in (("mode", _mode), ("format", _format)):
        usual, rare = _rare({row: value(head) for row, head in heads.items()})
        if rare:
            message = f"{counted(len(rare), 'picture')} of a rare {what}, where most are {usual}"
            items = subject.items(rare, lambda row, value=value: value(heads[row]))  # type: ignore[misc]
            found.append(AuditFinding(f"rare-{what}", "note", message, items))
    turned = [row for row, head in heads.items() if head.orientation != 1]
    if turned:
        message = (
            f"{counted(len(turned), 'picture')} turned upright as EXIF says; programs that ignore it see "
            "other pictures"
        )
        items = subject.items(turned, lambda row: f"orientation {heads[row].orientation}")
        found.append(AuditFinding("turned", "note", message, items))
    return found


def _heads(subject: Subject) -> dict[int, Head]:
    assert subject.files is not None
    return {row: file.head for row, file in enumerate(subject.files) if file.head is not None}


def _rare(values: dict[int, str]) -> tuple[str, list[int]]:
    """Give the usual value, and the rows of those that at most a tenth have."""
    counts = Counter(values.values())
    if not counts:
        return "", []
    rare = {value for value, count in counts.items() if count <= 0.1 * len(values)}
    return counts.most_common(1)[0][0], [row for row, value in values.items() if value in rare]


def _mode(head: Head) -> str:
    return "grey" if head.channels == 1 and head.mode in ("L", "1", "P") else head.mode


def _format(head: Head) -> str:
    return "JPEG" if head.format == "MPO" else head.format
