"""Fetch published files from their mirrors: resumed where broken off, verified, and put in place whole."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from striate.core.errors import DataError
from striate.core.events import OnEvent
from striate.data.progress import Progress

TIMEOUT = 8.0
TRIES = 4
MOST_BYTES = 1 << 30
BLOCK = 1 << 16


@dataclass(frozen=True)
class Remote:
    """A file to fetch: its name, and the checksum that its publishers state, or the first digits of it.

    Args:
        name: of the file, behind the address of a mirror.
        checksum: hexadecimal digits.
        algorithm: of the checksum, as `hashlib` names it.
    """

    name: str
    checksum: str
    algorithm: str = "md5"


class _Failed(Exception):
    """A mirror that did not give a file; the message is a clause that says why."""


def fetch_all(
    what: str, files: Sequence[Remote], mirrors: Sequence[str], folder: Path, *, on_event: OnEvent
) -> None:
    """Fetch files into a folder, each from the first mirror that gives it as published.

    What a broken transfer has left is kept beside as ``<name>.part`` and gone on with.

    Args:
        what: the name of the set, for messages.
        files: what to fetch.
        mirrors: addresses of folders, each ending in a slash.
        folder: where the files go; made where it is not there.
        on_event: told of the progress.

    Raises:
        DataError: where no mirror gives a file, saying which files to put where; or where the folder
            cannot be written.
    """
    failures: dict[str, str] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            for file in files:
                if not _has_arrived(file, folder) and not _fetch(file, mirrors, folder, failures, on_event):
                    raise DataError(_advice(what, files, mirrors, folder, failures))
    except OSError as error:
        raise DataError(f"cannot keep {what} in {folder}: {error.strerror or error}") from error


def _has_arrived(file: Remote, folder: Path) -> bool:
    """Say whether another process has fetched the file while this one waited for the lock."""
    return (folder / file.name).is_file() and _is_as_published(folder / file.name, file)


def _fetch(
    file: Remote, mirrors: Sequence[str], folder: Path, failures: dict[str, str], on_event: OnEvent
) -> bool:
    part = folder / f"{file.name}.part"
    for mirror in mirrors:
        if mirror in failures:  # it did not answer for an earlier file; do not wait for it again
            continue
        try:
            _transfer(mirror + file.name, part, file, on_event)
        except _Failed as failure:
            failures[mirror] = str(failure)
            continue
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(part, folder / file.name)
        return True
    return False


def _transfer(address: str, part: Path, file: Remote, on_event: OnEvent) -> None:
    """Bring the whole file to ``part``, in several goes where the transfer breaks off."""
    for _ in range(TRIES):
        resumed = part.stat().st_size if part.exists() else 0
        total = _append(address, part, resumed, f"fetching {file.name}", on_event)
        length = part.stat().st_size
        if total is not None and length < total:
            if length == resumed:
                raise _Failed(f"the transfer broke off at {length:,} of {total:,} bytes")
            continue
        if _is_as_published(part, file):
            return
        part.unlink()
        if resumed == 0:
            raise _Failed(f"its {file.name} has not the published checksum {file.checksum}")
        # What was there before may have been the damaged half: once more, from the start.
    raise _Failed(f"the transfer of {file.name} broke off {TRIES} times")


def _append(address: str, part: Path, start: int, what: str, on_event: OnEvent) -> int | None:
    """Append to ``part`` what the server has from ``start`` on; give the whole file's length, if told."""
    request = urllib.request.Request(address, headers={"User-Agent": "striate"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            if answer.status != 206:  # the server sends all of it, whatever was asked for
                start = 0
            length = answer.headers.get("Content-Length", "")
            total = start + int(length) if length.isdecimal() else None
            if total is not None and total > MOST_BYTES:
                raise _Failed(f"it offers {total:,} bytes, more than any file of this set has")
            progress = Progress(on_event, what, total, "bytes", done=start)
            with part.open("r+b" if start else "wb") as target:
                target.seek(start)
                target.truncate()
                _copy(answer, target, progress)
            progress.finish()
            return total
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and start:  # nothing lies beyond what is there; the checksum decides
            return start
        raise _Failed(f"it answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _Failed(str(getattr(error.reason, "strerror", None) or error.reason)) from error
    except (TimeoutError, ConnectionError) as error:
        raise _Failed(str(error).lower() or "the connection broke off") from error
    except (http.client.HTTPException, ValueError) as error:
        raise _Failed(f"its answer is no HTTP: {type(error).__name__}") from error


def _copy(answer: http.client.HTTPResponse, target: BinaryIO, progress: Progress) -> None:
    while True:
        try:
            block = answer.read(BLOCK)
        except (TimeoutError, ConnectionError, http.client.HTTPException):
            return  # what has come is kept, and the length tells that some is missing
        if not block:
            return
        target.write(block)
        progress.advance(len(block))
        if target.tell() > MOST_BYTES:
            raise _Failed(f"it sends more than {MOST_BYTES:,} bytes")


def _is_as_published(path: Path, file: Remote) -> bool:
    with path.open("rb") as content:
        # As published; the older kinds guard against damage, not against a forger.
        digest = hashlib.file_digest(content, lambda: hashlib.new(file.algorithm, usedforsecurity=False))
    return digest.hexdigest().startswith(file.checksum)


def _advice(
    what: str, files: Sequence[Remote], mirrors: Sequence[str], folder: Path, failures: dict[str, str]
) -> str:
    reasons = "; ".join(f"{urllib.parse.urlsplit(mirror).netloc}: {failures[mirror]}" for mirror in failures)
    names = ", ".join(file.name for file in files)
    return (
        f"{what} cannot be fetched ({reasons}); put {names} from {mirrors[0]} into {folder} "
        "and run this again"
    )
