"""The index of decoded images comes back as it was written, or not at all."""

from __future__ import annotations

import hashlib
import os
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate.data.facts import COLUMNS, MAGIC, Facts, Index, stamp

KEYS = ("a/1.png", "b/caf\udce9.png", "b/two words.jpg")


def make_index(**changes) -> Index:
    facts = Facts.unknown(KEYS)
    random = np.random.default_rng(0)
    for name, kind, width in COLUMNS:
        setattr(facts, name, random.integers(0, 100, (3, width)).astype(kind))
    facts.reasons[1] = "the file is empty"
    values = {"source": "/photos", "images": "images-" + "0f" * 8, "shape": (3, 8, 6), "fill": (1, 2, 255)}
    return Index(**{**values, "facts": facts, "archive": {"stamp": [1, 2, 3]}, **changes})


def same(left: Index, right: Index) -> bool:
    columns = all((getattr(left.facts, name) == getattr(right.facts, name)).all() for name, _, _ in COLUMNS)
    heads = [
        (index.source, index.images, index.shape, index.fill, index.archive, index.facts.keys)
        for index in (left, right)
    ]
    return columns and heads[0] == heads[1] and left.facts.reasons == right.facts.reasons


def test_an_index_comes_back(tmp_path):
    index = make_index()
    index.write(tmp_path / "index")
    read = Index.read(tmp_path / "index")
    assert same(index, read)
    assert read.facts.good.tolist() == [0, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_there_is_none_where_there_is_no_file(tmp_path):
    assert Index.read(tmp_path / "index") is None
    assert Index.read(tmp_path) is None


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_noticed(tmp_path, data):
    make_index().write(tmp_path / "index")
    content = bytearray((tmp_path / "index").read_bytes())
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    (tmp_path / "index").write_bytes(content)
    assert Index.read(tmp_path / "index") is None


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_nonsense_with_a_right_checksum_is_no_index(tmp_path, body):
    for content in (body, len(body).to_bytes(8, "little") + body):
        checksum = hashlib.blake2b(content, digest_size=32).digest()
        (tmp_path / "index").write_bytes(MAGIC + checksum + content)
        assert Index.read(tmp_path / "index") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"images": "../../secret"},
        {"images": "index"},
        {"shape": (2, 8, 6)},
        {"shape": (3, 8)},
        {"shape": (3, 8, -6)},
        {"shape": (3, 8, 10**9)},
        {"shape": (3, 8, 6.5)},
        {"shape": (3, True, 6)},
        {"fill": (1, 2)},
        {"fill": (1, 2, 256)},
        {"fill": ("1", "2", "3")},
        {"archive": []},
        {"source": 5},
        {"facts": Facts.unknown([])},
    ],
)
def test_what_makes_no_sense_is_no_index(tmp_path, changes):
    make_index(**changes).write(tmp_path / "index")
    assert Index.read(tmp_path / "index") is None


def test_a_stamp_tells_changes_once_the_clock_has_ticked(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"12345")
    now = time.time_ns()
    assert stamp(path, now) == (5, -1, -1)
    status = path.stat()
    later = now + 3 * 10**9
    assert stamp(path, later) == (5, status.st_mtime_ns, status.st_ctime_ns)
    os.utime(path, ns=(0, 0))
    assert stamp(path, later) != (5, status.st_mtime_ns, status.st_ctime_ns)
    assert stamp(tmp_path / "absent", now) == (-1, -1, -1)
