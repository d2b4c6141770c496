"""What each file of a source says of itself: its content's hash, its size, colour mode, format and turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from striate.core.errors import DataError
from striate.core.events import OnEvent
from striate.data.decoding import Head, quiet_pillow, read_head
from striate.data.listing import LabelledFile
from striate.data.recognising import hashed
from striate.data.working import each

_NAMED = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
}


@dataclass(frozen=True)
class Inspected:
    """What a file says of itself.

    Args:
        digest: SHA-256 of its content; empty where it cannot be read.
        bytes: its length.
        head: what its image says of itself; ``None`` where that cannot be read.
    """

    digest: bytes = b""
    bytes: int = 0
    head: Head | None = None


def inspect(files: Sequence[LabelledFile], on_event: OnEvent) -> list[Inspected]:
    """Read every file once and say what it is, without decoding any.

    Args:
        files: what to look at.
        on_event: told of the progress.

    Returns:
        One for each file, in their order. What cannot be read is left empty: decoding says why.
    """
    found = [Inspected()] * len(files)

    def look(position: int) -> None:
        try:
            with files[position].open() as file:
                digest, content = hashed(file)
                length = content.seek(0, 2)
                content.seek(0)
                found[position] = Inspected(digest, length)
                found[position] = Inspected(digest, length, read_head(content))
        except (DataError, OSError):
            return

    with quiet_pillow():
        each(look, range(len(files)), "inspecting files", on_event)
    return found


def is_misnamed(name: str, head: Head) -> bool:
    """Say whether a file's name promises another format than its content has.

    Args:
        name: the file's name, with its suffix.
        head: what its image says of itself.

    Returns:
        Whether its suffix is not one of its format's.

    >>> is_misnamed("a.jpg", Head(8, 8, 3, "RGB", "PNG", 1))
    True
    """
    named = _NAMED.get(head.format)
    return named is not None and PurePosixPath(name).suffix.lower() not in named
