"""The Debian package: a real package made here, in a repository of this test, fetched by the real apt-get."""

import gzip
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from striate.core.events import ignore
from striate.data.debian import Packaged, unpack_package

needs_apt = pytest.mark.skipif(
    not (shutil.which("apt-get") and shutil.which("dpkg-deb")), reason="this machine has no apt-get"
)


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    repository = tmp_path / "repository"
    content = tmp_path / "content"
    (content / "DEBIAN").mkdir(parents=True)
    (content / "DEBIAN").chmod(0o755)  # dpkg-deb refuses what a strict umask gives
    (content / "usr" / "share" / "datasets" / "tiny").mkdir(parents=True)
    (content / "usr" / "share" / "datasets" / "tiny" / "images.gz").write_bytes(b"images")
    control = "Package: dataset-tiny\nVersion: 1\nArchitecture: all\n"
    control += "Maintainer: A <a@example.org>\nDescription: x\n"
    (content / "DEBIAN" / "control").write_text(control)
    repository.mkdir()
    archive = repository / "dataset-tiny_1_all.deb"
    subprocess.run(["dpkg-deb", "-b", content, archive], check=True, capture_output=True)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    entry = f"{control}Filename: ./{archive.name}\nSize: {archive.stat().st_size}\nSHA256: {digest}\n\n"
    (repository / "Packages.gz").write_bytes(gzip.compress(entry.encode()))
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{repository} ./\n")
    (tmp_path / "lists" / "partial").mkdir(parents=True)
    (tmp_path / "apt.conf").write_text(
        f'Dir::State::lists "{tmp_path}/lists";\nDir::Etc::sourcelist "{tmp_path}/sources.list";\n'
        'Dir::Etc::sourceparts "-";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return Packaged("dataset-tiny", Path("/usr/share/datasets/tiny"))


@needs_apt
def test_a_package_is_fetched_with_private_lists_and_nothing_else_is_left(packaged, tmp_path):
    target = tmp_path / "target"
    events = []
    assert unpack_package(packaged, target, on_event=events.append)
    assert [path.name for path in target.iterdir()] == ["images.gz"]
    assert (target / "images.gz").read_bytes() == b"images"
    assert [path.name for path in (tmp_path / "lists").iterdir()] == ["partial"]
    assert events[0].data["message"] == "fetching the Debian package dataset-tiny"


@needs_apt
def test_a_package_that_there_is_not_is_not_fetched(packaged, tmp_path):
    missing = Packaged("dataset-none", packaged.folder)
    assert not unpack_package(missing, tmp_path / "target", on_event=ignore)
    assert list((tmp_path / "target").iterdir()) == []


@needs_apt
def test_where_the_folder_cannot_be_written_nothing_is_fetched(packaged, tmp_path):
    (tmp_path / "file").touch()
    assert not unpack_package(packaged, tmp_path / "file" / "target", on_event=ignore)


def test_without_apt_get_nothing_is_done(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = Packaged("dataset-none", tmp_path)
    assert not unpack_package(missing, tmp_path / "target", on_event=ignore)
    assert not (tmp_path / "target").exists()
