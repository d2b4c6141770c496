"""One set of decoded images in the cache: locked, whole or absent, its damage noticed."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from striate.core.events import OnEvent
from striate.data.dataset import Pixels
from striate.data.facts import Index
from striate.data.memory import reserve
from striate.data.progress import Progress
from striate.data.stored import MappedImages

INDEX = "index"
UNFINISHED = ".part"


class CacheFailed(Exception):
    """The cache cannot be used; the message is a clause that says why."""


@dataclass(frozen=True)
class Entry:
    """The place of one set of decoded images: a folder with their file and an index, which names that file.

    Args:
        root: the folder of all sets.
        name: of its own folder there.
    """

    root: Path
    name: str

    @property
    def folder(self) -> Path:
        """Where its index and its images are."""
        return self.root / self.name

    @property
    def used(self) -> float:
        """When it was used last, seconds since 1970; of one that was never finished, when it was begun."""
        for path in (self.folder / INDEX, self.folder):
            with contextlib.suppress(OSError):
                return path.stat().st_mtime
        return 0.0

    @property
    def bytes(self) -> int:
        """What its files take."""
        total = 0
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                with contextlib.suppress(OSError):
                    total += path.stat().st_size
        return total

    @contextmanager
    def locked(self, on_event: OnEvent) -> Iterator[None]:
        """Keep other processes out; while one of them is in, wait, and tell it.

        The system frees the lock of a process that dies.

        Args:
            on_event: told of the waiting.

        Raises:
            CacheFailed: where the cache cannot be written.
        """
        lock = self._lock()
        progress = Progress(on_event, "waiting for another run that decodes these images", None, "seconds")
        while not self._acquired(lock, timeout=1.0):
            progress.advance()
        try:
            yield
        finally:
            lock.release()

    def remove(self) -> bool:
        """Remove it, unless a process is at it; whoever has its images mapped keeps them.

        Returns:
            Whether it is gone.
        """
        lock = self._lock()
        try:
            if not self._acquired(lock, timeout=0.0):
                return False
        except CacheFailed:
            return False
        try:
            shutil.rmtree(self.folder, ignore_errors=True)
        finally:
            lock.release()
        return not self.folder.exists()

    def read(self) -> Index | None:
        """Read what is kept here.

        Returns:
            The index of images that are there in full length; ``None`` where there is none.
        """
        index = Index.read(self.folder / INDEX)
        if index is None:
            return None
        try:
            there = (self.folder / index.images).stat().st_size
        except OSError:
            return None
        return index if there >= len(index.facts.good) * math.prod(index.shape) > 0 else None

    def mark_used(self) -> None:
        """Say that it is used now."""
        with contextlib.suppress(OSError):  # it will only have to go earlier than it should
            os.utime(self.folder / INDEX)

    def map(self, index: Index) -> MappedImages:
        """Map the images that are kept here; call it locked.

        Args:
            index: what `read` gave.

        Returns:
            The images.

        Raises:
            CacheFailed: where they cannot be read.
        """
        with self._guarded():
            return MappedImages.open(self.folder / index.images, (len(index.facts.good), *index.shape))

    @contextmanager
    def begun(self, shape: tuple[int, ...], old: Index | None) -> Iterator[tuple[str, Pixels]]:
        """Begin a new set of images; what was begun by a process that died is removed. Call it locked.

        Args:
            shape: of all images: N, C, H, W.
            old: what `read` gave, which is kept until the new set is.

        Yields:
            The name of the file that the images will have, and an array in it to be filled. Unless it is
            kept when the block ends, it is removed.

        Raises:
            CacheFailed: where there is no room on the disk.
        """
        name = f"images-{secrets.token_hex(8)}"
        path = self.folder / f"{name}{UNFINISHED}"
        try:
            with self._guarded():
                self.folder.mkdir(parents=True, exist_ok=True)
                self._sweep(old)
                with path.open("x+b") as file:
                    reserve(file.fileno(), math.prod(shape))
                    images = np.memmap(file, dtype=np.uint8, mode="r+", shape=shape)
            yield name, images
        finally:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def keep(self, index: Index, images: Pixels) -> None:
        """Keep a new set in the place of the one that was here; call it locked.

        Args:
            index: what it is, with the name of the file that was begun.
            images: the array that was filled.

        Raises:
            CacheFailed: where it cannot be written; what was here is then kept.
        """
        path = self.folder / index.images
        unfinished = path.with_name(f"{path.name}{UNFINISHED}")
        with self._guarded():
            if isinstance(images, np.memmap):
                images.flush()
            with unfinished.open("r+b") as file:
                os.fsync(file.fileno())
            unfinished.rename(path)
            self.update(index)
            self._sweep(index)

    def update(self, index: Index) -> None:
        """Replace the index by another one of the same images; call it locked.

        Args:
            index: the new one.

        Raises:
            CacheFailed: where it cannot be written.
        """
        with self._guarded():
            index.write(self.folder / INDEX)

    def clear(self) -> None:
        """Remove what is kept here; call it locked.

        Raises:
            CacheFailed: where it cannot be removed.
        """
        with self._guarded():
            if self.folder.is_dir():
                self._sweep(None)

    def _sweep(self, index: Index | None) -> None:
        kept = set() if index is None else {INDEX, index.images}
        for path in list(self.folder.iterdir()):
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def _lock(self) -> FileLock:
        # Beside the folder, which comes and goes: a lock must not be removed while others wait for it.
        return FileLock(self.root / "locks" / f"{self.name}.lock")

    def _acquired(self, lock: FileLock, *, timeout: float) -> bool:
        with self._guarded():
            (self.root / "locks").mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=timeout)
            except Timeout:
                return False
        return True

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise CacheFailed(f"decoded images cannot be kept in {self.root}: {reason}") from error
