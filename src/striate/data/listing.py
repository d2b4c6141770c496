"""What a source of files gives before anything is decoded: files, each with its class and part."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from striate.data.dataset import Rejected


@dataclass(frozen=True)
class LabelledFile:
    """One file that should be an image.

    Args:
        name: its path relative to the source's root.
        label: the name of its class; where it may have several, all of them.
        part: ``train``, ``validation``, ``test``, or ``all`` where the source is in one part.
        open: opens its content; may raise OSError.
        path: where it lies by itself; ``None`` for a member of an archive.
        labels: the names of its classes, where it may have several; ``None``: it has one.
    """

    name: str
    label: str
    part: str
    open: Callable[[], BinaryIO]
    path: Path | None = None
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Listing:
    """The files of a source, in a fixed order, with what was noticed on the way.

    Args:
        files: all that should be images.
        rejected: what cannot be one.
        notes: what was noticed.
        classes: the names of all, where images may have several; ``None``: those of the files, each one.
    """

    files: tuple[LabelledFile, ...]
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort class names: as numbers where all are whole numbers, else as text.

    Args:
        names: names, with or without repetitions.

    Returns:
        Each name once, in order.

    >>> class_order(["10", "9"]), class_order(["b", "9", "10"])
    (('9', '10'), ('10', '9', 'b'))
    """
    distinct = set(names)
    if all(re.fullmatch(r"-?[0-9]{1,18}", name) for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def are_characters(names: Iterable[str]) -> bool:
    """Say whether class names are characters, which mean something else when mirrored, or nothing.

    Args:
        names: names of classes.

    Returns:
        Whether each is one digit, or one letter of an alphabet that has capitals: words of one sign, as
        Chinese has them, do not count.

    >>> are_characters(["3", "b"]), are_characters(["ant", "b"]), are_characters(["猫", "犬"])
    (True, False, False)
    """
    return all(len(name) == 1 and (name.isdecimal() or name.lower() != name.upper()) for name in names)


def readable(name: str) -> str:
    """Make a file name that is no valid Unicode fit for lists and pages.

    Args:
        name: a name as the file system gives it.

    Returns:
        The name, with the replacement character for what is no text.

    >>> readable("caf\\udce9.png")
    'caf\ufffd.png'
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def open_binary(path: Path) -> BinaryIO:
    """Open a file to read its bytes.

    Args:
        path: the file.

    Returns:
        The open file.
    """
    return path.open("rb")


def counted(number: int, noun: str) -> str:
    """Say how many, in the right number.

    Args:
        number: how many.
        noun: what, in the singular, with a regular plural.

    Returns:
        Such as ``1 image`` or ``1,797 images``.

    >>> counted(1, "image"), counted(1797, "image")
    ('1 image', '1,797 images')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
