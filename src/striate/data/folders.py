"""Find images in folders: ``root/<class>/*`` and ``root/{train,val,test}/<class>/*``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from striate.core.errors import DataError
from striate.data.dataset import Rejected
from striate.data.decoding import SUFFIXES
from striate.data.listing import LabelledFile, Listing, counted, open_binary, readable

PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}

LAYOUTS = "root/<class>/<image> or root/{train,val,test}/<class>/<image>"


@dataclass(frozen=True)
class Sought:
    """What is looked for in folders.

    Args:
        suffixes: what the names of such files end with.
        noun: what one of them is.
    """

    suffixes: Collection[str]
    noun: str


IMAGES = Sought(SUFFIXES, "image")


@dataclass(frozen=True)
class Entry:
    """A file somewhere under a root: its path's components, how to open it, and where it lies by itself."""

    parts: tuple[str, ...]
    open: Callable[[], BinaryIO]
    path: Path | None = None


def scan_folder(root: Path, sought: Sought = IMAGES) -> Listing:
    """List the images under a folder with their classes and parts.

    Args:
        root: the folder.
        sought: what is looked for in the place of images.

    Returns:
        The images in the order of their names.

    Raises:
        DataError: where the folder cannot be read or has no images in class folders.
    """
    paths, rejected = walk(root)
    entries = [Entry(path.relative_to(root).parts, partial(open_binary, path), path) for path in paths]
    listing = arrange(entries, str(root), sought)
    return Listing(listing.files, (*rejected, *listing.rejected), listing.notes)


def image_files(path: Path | str) -> list[Path]:
    """List the image files under a folder, or give the one file.

    Args:
        path: a file, whatever its name, or a folder, searched with all its folders.

    Returns:
        Paths in order; hidden files and folders, and files with other names than images have, left out.

    Raises:
        DataError: where there is no such path or the folder cannot be read.

    >>> image_files("nowhere.png")
    Traceback (most recent call last):
    striate.core.errors.DataError: there is no file or folder 'nowhere.png'
    """
    path = Path(path)
    if os.path.isfile(path):
        return [path]
    if not os.path.isdir(path):
        raise DataError(f"there is no file or folder {str(path)!r}")
    found, _ = walk(path)
    return [file for file in found if kind_of(file.relative_to(path).parts) == "image"]


def walk(root: Path) -> tuple[list[Path], list[Rejected]]:
    """List the regular files under a folder, each folder once however many links lead to it.

    Links may lead out of the root, but not to a folder that holds it: that would pull in everything.

    Args:
        root: the folder.

    Returns:
        Paths in order, and the folders that cannot be read or are not entered. Hidden folders are left
        out without a word.

    Raises:
        DataError: where the root itself cannot be read.
    """
    found: list[Path] = []
    rejected: list[Rejected] = []
    above, seen = _identities_above(root), set[tuple[int, int]]()
    waiting, linked = [root], list[Path]()
    while waiting or linked:
        # Linked folders come last, so that a folder is found under its own name, not a link's.
        folder = waiting.pop() if waiting else linked.pop(0)
        try:
            identity = _identity(folder)
            if identity in above:
                name = readable(folder.relative_to(root).as_posix())
                rejected.append(Rejected(name, "the link leads to a folder above, which is not entered"))
                continue
            if identity in seen:
                continue
            seen.add(identity)
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            reason = f"the folder cannot be read: {error.strerror or error}"
            if folder == root:
                raise DataError(f"{root}: {reason}") from error
            rejected.append(Rejected(readable(folder.relative_to(root).as_posix()), reason))
            continue
        for entry in entries:
            path = Path(entry.path)
            if _is(entry.is_dir):
                if not entry.name.startswith("."):
                    (linked if entry.is_symlink() else waiting).append(path)
            elif _is(entry.is_file):  # not sockets, pipes and devices, which could block for ever
                found.append(path)
            elif entry.is_symlink() and path.suffix.lower() in SUFFIXES:
                name = readable(path.relative_to(root).as_posix())
                rejected.append(Rejected(name, "the link leads nowhere"))
    return sorted(found), sorted(rejected, key=lambda item: item.name)


