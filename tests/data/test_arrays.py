"""Arrays in memory and .npz files: every layout that is taken, one sentence for every other."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.core.errors import DataError
from striate.data import archives as archives_module
from striate.data import open_dataset, open_split
from striate.data.arrays import collect_npz, to_images

LABELS = np.arange(12) % 3


@pytest.fixture
def images(generator):
    return generator.integers(0, 256, (12, 8, 9), dtype=np.uint8)


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        path = tmp_path / "set.npz"
        np.savez(path, **arrays)
        return path

    return save


def test_layouts_and_types_give_the_same(images):
    colour = np.stack([images, 255 - images, images // 2], 1)
    data = open_dataset((colour, LABELS))
    same = (
        colour.transpose(0, 2, 3, 1),
        (colour / 255).astype(np.float32),
        colour.astype(np.int64),
        torch.from_numpy(colour.copy()),
        colour.tolist(),
    )
    assert {open_dataset((other, LABELS)).fingerprint for other in same} == {data.fingerprint}
    assert (data.size, data.channels, data.classes) == ((8, 9), 3, ("0", "1", "2"))
    assert (data.name, data.source, data.test) == ("arrays", None, None)


def test_the_callers_arrays_stay_as_they_were(images):
    before = images.copy()
    data = open_dataset((images, LABELS))
    data.train.images[:] = 0
    np.testing.assert_array_equal(images, before)


def test_rows_stay_with_their_labels(images):
    data = open_dataset((images, LABELS), seed=3)
    for split in (data.train, data.validation):
        for image, label in zip(split.images, split.labels, strict=True):
            row = next(row for row in range(12) if (images[row] == image[0]).all())
            assert LABELS[row] == label


def test_labels_may_be_any_numbers_or_names(images):
    assert open_dataset((images, LABELS * 10 - 10)).classes == ("-10", "0", "10")
    assert open_dataset((images, np.array(["b", "a", "ü"])[LABELS])).classes == ("a", "b", "ü")
    assert open_dataset((images, np.array(["b", "a", "ü"], object)[LABELS])).classes == ("a", "b", "ü")
    assert open_dataset((images, LABELS[:, None].astype(float))).classes == ("0", "1", "2")
    assert open_dataset((images, list(LABELS > 0))).classes == ("0", "1")


def test_an_npz_with_parts_and_class_names(save, images):
    arrays = {"x_train": images, "y_train": LABELS, "x_test": images[:3], "y_test": LABELS[:3]}
    data = open_dataset(save(**arrays, x_val=images[:4], y_val=LABELS[:4], classes=["z", "y", "x"]))
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 4, 3)
    assert data.classes == ("z", "y", "x")
    assert data.name == "set"
    assert data.source.endswith("set.npz")
    np.testing.assert_array_equal(data.test.images[:, 0], images[:3])
    split, _, _ = open_split(data.source, "train", like=data)
    assert len(split) == 12
    assert open_dataset(save(images=images, labels=LABELS)).test is None


def test_only_what_is_known_to_be_digits_or_letters_is_not_mirrored(save, generator):
    twenty = generator.integers(0, 256, (20, 8, 8), dtype=np.uint8)
    numbers = np.arange(20)
    for labels, flip in (
        (numbers % 10, False),
        (numbers % 9, True),
        (numbers % 2, True),
        (np.array(list("ab"))[numbers % 2], False),
        (np.array(["a", "bee"])[numbers % 2], True),
    ):
        for source in ((twenty, labels), save(images=twenty, labels=labels)):
            data = open_dataset(source)
            assert data.flip is flip
            assert any("--flip mirrors them" in note for note in data.notes) is not flip


def test_where_channels_could_be_first_or_last_it_is_said(generator):
    data = open_dataset((generator.integers(0, 256, (12, 3, 5, 3), dtype=np.uint8), LABELS))
    assert data.size == (3, 5)
    assert data.notes == ("images of shape (12, 3, 5, 3) is taken to have its channels last",)


def test_a_size_or_channels_asked_for_are_given(images):
    data = open_dataset((images, LABELS), size=16, channels=3)
    assert (data.size, data.channels) == ((16, 16), 3)
    assert data.fill == (round(images.mean()),) * 3
    np.testing.assert_array_equal(
        data.train.images[:, :, 0], np.full_like(data.train.images[:, :, 0], data.fill[0])
    )


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"x_train": np.zeros((3, 4, 4), np.uint8), "y_train": [0, 1]},
            "has 3 images but y_train has 2 labels",
        ),
        ({"x_train": np.zeros((3, 4, 4), np.uint8)}, "has x_train without its labels"),
        ({"y_test": [0]}, "has y_test without its images"),
        ({"a": [0], "b": [1]}, "has the arrays a, b, where x_train and y_train"),
        ({"images": np.full((2, 4, 4), np.nan), "labels": [0, 1]}, "values from nan to nan"),
        ({"images": np.full((2, 4, 4), 1.5), "labels": [0, 1]}, "values from 1.5 to 1.5"),
        ({"images": np.full((2, 4, 4), -1), "labels": [0, 1]}, "values from -1 to -1"),
        ({"images": np.full((2, 4, 4), 256), "labels": [0, 1]}, "values from 256 to 256"),
        ({"images": np.zeros((2, 4, 4), "U1"), "labels": [0, 1]}, "dtype <U1 holds no images"),
        ({"images": np.zeros((2, 4, 4), complex), "labels": [0, 1]}, "dtype complex128"),
        ({"images": np.zeros(2), "labels": [0, 1]}, r"shape \(2,\)"),
        ({"images": np.zeros((2, 4, 5, 6)), "labels": [0, 1]}, "neither 1 nor 3 channels"),
        ({"images": np.zeros((0, 4, 4)), "labels": []}, "is empty"),
        ({"images": np.zeros((2, 0, 4)), "labels": [0, 1]}, "is empty"),
        ({"images": np.zeros((2, 4, 4)), "labels": [0.5, 1]}, "no whole numbers"),
        ({"images": np.zeros((2, 4, 4)), "labels": [np.nan, 1]}, "no whole numbers"),
        ({"images": np.zeros((2, 4, 4)), "labels": np.eye(2) / 2}, r"shape \(2, 2\)"),
        ({"images": np.zeros((2, 4, 4)), "labels": [1j, 2]}, "whole numbers or names"),
        ({"images": np.zeros((2, 4, 4)), "labels": [1, 1]}, "one class only, '1'"),
        (
            {"images": np.zeros((2, 4, 4)), "labels": [0, 2], "classes": ["a", "b"]},
            "0 to 2, but classes has 2",
        ),
        ({"images": np.zeros((2, 4, 4)), "labels": [0, 1], "classes": ["a", "a"]}, "names a class twice"),
        ({"images": np.zeros((2, 4, 4)), "labels": [0, 1]}, "no class has two images"),
        (
            {"x_train": np.zeros((2, 4, 4)), "y_train": [0, 1], "x_test": np.zeros((1, 5, 5)), "y_test": [0]},
            "unlike shapes",
        ),
        (
            {
                "x_train": np.zeros((2, 4, 4)),
                "y_train": [0, 1],
                "x_test": np.zeros((1, 4, 4)),
                "y_test": ["a"],
            },
            "names and those of another numbers",
        ),
    ],
)
def test_what_is_wrong_is_said(save, arrays, words):
    with pytest.raises(DataError, match=words):
        open_dataset(save(**arrays))


def test_objects_are_never_unpickled(save, tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    harm = np.array([Harm()], object)
    with pytest.raises(DataError, match="holds Python objects"):
        open_dataset(save(images=harm, labels=[0]))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(DataError, match=r"holds Python objects|no .npz file"):
        open_dataset(tmp_path / "pickle.npz")
    assert not (tmp_path / "harm").exists()


def test_what_is_no_npz_is_said(tmp_path, images):
    np.save(tmp_path / "one.npy", images)
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with pytest.raises(DataError, match="but one array"):
        open_dataset(tmp_path / "one.npz")
    for content in (b"", b"text", b"PK\x03\x04 damaged"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(DataError, match=r"bad.npz"):
            open_dataset(tmp_path / "bad.npz")


def npz_of_head(head):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode())
        archive.writestr("labels.npy", b"")
    return file.getvalue()


def npz_with_a_password():
    file = io.BytesIO()
    np.savez(file, images=np.zeros((2, 4, 4), np.uint8), labels=[0, 1])
    content = bytearray(file.getvalue())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := content.find(signature, start)) >= 0:
            content[start + offset] |= 1
            start += 4
    return content


@pytest.mark.parametrize(
    "content",
    [
        npz_with_a_password(),
        npz_of_head("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 4, 4"),
        npz_of_head("-" * 3000 + "1"),
    ],
    ids=["password", "open bracket", "deep nesting"],
)
def test_a_hostile_npz_is_refused(tmp_path, content):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"bad.npz is no .npz file, or is damaged: ."):
        open_dataset(tmp_path / "bad.npz")


def test_a_bomb_is_refused_before_it_is_read(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "bomb.npz", images=np.zeros((2, 1000, 1000), np.uint8), labels=[0, 1])
    assert len(collect_npz(tmp_path / "bomb.npz").images) == 2
    monkeypatch.setattr(archives_module, "FREE_BYTES", 1 << 20)
    with pytest.raises(DataError, match="far more than images in a file of its size"):
        collect_npz(tmp_path / "bomb.npz")


def test_many_images_that_are_nearly_empty_are_no_bomb(tmp_path):
    images = np.zeros((60_000, 28, 28), np.uint8)
    images[:, 14, 14] = 255
    np.savez_compressed(tmp_path / "dots.npz", images=images, labels=np.arange(60_000) % 2)
    assert (tmp_path / "dots.npz").stat().st_size * archives_module.MOST_RATIO < images.nbytes
    assert collect_npz(tmp_path / "dots.npz").images.shape == (60_000, 1, 28, 28)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.data())
def test_a_damaged_npz_is_read_or_raises_a_data_error(tmp_path_factory, data):
    file = io.BytesIO()
    save = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(file, images=np.arange(64, dtype=np.uint8).reshape(4, 4, 4), labels=[0, 0, 1, 1])
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(content)
    try:
        collection = collect_npz(path)
    except DataError:
        return
    assert len(collection.images) == len(collection.labels)


def test_what_is_uint8_already_is_not_copied(images):
    assert np.shares_memory(to_images(images[:, None], "images", []), images)
