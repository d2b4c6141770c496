"""Atomic files: whole or as before, whatever happens while they are written."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from striate.core.files import atomic_path, cache_directory, write_text

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and signals of POSIX")


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_is_made_and_replaced(tmp_path):
    for text in ("one", "two: \u00e4\n\u732b"):
        write_text(tmp_path / "a.txt", text)
        assert (tmp_path / "a.txt").read_text(encoding="utf-8") == text
    assert names(tmp_path) == ["a.txt"]


def test_the_old_file_stands_until_the_block_ends(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with atomic_path(tmp_path / "a.txt") as temporary:
        assert temporary.parent == tmp_path
        temporary.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("failure", [ValueError, OSError, KeyboardInterrupt])
def test_a_failure_inside_the_block_keeps_the_old_file_and_leaves_nothing(tmp_path, failure):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(failure), atomic_path(tmp_path / "a.txt") as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise failure
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_failure_before_there_was_a_file_leaves_none(tmp_path):
    with pytest.raises(ValueError, match="never"), atomic_path(tmp_path / "a.txt"):
        raise ValueError("never")
    assert names(tmp_path) == []


def test_a_block_that_removes_its_file_is_an_error_and_keeps_the_old_one(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.unlink()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_writer_that_replaces_the_temporary_file_is_followed(tmp_path):
    with atomic_path(tmp_path / "a.txt") as temporary:
        other = tmp_path / "other"
        other.write_text("by another name")
        other.replace(temporary)
    assert (tmp_path / "a.txt").read_text() == "by another name"
    assert names(tmp_path) == ["a.txt"]


@posix
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_mask(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a.txt", "text")
        assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode
        assert os.umask(mask) == mask
    finally:
        os.umask(before)


@posix
def test_a_kill_between_writing_and_renaming_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    program = (
        "import sys, time\n"
        "from striate.core.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('new')\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert (tmp_path / "a.txt").read_text() == "old"
    write_text(tmp_path / "a.txt", "newer")
    assert (tmp_path / "a.txt").read_text() == "newer"


def test_a_missing_directory_is_an_error_that_makes_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "none" / "a.txt", "text")
    assert names(tmp_path) == []


def test_a_directory_in_the_way_is_an_error_that_leaves_nothing(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OSError, match=r"a\.txt"):
        write_text(tmp_path / "a.txt", "text")
    assert names(tmp_path) == ["a.txt"]


@posix
def test_any_name_will_do(tmp_path):
    for name in ("line\nbreak", "\u732b \U0001f408", "-rf", "x" * 200):
        write_text(tmp_path / name, name)
        assert (tmp_path / name).read_text(encoding="utf-8") == name


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("STRIATE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_directory() == Path.home() / ".cache" / "striate"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "striate"
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own"
    assert names(tmp_path) == []
