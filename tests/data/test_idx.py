"""The idx format: arrays come back, and every damage is named."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from striate.core.errors import DataError
from striate.data import idx
from striate.data.idx import gunzip, parse_idx


def written(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@given(arrays.arrays(np.uint8, arrays.array_shapes(max_dims=4)))
def test_an_array_comes_back(array):
    np.testing.assert_array_equal(parse_idx(gunzip(gzip.compress(written(array)), "x"), "x"), array)


@given(st.binary(max_size=40), st.booleans())
def test_random_bytes_are_read_or_raise_a_data_error(content, headed):
    content = b"\0\0\x08" + content if headed else content
    try:
        array = parse_idx(content, "x")
    except DataError:
        return
    assert array.nbytes == len(content) - 4 - 4 * array.ndim


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no idx file"),
        (b"\0\0\x08\0", "is no idx file"),
        (b"\x01\0\x08\x01\0\0\0\0", "is no idx file"),
        (b"\0\0\x0d\x01\0\0\0\0", "type 0x0d"),
        (b"\0\0\x08\x03\0\0\0\0", "truncated in its head"),
        (b"\0\0\x08\x01\0\0\0\x02a", r"holds 1 values, where its shape \(2,\) has 2"),
        (b"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff", "holds 0 values"),
    ],
)
def test_damage_is_named(content, words):
    with pytest.raises(DataError, match=words):
        parse_idx(content, "x")


def test_gzip_that_is_none_truncated_damaged_or_a_bomb_is_refused(monkeypatch):
    whole = gzip.compress(bytes(1000))
    with pytest.raises(DataError, match="no gzip file"):
        gunzip(b"text", "x")
    for content in (b"", whole[:-9]):
        with pytest.raises(DataError, match="truncated"):
            gunzip(content, "x")
    with pytest.raises(DataError, match="damaged"):
        gunzip(whole[:-6] + b"\xff" + whole[-5:], "x")
    monkeypatch.setattr(idx, "MOST_BYTES", 999)
    with pytest.raises(DataError, match="holds more than"):
        gunzip(whole, "x")
