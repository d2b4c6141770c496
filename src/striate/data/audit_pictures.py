"""What an audit finds in pictures: blank ones, placeholders, duplicates, leakage, contradicting labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from striate.data.audit_files import Subject
from striate.data.dataset import Labels
from striate.data.duplicates import Duplicate, Links
from striate.data.findings import AuditFinding, Item, Level
from striate.data.listing import counted

FLAT = 0.5
"""In a drawing at least this share of the pixels are exactly as their neighbours,"""

FEW_COLOURS = 0.25
"""and at most this share of the colours that the median picture has."""

PLACEHOLDER_COPIES = 3
"""Of so many copies of a picture and more, one is hardly a photo by oversight."""

_PLACEHOLDER_NAMES = re.compile(
    r"not[-_ ]?(found|available)|unavailable|placeholder|no[-_ ]?(image|photo|picture)",
    re.IGNORECASE,
)


def blank_pictures(subject: Subject) -> list[AuditFinding]:
    """Find pictures that show nothing: one grey all over.

    Args:
        subject: what is audited.

    Returns:
        What was found.
    """
    rows = np.flatnonzero(subject.sketches.blank)
    if not len(rows):
        return []

    def remark(row: int) -> str:
        return f"grey values deviate by {subject.sketches.deviations[row]:.1f} of 255"

    message = f"{counted(len(rows), 'picture')} of one colour all over, from which nothing is learnt"
    return [AuditFinding("blank", "warning", message, subject.items(rows, remark))]


def placeholders(subject: Subject, copies: Sequence[Sequence[int]]) -> list[AuditFinding]:
    """Find pictures that stand in for one that was not there, such as "image not found".

    A picture is suspected by its name, as a flat drawing among pictures that are none, and as one of many
    copies of the same flat drawing.

    Args:
        subject: what is audited.
        copies: rows of pictures that are exactly the same.

    Returns:
        What was found.
    """
    sketches = subject.sketches
    usual = float(np.median(sketches.colours)) if len(sketches) else 0.0
    flat = (sketches.flatness >= FLAT) & (sketches.colours <= FEW_COLOURS * usual) & ~sketches.blank
    reasons: dict[int, list[str]] = {}
    for row, name in enumerate(subject.names if subject.files is not None else ()):
        if _PLACEHOLDER_NAMES.search(PurePosixPath(name).stem):
            reasons.setdefault(row, []).append("its name says so")
    for row in np.flatnonzero(flat).tolist():
        share = f"{sketches.flatness[row]:.0%}".replace("%", " %")
        said = f"{share} of its pixels are exactly as their neighbours, as in a drawing"
        reasons.setdefault(row, []).append(said)
    for group in copies:
        labels = {subject.labels[row] for row in group}
        if len(group) >= PLACEHOLDER_COPIES and (len(labels) > 1 or flat[group[0]]):
            for row in group:
                reasons.setdefault(row, []).append(f"it is there {len(group)} times")
    if not reasons:
        return []
    message = f"{counted(len(reasons), 'picture')} that may stand in for one that was not found"
    items = subject.items(sorted(reasons), lambda row: "; ".join(reasons[row]))
    return [AuditFinding("placeholder", "warning", message, items)]


def same_pictures(subject: Subject, duplicates: Sequence[Duplicate]) -> list[AuditFinding]:
    """Say which pictures occur more than once: across parts, with several labels, or otherwise.

    Args:
        subject: what is audited.
        duplicates: the pairs that are the same.

    Returns:
        What was found.
    """
    links = Links(len(subject.names))
    for pair in duplicates:
        links.join(pair.first, pair.second)
    exact = Links(len(subject.names))
    for pair in duplicates:
        if pair.kind != "near":
            exact.join(pair.first, pair.second)
    least: dict[int, float] = {}
    for pair in duplicates:
        root = links.root(pair.first)
        least[root] = min(least.get(root, 1.0), pair.similarity)
    leaking: list[Item] = []
    contradicting: list[Item] = []
    copies: list[Item] = []
    near: list[Item] = []
    for group in links.groups():
        parts = {str(part) for part in subject.collection.parts[group]}
        labels = {subject.labels[row] for row in group}
        item = _described(subject, group, least[links.root(group[0])])
        if "train" in parts and len(parts) > 1:
            leaking.append(item)
        if len(labels) > 1:
            contradicting.append(item)
        if len(parts) == 1 or "train" not in parts:
            (copies if len({exact.root(row) for row in group}) == 1 else near).append(item)
    return [
        *_finding(
            "leakage",
            "error",
            leaking,
            "in the training part and in another, and so no evidence of "
            "accuracy; remove the copies from one side",
        ),
        *_finding("contradiction", "error", contradicting, "with different labels"),
        *_finding(
            "duplicates",
            "warning",
            copies,
            "there more than once; 'striate train --group-by duplicates' "
            "keeps copies on one side where it divides the data",
        ),
        *_finding(
            "near-duplicates",
            "warning",
            near,
            "there more than once, resized, compressed, cropped or turned, "
            "or of one burst; 'striate train --group-by duplicates' keeps them on one side",
        ),
    ]


def duplicate_rows(count: int, duplicates: Sequence[Duplicate]) -> tuple[list[list[int]], Labels]:
    """Give the groups of pictures that are the same, and the number of each picture's group.

    Args:
        count: how many pictures there are.
        duplicates: the pairs that are the same.

    Returns:
        The rows of each group of two and more; and for every row its group's first row, (N).
    """
    links = Links(count)
    for pair in duplicates:
        links.join(pair.first, pair.second)
    return links.groups(), links.roots()


def _finding(kind: str, level: Level, items: Sequence[Item], said: str) -> list[AuditFinding]:
    if not items:
        return []
    return [AuditFinding(kind, level, f"{counted(len(items), 'picture')} {said}", tuple(items))]


def _described(subject: Subject, group: Sequence[int], similarity: float) -> Item:
    labels = [subject.labels[row] for row in group]
    said = [f"classes {', '.join(dict.fromkeys(labels))}"] if len(set(labels)) > 1 else []
    if similarity < 1:
        said.append(f"similarity {similarity:.2f}")
    return Item(tuple(subject.names[row] for row in group), "; ".join(said))
