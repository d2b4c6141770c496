"""The directory of a run: what may lie in it, its lock, its checkpoint, its figures and its making."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from filelock import FileLock, Timeout

from striate.core.errors import ModelFileError, RunError
from striate.core.tensors import read_header

Row = dict[str, float]


@dataclass(frozen=True)
class RunDirectory:
    """One training on disk; each trainer has a kind of its own.

    ``files`` names what a run of the kind may consist of, ``verb`` the command that makes one.

    Args:
        path: its directory.
    """

    files: ClassVar[tuple[str, ...]] = ()
    verb: ClassVar[str] = ""
    path: Path

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its ``results.csv``."""
        raise NotImplementedError

    @property
    def rows(self) -> list[Row]:
        """The figures of every epoch, by the names in `columns`."""
        try:
            with (self.path / "results.csv").open(encoding="utf-8", newline="") as file:
                rows = [row for row in csv.DictReader(file) if None not in row.values()]
            return [{name: float(value) for name, value in row.items()} for row in rows]
        except (OSError, ValueError) as error:
            raise RunError(f"cannot read the results of {self.path}: {error}") from error

    @property
    def checkpoint(self) -> Path:
        """The file from which the training can go on."""
        return self.path / "checkpoint" / "state.safetensors"

    @property
    def source(self) -> str | None:
        """What the run was trained on, as `striate.open_dataset` takes it; ``None`` for arrays or no run."""
        try:
            facts = json.loads(read_header(self.checkpoint).metadata["facts"])
            source = facts["source"]
        except (ModelFileError, KeyError, TypeError, ValueError):
            return None
        return source if isinstance(source, str) else None

    def check_unused(self) -> None:
        """Refuse a directory that holds files of a run, or files that a run would replace.

        Raises:
            RunError: naming one of them.
        """
        for name in self.files:
            if (self.path / name).exists():
                raise RunError(
                    f"{self.path} holds a run already (it has {name}); name another --out, or go on with it "
                    f"by --resume {self.path}"
                )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process alone while a block runs.

        The operating system frees the lock when the process ends, however it ends.

        Raises:
            RunError: where another process trains in this directory, or it cannot be written.
        """
        lock = FileLock(self.path / ".lock", blocking=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunError(
                f"another process is training in {self.path}; wait for it or name another --out"
            ) from error
        except OSError as error:
            raise RunError(f"cannot write to {self.path}: {error.strerror or error}") from error
        try:
            yield
        finally:
            lock.release()


Kind = TypeVar("Kind", bound=RunDirectory)


def make_directory(kind: type[Kind], name: str, out: Path | str | None) -> Kind:
    """Make the directory of a new run.

    Args:
        kind: of run.
        name: without ``out``, the run is ``runs/NAME``, or ``runs/NAME-2``, ... where that is taken.
        out: the directory wanted; it may exist, but must not hold a run.

    Returns:
        The run, its directory made.

    Raises:
        RunError: where ``out`` holds files of a run already or the directory cannot be made.
    """
    if out is not None:
        kind(Path(out)).check_unused()
        candidates = iter([Path(out)])
    else:
        candidates = (Path("runs", name if count == 1 else f"{name}-{count}") for count in range(1, 10**6))
    try:
        for path in candidates:
            try:
                path.mkdir(parents=True, exist_ok=out is not None)
            except FileExistsError:
                if out is not None or not path.parent.is_dir():
                    raise
                continue
            return kind(path)
    except OSError as error:
        raise RunError(
            f"cannot make the run directory {path}: {error.strerror}; name another with --out"
        ) from error
    raise RunError(f"there are a million runs named {name}; name another with --out")


def clear_parts(run: RunDirectory) -> None:
    """Remove the unfinished files that a killed process left; call it under the run's lock.

    Args:
        run: whose directory is cleared.
    """
    for folder in (run.path, run.checkpoint.parent):
        for part in folder.glob(".*.part"):
            part.unlink(missing_ok=True)
