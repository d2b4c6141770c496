"""Take a set out of its Debian package, without being root and without touching the system."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from striate.core.events import Event, OnEvent

SECONDS = 300


@dataclass(frozen=True)
class Packaged:
    """A set that is a Debian package, and the folder into which that installs its files."""

    package: str
    folder: Path


PACKAGED = {
    "fashion-mnist": Packaged("dataset-fashion-mnist", Path("/usr/share/datasets/fashion-mnist")),
}


def unpack_package(packaged: Packaged, target: Path, *, on_event: OnEvent) -> bool:
    """Download a package with apt-get and move its files into a folder.

    Where the machine has no package lists, lists of its own sources are fetched into a private folder.
    What is downloaded is signed by Debian, as for any package.

    Args:
        packaged: the package.
        target: the folder that is to hold its files.
        on_event: told of the progress.

    Returns:
        Whether the files are there now; not where there is no apt-get, it finds no such package, or the
        folder cannot be written.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return False
    on_event(Event("note", {"message": f"fetching the Debian package {packaged.package}"}))
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".package-") as name:
            return _unpack(packaged, Path(name), target)
    except OSError:  # why the folder cannot be written is said by who wanted the files
        return False


def _unpack(packaged: Packaged, work: Path, target: Path) -> bool:
    if not _run(["apt-get", "download", packaged.package], work):
        private = _private_lists(work)
        if not _run(["apt-get", *private, "update"], work):
            return False
        if not _run(["apt-get", *private, "download", packaged.package], work):
            return False
    archives = sorted(work.glob("*.deb"))
    if not archives or not _run(["dpkg-deb", "-x", archives[0].name, "unpacked"], work):
        return False
    for file in sorted((work / "unpacked" / packaged.folder.relative_to("/")).glob("*")):
        os.replace(file, target / file.name)
    return True


def _private_lists(work: Path) -> list[str]:
    (work / "lists" / "partial").mkdir(parents=True)
    (work / "cache" / "archives" / "partial").mkdir(parents=True)
    # The lists are fetched unsandboxed: apt's own user could not write into a private folder.
    options = {
        "Dir::State::lists": work / "lists",
        "Dir::Cache": work / "cache",
        "APT::Sandbox::User": "root",
    }
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def _run(command: list[str], folder: Path) -> bool:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
