"""Environments of their own for other libraries: made once with pip, pinned, and kept in the cache."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from striate.core.events import Event, OnEvent
from striate.core.files import cache_directory, write_text

READY = "installed.json"
"""The file that an environment has once everything is installed in it."""

LONGEST_REASON = 300

_HEADER = re.compile(r"^# /// script\n((?:#.*\n)+?)# ///$", re.MULTILINE)
"""Inline script metadata, as PyPA's specification has it."""


class Unusable(Exception):
    """An environment that cannot be had here; the message says why."""


def requirements_of(script: Path) -> tuple[str, ...]:
    """Read what a script needs from its header.

    Args:
        script: with inline script metadata.

    Returns:
        Its requirements, as pip takes them.

    Raises:
        ValueError: where it has no such header.

    Source: PyPA, Inline script metadata (PEP 723).
    """
    found = _HEADER.search(script.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{script.name} has no inline script metadata")
    lines = [line.removeprefix("#").removeprefix(" ") for line in found[1].splitlines()]
    return tuple(tomllib.loads("\n".join(lines))["dependencies"])


def prepare(requirements: Sequence[str], *, name: str, on_event: OnEvent) -> Path:
    """Make an environment that has some distributions and nothing else, or take the one that was made before.

    It lies in the cache under a name that follows from its requirements and from Python's version, so that
    whoever needs the same shares it. pip is left to its own configuration.

    Args:
        requirements: as pip takes them, pinned.
        name: whom it is for, to be told.
        on_event: is told of the progress.

    Returns:
        Its Python interpreter.

    Raises:
        Unusable: where it cannot be made, with pip's own word.
    """
    version = ".".join(map(str, sys.version_info[:3]))
    key = hashlib.blake2b("\n".join([version, *sorted(requirements)]).encode(), digest_size=6).hexdigest()
    folder = cache_directory() / "environments" / key
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not (folder / READY).exists():
                message = f"installing {', '.join(requirements)} for {name} into {folder}, once"
                on_event(Event("note", {"message": message}))
                # What a broken-off installation has left is not to be relied on.
                _run([sys.executable, "-m", "venv", "--clear", str(folder)])
                _install(python, requirements, name, on_event)
                size = _bytes_in(folder)
                facts = {"requirements": list(requirements), "python": version, "bytes": size}
                write_text(folder / READY, json.dumps(facts, indent=1) + "\n")
                message = f"the environment of {name} takes {size / 1e6:,.0f} MB"
                on_event(Event("note", {"message": message}))
    except OSError as error:
        raise Unusable(f"cannot write {folder}: {error.strerror or error}") from error
    return python


def _install(python: Path, requirements: Sequence[str], name: str, on_event: OnEvent) -> None:
    words = [str(python), "-m", "pip", "install", "--no-input", "--progress-bar", "off", "--retries", "2"]
    _run([*words, "--disable-pip-version-check", *requirements], on_event=on_event, name=name)


def _run(words: Sequence[str], *, on_event: OnEvent | None = None, name: str = "") -> None:
    """Run a command to its end and count the packages that it comes by."""
    packages = 0
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if on_event is not None and line.startswith("Collecting "):
                    packages += 1
                    figures = {"what": f"installing for {name}", "done": packages, "total": None}
                    on_event(Event("prepare", {**figures, "unit": "packages"}))
            status = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if status != 0:
            errors.seek(0)
            raise Unusable(_reason(errors.read().decode("utf-8", "replace"), status))


def _reason(text: str, status: int) -> str:
    said = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR:")]
    return (wrong or said or [f"it ended with status {status}"])[-1][:LONGEST_REASON]


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
