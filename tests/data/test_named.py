"""Named sets: the embedded one, small stand-ins of the fetched ones served here, and the catalogue itself."""

import gzip
import hashlib
import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from striate.core.errors import DataError
from striate.core.events import ignore
from striate.data import open_dataset
from striate.data.named import IDX_FILES, NAMED_SETS, collect_named


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(length.to_bytes(4, "big") for length in array.shape)
    return gzip.compress(head + array.astype(np.uint8).tobytes(), mtime=0)


def serve(server, monkeypatch, name, files, contents=()):
    published = {file: hashlib.md5(content).hexdigest() for file, content in files.items()}
    server.files = dict(files)
    entry = replace(NAMED_SETS[name], mirrors=(server.address,), files=published, contents=contents)
    monkeypatch.setitem(NAMED_SETS, name, entry)


@pytest.fixture
def small_set(generator):
    images = generator.integers(0, 256, (50, 6, 6), dtype=np.uint8)
    labels = np.arange(50) % 10
    return (
        images,
        labels,
        dict(zip(IDX_FILES, map(idx, (images[:40], labels[:40], images[40:], labels[40:])), strict=True)),
    )


def test_digits_are_those_of_sklearn():
    scans = load_digits()
    collection = collect_named("digits", on_event=ignore)
    np.testing.assert_array_equal(collection.images[:, 0], np.rint(scans.images * 255 / 16))
    np.testing.assert_array_equal(collection.labels, scans.target)
    data = open_dataset("digits")
    assert (data.size, data.channels, data.flip, data.source) == ((8, 8), 1, False, "digits")
    assert data.classes == tuple("0123456789")


@pytest.mark.parametrize("name", ["mnist", "kmnist"])
def test_an_idx_set_is_fetched_once_verified_and_read(server, monkeypatch, small_set, cache, name):
    images, labels, files = small_set
    serve(server, monkeypatch, name, files)
    data = open_dataset(name)
    np.testing.assert_array_equal(data.test.images[:, 0], images[40:])
    np.testing.assert_array_equal(data.test.labels, labels[40:])
    assert (len(data.train) + len(data.validation), data.flip, data.classes) == (
        40,
        False,
        NAMED_SETS[name].classes,
    )
    assert len(server.requests) == 4
    assert open_dataset(name).fingerprint == data.fingerprint
    assert len(server.requests) == 4
    (cache / "sets" / name / IDX_FILES[0]).write_bytes(b"damaged")
    assert open_dataset(name).fingerprint == data.fingerprint
    assert len(server.requests) == 5


def test_another_compression_of_the_same_content_is_taken(server, monkeypatch, small_set, cache):
    files = small_set[2]
    contents = tuple(hashlib.sha256(gzip.decompress(content)).hexdigest() for content in files.values())
    serve(server, monkeypatch, "mnist", files, contents)
    folder = cache / "sets" / "mnist"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(gzip.compress(gzip.decompress(content), 1))
    assert len(open_dataset("mnist").train) == 30
    assert server.requests == []


def test_a_cache_that_cannot_be_written_is_said(server, monkeypatch, small_set, tmp_path):
    serve(server, monkeypatch, "fashion-mnist", small_set[2])
    (tmp_path / "file").touch()
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="cannot keep fashion-mnist in"):
        open_dataset("fashion-mnist")


def test_files_that_do_not_fit_each_other_are_refused(server, monkeypatch, small_set):
    images, labels, files = small_set
    for wrong in (idx(labels[:39]), idx(labels[:40] + 1), idx(images[:40])):
        serve(server, monkeypatch, "mnist", {**files, IDX_FILES[1]: wrong})
        with pytest.raises(DataError, match="do not hold images and labels that fit"):
            open_dataset("mnist")


def cifar_archive(members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(f"cifar/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_is_read_from_its_binary_archive(server, monkeypatch, generator, name):
    images = generator.integers(0, 256, (30, 3, 32, 32), dtype=np.uint8)
    labels = np.arange(30) % 5
    front = [labels] if name == "cifar10" else [labels % 2, labels]
    records = np.column_stack([*front, images.reshape(30, -1)]).astype(np.uint8)
    if name == "cifar10":
        members = {f"data_batch_{n}.bin": records[5 * n - 5 : 5 * n].tobytes() for n in range(1, 6)}
        members |= {"test_batch.bin": records[25:].tobytes(), "batches.meta.txt": b"a\nb\nc\nd\ne\n\n"}
    else:
        members = {"train.bin": records[:25].tobytes(), "test.bin": records[25:].tobytes()}
        members |= {"fine_label_names.txt": b"a\nb\nc\nd\ne\n", "coarse_label_names.txt": b"x\ny\n"}
    file = next(iter(NAMED_SETS[name].files))
    serve(server, monkeypatch, name, {file: cifar_archive(members)})
    data = open_dataset(name)
    np.testing.assert_array_equal(data.test.images, images[25:])
    np.testing.assert_array_equal(data.test.labels, labels[25:])
    assert (data.classes, data.flip, len(data.train) + len(data.validation)) == (tuple("abcde"), True, 25)
    for harm, words in (
        ({**members, next(iter(members)): b"short"}, "no multiple of"),
        ({key: value for key, value in members.items() if "names" not in key and "meta" not in key}, "lacks"),
        ({**members, **{key: b"a\n" for key in members if "fine" in key or "meta" in key}}, "do not cover"),
    ):
        serve(server, monkeypatch, name, {file: cifar_archive(harm)})
        with pytest.raises(DataError, match=words):
            open_dataset(name)


def test_a_misspelt_name_is_told_the_nearest():
    with pytest.raises(DataError, match="no file or folder 'fashon-mnist'; did you mean 'fashion-mnist'"):
        open_dataset("fashon-mnist")
    with pytest.raises(DataError, match=r"'somewhere' \(named sets: fashion-mnist"):
        open_dataset("somewhere")
    with pytest.raises(DataError, match="did you mean 'kmnist'"):
        collect_named("kmnst", on_event=ignore)


def test_every_checksum_has_the_form_of_one():
    for published in NAMED_SETS.values():
        assert all(len(bytes.fromhex(md5)) == 16 for md5 in published.files.values())
        assert all(len(bytes.fromhex(digest)) == 32 for digest in published.contents)
        assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in published.mirrors)
        assert len(published.contents) in (0, len(published.files))
