"""Read images out of .zip and .tar archives, which may be made to harm, without unpacking into folders."""

from __future__ import annotations

import io
import lzma
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from striate.core.errors import DataError
from striate.core.events import OnEvent
from striate.core.files import cache_directory
from striate.data.dataset import Rejected
from striate.data.folders import Entry, arrange, kind_of
from striate.data.listing import Listing, readable
from striate.data.progress import Progress

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")

MOST_BYTES = 64 << 30
MOST_RATIO = 200
"""How much larger than its archive the content may be; images hardly compress, so this is a trap."""
FREE_BYTES = 1 << 30
"""What may be unpacked from any archive, whatever the ratio."""

_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    ValueError,
    OverflowError,
    OSError,  # without a number, as decompressors raise it; see `_is_damage`
)


@contextmanager
def unpacked(path: Path, *, on_event: OnEvent) -> Iterator[Listing]:
    """List the images of an archive; they can be opened until the block ends.

    Nothing is unpacked under the names that the archive states, so that none can lead anywhere.

    Args:
        path: a .zip, .tar, .tar.gz, .tar.xz or .tar.bz2.
        on_event: told of the progress.

    Yields:
        The images in class folders, as of a folder.

    Raises:
        DataError: where the archive is damaged, protected by a password, too large, has members with
            absolute names or ``..``, or no images in class folders; or the cache cannot be written.
    """
    folder = cache_directory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        spool = _Spool(tempfile.TemporaryFile(dir=folder), min(MOST_BYTES, most_unpacked(path)))  # noqa: SIM115
    except OSError as error:
        raise DataError(f"cannot unpack {path} in {folder}: {error.strerror or error}") from error
    with spool:
        progress = Progress(on_event, f"unpacking {path.name}", None, "files")
        read = _read_zip if path.name.lower().endswith(".zip") else _read_tar
        try:
            entries, rejected = read(path, spool, progress)
        except _DAMAGE as error:
            if not _is_damage(error):
                reason = getattr(error, "strerror", None) or error
                raise DataError(f"cannot unpack {path} in {folder}: {reason}") from error
            raise DataError(f"{path} is damaged or no archive: {error or type(error).__name__}") from error
        progress.finish()
        listing = arrange(sorted(entries.values(), key=lambda entry: entry.parts), str(path))
        yield Listing(listing.files, (*rejected, *listing.rejected), listing.notes)


class _Spool:
    """The images of an archive, one after the other in a file without a name, which dies with the process."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = file
        self._most = most
        self._lock = threading.Lock()
        self._end = 0

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def allow(self, total: int) -> None:
        """Refuse an archive that holds, or states to hold, more than is unpacked."""
        if total > self._most:
            raise DataError(
                f"the archive unpacks to more than {self._most / 1e9:.1f} GB, far more than images do"
            )

    def add(self, content: IO[bytes]) -> partial[BinaryIO]:
        """Append all that is read; give what opens it."""
        start = self._end
        self._file.seek(start)
        while block := content.read(1 << 20):
            self.allow(self._end + len(block))
            self._file.write(block)
            self._end += len(block)
        return partial(self._open, start, self._end - start)

    def _open(self, start: int, length: int) -> BinaryIO:
        with self._lock:
            self._file.seek(start)
            return io.BytesIO(self._file.read(length))


def most_unpacked(path: Path) -> int:
    """Say how much an archive of images may unpack to.

    Args:
        path: the archive.

    Returns:
        Bytes; what states to hold more is a trap.
    """
    return max(FREE_BYTES, MOST_RATIO * path.stat().st_size)


def _read_zip(
    path: Path, spool: _Spool, progress: Progress
) -> tuple[dict[tuple[str, ...], Entry], list[Rejected]]:
    entries: dict[tuple[str, ...], Entry] = {}
    rejected: list[Rejected] = []
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        spool.allow(sum(member.file_size for member in members))
        for member in members:
            # Some programs on Windows write their own separator, against the format.
            parts = _safe_parts(member.filename.replace("\\", "/"), path)
            if member.filename.endswith(("/", "\\")) or not parts:
                continue
            progress.advance()
            if kind_of(parts) != "image":
                entries[parts] = Entry(parts, io.BytesIO)
                continue
            if member.flag_bits & 1:
                raise DataError(f"{path} is protected by a password; unpack it and give the folder")
            try:
                with archive.open(member) as content:
                    entries[parts] = Entry(parts, spool.add(content))
            except _DAMAGE as error:
                if not _is_damage(error):
                    raise
                rejected.append(Rejected(readable("/".join(parts)), f"its part of the archive: {error}"))
    return entries, rejected


def _read_tar(
    path: Path, spool: _Spool, progress: Progress
) -> tuple[dict[tuple[str, ...], Entry], list[Rejected]]:
    entries: dict[tuple[str, ...], Entry] = {}
    rejected: list[Rejected] = []
    stated = 0
    with tarfile.open(path) as archive:
        for member in archive:
            parts = _safe_parts(member.name, path)
            progress.advance()
            if member.size < 0:
                raise tarfile.ReadError(f"{member.name!r} is stated to have {member.size} bytes")
            # Whatever it is: the library unpacks members of unknown kinds too, to get behind them.
            stated += member.size
            spool.allow(stated)
            if member.isdir() or not parts:
                continue
            if not member.isreg():
                if kind_of(parts) == "image":
                    reason = "it is a link or device, which is not followed in an archive"
                    rejected.append(Rejected(readable("/".join(parts)), reason))
                continue
            content = archive.extractfile(member) if kind_of(parts) == "image" else None
            entries[parts] = Entry(parts, io.BytesIO if content is None else spool.add(content))
        _check_end(archive)
    return entries, rejected


def _is_damage(error: Exception) -> bool:
    """Tell damage of the archive from errors of the file system, which have a number."""
    return not isinstance(error, OSError) or error.errno is None


def _check_end(archive: tarfile.TarFile) -> None:
    # The library takes the first head that it cannot read for the end, unless it is the very first.
    if archive.fileobj is not None:
        archive.fileobj.seek(archive.offset)
        if archive.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError(f"it breaks off after {archive.offset:,} bytes")


def _safe_parts(name: str, path: Path) -> tuple[str, ...]:
    pure = PurePosixPath(name)
    slashed = name.replace("\\", "/")
    if pure.is_absolute() or ".." in slashed.split("/") or slashed.startswith("/") or name[1:2] == ":":
        raise DataError(
            f"{path} has the member {readable(name)!r}, which leads out of the archive; nothing of it is used"
        )
    return pure.parts
