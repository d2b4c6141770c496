"""Two processes that decode the same images: one waits; and where one is killed, the other does it all."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.core.events import ignore
from striate.data import clean_cache, gathering, open_dataset
from striate.data.cache import Cache

OPEN = """
import sys
from striate.data import gathering, open_dataset
gathering.SMALLEST_SOURCE = 0
told = set()

def on_event(event):
    what = event.data.get("what", event.kind)
    if what in told:
        return
    told.add(what)
    print(what, flush=True)
    if what == sys.argv[2]:
        sys.stdin.readline()

print(open_dataset(sys.argv[1], size=16, on_event=on_event).fingerprint, flush=True)
"""


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(4)
    for number in range(12):
        folder = tmp_path / "photos" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "photos"


@pytest.fixture
def begin(photos):
    """Start a process that opens the photos and stops where it is told to until it gets a line."""
    started = []

    def start(stop: str = "") -> subprocess.Popen:
        command = [sys.executable, "-c", OPEN, str(photos), stop]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


WAITING = "waiting for another run that decodes these images"


def wait_until(process: subprocess.Popen, what: str) -> None:
    """Read what a process says until it says that."""
    for line in process.stdout:
        if line.strip() == what:
            return
    raise AssertionError(f"the process ended without {what!r}")


def test_the_second_waits_and_then_reads(photos, begin):
    first = begin("decoding images")
    wait_until(first, "decoding images")
    second = begin()
    wait_until(second, WAITING)
    rest, _ = first.communicate("go on\n")
    assert rest.split()[-1] == open_dataset(photos, size=16, cache_gb=0).fingerprint
    lines = second.communicate()[0].splitlines()
    assert lines[-1] == rest.split()[-1]
    assert "decoding images" not in lines
    assert "reading decoded images" in lines


@pytest.mark.parametrize("moment", ["decoding images", "reading decoded images"])
def test_where_the_first_is_killed_the_second_does_it(photos, begin, cache, moment):
    first = begin(moment)
    wait_until(first, moment)
    second = begin()
    wait_until(second, WAITING)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    lines = second.communicate()[0].splitlines()
    assert lines[-1] == open_dataset(photos, size=16, cache_gb=0).fingerprint
    # What had been finished before the kill is whole, and what had not is not taken for it.
    assert ("decoding images" in lines) == (moment == "decoding images")
    assert sorted(path.name.split("-")[0] for path in cache.glob("decoded/[0-9a-f]*/*")) == [
        "images",
        "index",
    ]


def test_a_killed_build_leaves_what_the_next_one_removes(photos, begin, cache, monkeypatch):
    first = begin("decoding images")
    wait_until(first, "decoding images")
    first.kill()
    first.wait()
    (left,) = cache.glob("decoded/[0-9a-f]*/*")
    assert left.name.endswith(".part")
    monkeypatch.setattr(gathering, "SMALLEST_SOURCE", 0)
    data = open_dataset(photos, size=16)
    assert not left.exists()
    assert data.fingerprint == open_dataset(photos, size=16, cache_gb=0).fingerprint


def test_what_is_being_written_is_not_removed(begin):
    first = begin("decoding images")
    wait_until(first, "decoding images")
    removed, left = clean_cache()
    assert (removed, len(left)) == ([], 1)
    first.communicate("go on\n")
    assert first.returncode == 0
    removed, left = clean_cache()
    assert (len(removed), left) == (1, [])


def test_an_interrupt_while_waiting_ends_it(begin):
    first = begin("decoding images")
    wait_until(first, "decoding images")
    second = begin()
    wait_until(second, WAITING)
    began = time.monotonic()
    second.send_signal(signal.SIGINT)
    second.wait(timeout=30)
    assert time.monotonic() - began < 10
    assert second.returncode != 0


def test_entries_are_only_what_looks_like_one(cache):
    folder = cache / "decoded"
    for name in ("a" * 24, "locks", "notes", "A" * 24, "../sets"):
        Path(folder / name).mkdir(parents=True)
    found = Cache(folder, 0).entries()
    assert [entry.name for entry in found] == ["a" * 24]
    with found[0].locked(ignore):
        assert found[0].read() is None
    clean_cache()
    assert sorted(path.name for path in folder.iterdir()) == sorted(["A" * 24, "locks", "notes"])
