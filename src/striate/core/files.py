"""Files that are complete or absent: written beside, synchronised, renamed; the user's cache directory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path to write; on success it becomes ``path``, on failure it is removed.

    A reader sees the old file or the new one, never a part; a full disk or a kill costs neither.

    Args:
        path: the file to be made or replaced; its directory must exist.

    Yields:
        A path in the same directory. What is there when the block ends is synchronised and renamed.

    Raises:
        OSError: what the file system says; ``path`` is then as it was.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder, "a.txt")) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    target = Path(path)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
        _synchronise_directory(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write a text file atomically, in UTF-8.

    Args:
        path: the file to be made or replaced.
        text: all that it is to hold.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cache_directory() -> Path:
    """Give the directory for what can be fetched or computed again.

    ``STRIATE_CACHE`` where that is set, else ``striate`` under ``XDG_CACHE_HOME``, else
    ``~/.cache/striate``. It is not created here.

    Returns:
        The directory's path.
    """
    named = os.environ.get("STRIATE_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "striate"


def _umask() -> int:
    # The mask can only be read by setting it; mkstemp makes files private, which a shared run is not.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _synchronise_directory(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
