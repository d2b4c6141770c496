"""Images on the disk read as an array does, without any of them being in memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from striate.core.errors import DataError
from striate.data import decode_image
from striate.data.listing import LabelledFile, open_binary
from striate.data.stored import MappedImages, StreamedImages, pick_rows, read_rows

SHAPE = (3, 9, 7)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The same images as an array, in a file, and as pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    files = []
    for number in range(20):
        path = folder / f"{number}.png"
        height, width = random.integers(5, 40, 2)
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        files.append(LabelledFile(path.name, "a", "all", partial(open_binary, path), path))
    streamed = StreamedImages(files, SHAPE, fit="pad", fill=(1, 2, 3))
    array = np.stack([decode_image(file.path, size=SHAPE[1:], fill=(1, 2, 3)) for file in files])
    array.tofile(folder / "images")
    return array, MappedImages.open(folder / "images", array.shape), streamed


KEYS = st.one_of(
    st.integers(-20, 19),
    st.slices(20),
    st.lists(st.integers(-20, 19), max_size=8).map(partial(np.array, dtype=np.int64)),
    st.lists(st.booleans(), min_size=20, max_size=20).map(np.array),
)


@settings(max_examples=60)
@given(key=KEYS)
def test_every_index_gives_what_an_array_gives(pictures, key):
    array, *stored = pictures
    for images in stored:
        assert (images.shape, images.dtype, images.ndim, len(images)) == (array.shape, array.dtype, 4, 20)
        assert images.nbytes == array.nbytes
        np.testing.assert_array_equal(images[key], array[key])
        if isinstance(key, slice):
            assert type(images[key]) is type(images)
            np.testing.assert_array_equal(images[key][:3][::-1], array[key][:3][::-1])


@settings(max_examples=30)
@given(rows=st.lists(st.integers(0, 9), max_size=12), data=st.data())
def test_rows_of_picked_rows_are_read_into_place(pictures, rows, data):
    array, *stored = pictures
    order = np.array(data.draw(st.permutations(range(20))))[:10]
    wanted = np.array(rows, np.int64)
    for images in (array, *stored):
        into = np.zeros((len(rows), *SHAPE), np.uint8)
        read_rows(pick_rows(images, order), wanted, into)
        np.testing.assert_array_equal(into, array[order][wanted])


def test_they_end_and_refuse_what_is_no_number_of_an_image(pictures):
    array, *stored = pictures
    for images in stored:
        assert sum(1 for _ in images) == 20
        for key in (20, -21, (0, 0), np.array([20]), None):
            with pytest.raises(IndexError):
                images[key]
        np.testing.assert_array_equal(np.asarray(images), array)
        assert np.array(images[:2], dtype=np.float32).dtype == np.float32
        with pytest.raises(ValueError, match="without a copy"):
            np.array(images, copy=False)


def test_a_file_that_is_too_short_is_an_error(tmp_path):
    (tmp_path / "images").write_bytes(bytes(100))
    with pytest.raises(OSError, match="too short"):
        MappedImages.open(tmp_path / "images", (2, *SHAPE))
    with pytest.raises(OSError, match="No such file"):
        MappedImages.open(tmp_path / "absent", (2, *SHAPE))


def test_a_picture_that_is_no_longer_there_is_said(tmp_path):
    path = Path(tmp_path, "a.png")
    file = LabelledFile("cats/a.png", "cats", "all", partial(open_binary, path), path)
    images = StreamedImages([file], SHAPE, fit="pad", fill=(0,))
    with pytest.raises(DataError, match=r"cats/a.png could be read when .* opened; now: No such file"):
        images[0]
    path.write_bytes(b"text")
    with pytest.raises(DataError, match=r"cats/a.png could .* now: the file is no image"):
        images[:1].read(np.array([0]), np.empty((1, *SHAPE), np.uint8))
