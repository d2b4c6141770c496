"""Tensor files keep bytes, types and strides, and say in one sentence what is wrong with a bad file."""

from __future__ import annotations

import json
import pickle
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from striate.core.errors import ModelFileError
from striate.core.tensors import HEADER_LIMIT, Entry, load_tensors, read_header, save_tensors


def write_raw(path: Path, header: Any, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "saved.safetensors"
    save_tensors(path, {"weight": torch.arange(24.0).reshape(2, 3, 2, 2)}, {"made": "today"})
    return path


@given(
    shape=st.lists(st.integers(0, 4), max_size=5),
    order=st.randoms(use_true_random=False),
    dtype=st.sampled_from(
        [torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool]
    ),
)
@settings(max_examples=60, deadline=None)
def test_any_stride_order_comes_back(tmp_path_factory, shape, order, dtype) -> None:
    dims = list(range(len(shape)))
    order.shuffle(dims)
    tensor = torch.empty_permuted(shape, dims, dtype=dtype)
    tensor.copy_(torch.randint(0, 2, shape))
    path = tmp_path_factory.mktemp("strides") / "a.safetensors"
    save_tensors(path, {"tensor": tensor}, {})
    back = load_tensors(path)[0]["tensor"]
    assert torch.equal(back, tensor)
    assert back.dtype == tensor.dtype
    if 0 not in shape:
        assert back.stride() == tensor.stride()


def test_channels_last_of_one_channel_comes_back(tmp_path: Path) -> None:
    # (4, 1, 3, 3) is contiguous in both formats, and only its strides tell torch which one is meant.
    filters = torch.rand(4, 1, 3, 3).to(memory_format=torch.channels_last)
    save_tensors(tmp_path / "a.safetensors", {"filters": filters}, {})
    assert load_tensors(tmp_path / "a.safetensors")[0]["filters"].stride() == filters.stride()


def test_what_is_no_dense_tensor_is_written_contiguous(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {"sliced": base[:, ::2], "expanded": base[:1].expand(5, 4), "scalar": torch.tensor(2.5)}
    save_tensors(tmp_path / "a.safetensors", tensors, {})
    back, _ = load_tensors(tmp_path / "a.safetensors")
    for name, tensor in tensors.items():
        assert torch.equal(back[name], tensor)
        assert back[name].is_contiguous()


def test_shared_memory_is_written_apart(tmp_path: Path) -> None:
    tied = torch.rand(3, 3)
    save_tensors(tmp_path / "a.safetensors", {"one": tied, "two": tied, "part": tied[0]}, {})
    back, _ = load_tensors(tmp_path / "a.safetensors")
    back["one"].zero_()
    assert torch.equal(back["two"], tied)
    assert torch.equal(back["part"], tied[0])


def test_safetensors_reads_what_we_write_and_the_reverse(tmp_path: Path, saved: Path) -> None:
    assert torch.equal(load_file(saved)["weight"], torch.arange(24.0).reshape(2, 3, 2, 2))
    save_file({"b": torch.ones(3)}, tmp_path / "theirs.safetensors")
    tensors, metadata = load_tensors(tmp_path / "theirs.safetensors")
    assert torch.equal(tensors["b"], torch.ones(3))
    assert metadata == {}


def test_header_is_read_without_tensors(saved: Path) -> None:
    header = read_header(saved)
    assert header.metadata["made"] == "today"
    assert header.tensors == {"weight": Entry("F32", (2, 3, 2, 2))}


def test_loaded_tensors_do_not_hang_on_the_file(saved: Path) -> None:
    tensors, _ = load_tensors(saved)
    saved.write_bytes(b"")
    assert tensors["weight"].sum() == 276


def test_failed_write_leaves_the_old_file(saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(TypeError):
        save_tensors(saved, {"weight": torch.ones(2)}, {"key": 3})  # type: ignore[dict-item]
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_full_disk_is_an_os_error_and_leaves_the_old_file(saved: Path) -> None:
    resource = pytest.importorskip("resource", reason="this system has no limits on file sizes")
    before = saved.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="cannot write"):
            save_tensors(saved, {"weight": torch.ones(10_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_every_cut_is_found(saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    part = tmp_path / "part.safetensors"
    for length in range(len(whole)):
        part.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match=r"cut short|not a safetensors"):
            load_tensors(part)


@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_a_changed_byte_never_crashes(tmp_path_factory, position: int, value: int) -> None:
    path = tmp_path_factory.mktemp("changed") / "a.safetensors"
    filters = torch.rand(2, 3, 2, 2).to(memory_format=torch.channels_last)
    save_tensors(path, {"weight": filters}, {"made": "today"})
    data = bytearray(path.read_bytes())
    data[position % len(data)] = value
    path.write_bytes(data)
    with suppress(ModelFileError):  # any other error fails; a changed weight is no error
        load_tensors(path)


ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    ("header", "data", "sentence"),
    [
        (b"{", b"", "not JSON"),
        (b'{"a":' + b"[" * 100_000, b"", "not JSON"),
        (b'{"a":' + b"9" * 10_000 + b"}", b"", "not JSON"),
        ({"__metadata__": {"a": 1}}, b"", "not texts"),
        ({"__metadata__": []}, b"", "not texts"),
        ({"a": 3}, b"", "makes no sense"),
        ({"a": {**ONE, "shape": [-1]}}, b"0000", "makes no sense"),
        ({"a": {**ONE, "shape": [True]}}, b"0000", "makes no sense"),
        ({"a": {**ONE, "shape": [1] * 100}}, b"0000", "makes no sense"),
        ({"a": {**ONE, "shape": [10**12]}}, b"0000", "makes no sense"),
        ({"a": {**ONE, "data_offsets": [0, 10**12], "shape": [10**12 // 4]}}, b"0000", "cut short"),
        ({"a": {**ONE, "data_offsets": [4, 8]}}, b"00000000", "one after another"),
        ({"a": ONE, "b": ONE}, b"0000", "one after another"),
        ({"a": {**ONE, "dtype": "F4"}}, b"0000", "type F4"),
        ({"a": ONE}, b"00000000", "4 bytes follow"),
        ({"a": ONE, "__metadata__": {"layouts": "["}}, b"0000", "not JSON"),
        ({"a": ONE, "__metadata__": {"layouts": "[]"}}, b"0000", "not a table"),
        ({"a": ONE, "__metadata__": {"layouts": '{"b": [1]}'}}, b"0000", "layout of tensor 'b'"),
        ({"a": ONE, "__metadata__": {"layouts": '{"a": [1, 1]}'}}, b"0000", "layout of tensor 'a'"),
        ({"a": ONE, "__metadata__": {"layouts": '{"a": "x"}'}}, b"0000", "layout of tensor 'a'"),
    ],
)
def test_hostile_headers_are_refused(tmp_path: Path, header: Any, data: bytes, sentence: str) -> None:
    path = write_raw(tmp_path / "hostile.safetensors", header, data)
    with pytest.raises(ModelFileError, match=sentence):
        load_tensors(path)


def test_overlapping_strides_are_refused(tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [2, 2, 2], "data_offsets": [0, 32]}
    metadata = {"layouts": '{"a": [1, 1, 5]}'}  # spans eight elements and names some twice
    path = write_raw(tmp_path / "overlap.safetensors", {"a": entry, "__metadata__": metadata}, b"0" * 32)
    with pytest.raises(ModelFileError, match="layout"):
        load_tensors(path)


def test_a_header_that_claims_too_much_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.safetensors"
    path.write_bytes(struct.pack("<Q", HEADER_LIMIT + 1) + b"{}")
    with pytest.raises(ModelFileError, match="at most"):
        read_header(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_refused_unread(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelFileError, match="pickle"):
        load_tensors(path)


def test_a_plain_pickle_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ModelFileError, match="pickle"):
        read_header(path)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n0000000", b"words and more words"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="not a safetensors file"):
        read_header(path)


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="No such file"):
        read_header(tmp_path / "absent")
    with pytest.raises(ModelFileError, match="directory"):
        read_header(tmp_path)


def test_a_header_of_a_pickles_first_bytes_is_read(tmp_path: Path) -> None:
    # 640 as a little-endian number begins as a pickle of protocol 2 does.
    text = b'{"__metadata__": {"made": "today"}}'.ljust(640)
    assert read_header(write_raw(tmp_path / "a.safetensors", text)).metadata == {"made": "today"}