def _identities_above(root: Path) -> set[tuple[int, int]]:
    identities = set()
    for folder in root.resolve().parents:
        with contextlib.suppress(OSError):  # what may not be looked at cannot be entered either
            identities.add(_identity(folder))
    return identities


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def arrange(entries: Iterable[Entry], root: str, sought: Sought = IMAGES) -> Listing:
    """Read classes and parts off the paths of files.

    Args:
        entries: the files of a folder or archive, in order.
        root: what the source is called in an error.
        sought: what is looked for in the place of images.

    Returns:
        The images among them.

    Raises:
        DataError: where no image lies in a class folder.
    """
    notes: list[str] = []
    kinds = [(entry, kind_of(entry.parts, sought.suffixes)) for entry in entries]
    images = [entry for entry, kind in kinds if kind == "image"]
    other = sum(kind == "other" for _, kind in kinds)
    if other:
        are = f"that are no {sought.noun}s" if other > 1 else f"that is no {sought.noun}"
        notes.append(f"{counted(other, 'file')} {are} left out")
    if not images:
        kinds_read = ", ".join(sorted(sought.suffixes))
        raise DataError(f"{root} has no {sought.noun}s ({kinds_read}); what works is {LAYOUTS}")
    depth = _common_depth(images)
    if depth:
        notes.append(f"the classes are looked for in {readable('/'.join(images[0].parts[:depth]))!r}")
    by_part = _has_parts([entry.parts[depth:] for entry in images])
    files = _label(images, depth, by_part, notes)
    if not files:
        raise DataError(f"{root} has {sought.noun}s but no class folders; what works is {LAYOUTS}")
    return Listing(tuple(files), (), tuple(notes))


def _is(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:  # a loop of links
        return False


def kind_of(parts: Sequence[str], suffixes: Collection[str] = SUFFIXES) -> str:
    """Say whether a path names an image, another file, or something hidden.

    Args:
        parts: the components of a path.
        suffixes: what the names of images, or of what is looked for in their place, end with.

    Returns:
        ``image``, ``other`` or ``hidden``.

    >>> kind_of(("cats", "1.png")), kind_of(("cats", "Thumbs.db")), kind_of((".git", "1.png"))
    ('image', 'other', 'hidden')
    """
    if any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return "hidden"
    return "image" if PurePosixPath(parts[-1]).suffix.lower() in suffixes else "other"


def _common_depth(images: Sequence[Entry]) -> int:
    """Count the folders that hold everything, as an archive of one folder has, above the classes."""
    depth = 0
    while all(len(entry.parts) >= depth + 3 for entry in images):
        top = {entry.parts[depth] for entry in images}
        if len(top) > 1 or top.pop().lower() in PART_NAMES:
            break
        depth += 1
    return depth


def _has_parts(paths: Sequence[tuple[str, ...]]) -> bool:
    tops = {path[0].lower() for path in paths if len(path) >= 3}
    parts = {PART_NAMES[top] for top in tops if top in PART_NAMES}
    return bool(tops) and (tops <= PART_NAMES.keys() or ("train" in parts and len(parts) > 1))


def _label(images: Sequence[Entry], depth: int, by_part: bool, notes: list[str]) -> list[LabelledFile]:
    files = []
    loose, strange = 0, set()
    for entry in images:
        parts = entry.parts[depth:]
        part = PART_NAMES.get(parts[0].lower(), "") if by_part else "all"
        inner = parts[1:] if by_part else parts
        if not part:
            strange.add(parts[0])
        elif len(inner) < 2:
            loose += 1
        else:
            name = readable("/".join(entry.parts))
            files.append(LabelledFile(name, readable(inner[0]), part, entry.open, entry.path))
    if loose:
        notes.append(f"{counted(loose, 'image')} outside of any class folder left out")
    if strange:
        names = ", ".join(repr(readable(name)) for name in sorted(strange))
        notes.append(f"not one of train, val and test, so left out: {names}")
    return files
