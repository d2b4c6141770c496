"""Fetching, from a real server on this machine that breaks off, lies and refuses."""

import hashlib
import random
import socket
import threading
import time

import pytest

from striate.core.errors import DataError
from striate.core.events import ignore
from striate.data.fetching import Remote, fetch_all

CONTENT = random.Random(0).randbytes(300_000)


def remote(name="set.gz", content=CONTENT):
    return Remote(name, hashlib.md5(content).hexdigest())


FILES = (remote(),)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "sets" / "some"


def fetch(folder, *mirrors, files=FILES, on_event=ignore):
    fetch_all("some", files, mirrors, folder, on_event=on_event)
    return (folder / files[0].name).read_bytes()


def test_a_file_arrives_whole_with_its_progress(server, folder):
    server.files["set.gz"] = CONTENT
    events = []
    assert fetch(folder, server.address, on_event=events.append) == CONTENT
    assert events[-1].data == {"what": "fetching set.gz", "done": 300_000, "total": 300_000, "unit": "bytes"}
    assert sorted(path.name for path in folder.iterdir()) in (["set.gz"], [".lock", "set.gz"])


def test_a_broken_transfer_goes_on_where_it_broke(server, folder):
    server.files["set.gz"], server.breaks = CONTENT, [100_000, 50_000]
    assert fetch(folder, server.address) == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_what_an_earlier_process_left_is_gone_on_with(server, folder):
    folder.mkdir(parents=True)
    (folder / "set.gz.part").write_bytes(CONTENT[:123_456])
    server.files["set.gz"] = CONTENT
    assert fetch(folder, server.address) == CONTENT
    assert server.requests == [("/set.gz", "bytes=123456-")]


def test_a_part_that_is_whole_already_or_damaged_is_settled(server, folder):
    folder.mkdir(parents=True)
    server.files["set.gz"] = CONTENT
    for left in (CONTENT, bytes(1000), CONTENT + b"more"):
        (folder / "set.gz").unlink(missing_ok=True)
        (folder / "set.gz.part").write_bytes(left)
        assert fetch(folder, server.address) == CONTENT


def test_a_server_without_ranges_starts_again(server, folder):
    server.files["set.gz"], server.breaks, server.ranges = CONTENT, [100_000], False
    assert fetch(folder, server.address) == CONTENT


def test_the_next_mirror_is_asked_where_one_lacks_or_falsifies_the_file(server, folder):
    server.files = {"good/set.gz": CONTENT, "false/set.gz": bytes(1000)}
    mirrors = [server.address + name for name in ("none/", "false/", "good/")]
    assert fetch(folder, *mirrors) == CONTENT
    assert [path for path, _ in server.requests] == ["/none/set.gz", "/false/set.gz", "/good/set.gz"]


def test_where_none_gives_it_the_error_says_what_to_put_where(server, folder):
    server.files["set.gz"] = b"false"
    files = (remote(), remote("other.gz"))
    with pytest.raises(DataError) as caught:
        fetch(folder, server.address, server.address + "none/", files=files)
    message = str(caught.value)
    assert "has not the published checksum" in message
    assert "it answered 404" in message
    assert f"put set.gz, other.gz from {server.address} into {folder} and run this again" in message
    assert not (folder / "set.gz").exists()


def test_mirrors_that_cannot_be_reached_fail_quickly(folder):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(DataError, match="cannot be fetched"):
        fetch(folder, f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}/other/")
    assert time.monotonic() - start < 5


def test_a_transfer_that_never_ends_is_given_up(server, folder):
    server.files["set.gz"], server.breaks = CONTENT, [0] * 10
    with pytest.raises(DataError, match="broke off at 0 of 300,000 bytes"):
        fetch(folder, server.address)


def test_a_folder_that_cannot_be_made_is_said(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot keep some in"):
        fetch(tmp_path / "file" / "sets", server.address)


def test_two_at_once_fetch_it_once(server, folder):
    server.files["set.gz"] = CONTENT
    threads = [threading.Thread(target=fetch, args=(folder, server.address)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (folder / "set.gz").read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_the_first_digits_of_another_checksum_are_enough(server, folder):
    server.files = {"a/set.gz": bytes(1000), "b/set.gz": CONTENT}
    digits = hashlib.sha256(CONTENT).hexdigest()[:8]
    files = (Remote("set.gz", digits, "sha256"),)
    assert fetch(folder, server.address + "a/", server.address + "b/", files=files) == CONTENT
