"""Tables of labels in arrays and .npz files, and the counting that one class and several labels share."""

import numpy as np
import pytest

from striate.core.errors import DataError
from striate.data import open_dataset, open_split
from striate.data.label_sets import EVERY_ONE, images_of_classes, label_table, refuse_several

TABLE = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]] * 5, np.uint8)


@pytest.fixture
def images(generator):
    return generator.integers(0, 256, (20, 8, 9), dtype=np.uint8)


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        path = tmp_path / "set.npz"
        np.savez(path, **arrays)
        return path

    return save


def rows_of(data):
    parts = [split for split in (data.train, data.validation, data.test) if split is not None]
    return {
        image.tobytes(): row.tolist()
        for part in parts
        for image, row in zip(part.images, part.labels, strict=True)
    }


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32, bool])
def test_an_array_of_0_and_1_is_a_table(images, kind):
    data = open_dataset((images, TABLE.astype(kind)))
    assert data.multi_label
    assert data.classes == ("0", "1", "2")
    expected = {image[None].tobytes(): row.tolist() for image, row in zip(images, TABLE, strict=True)}
    assert rows_of(data) == expected


def test_names_for_each_image_are_the_same_as_their_table(images):
    names = np.array(["ant", "bee", "cat"])
    sets = [set(names[row > 0]) for row in TABLE]
    data = open_dataset((images, sets))
    same = open_dataset((images, [tuple(sorted(each)) for each in sets]))
    assert data.classes == ("ant", "bee", "cat")
    assert data.fingerprint == same.fingerprint
    assert rows_of(data) == rows_of(open_dataset((images, TABLE)))


def test_npz_parts_have_one_table(images, save):
    classes = np.array(["ant", "bee", "cat"])
    data = open_dataset(
        save(x_train=images, y_train=TABLE, x_test=images[:4], y_test=TABLE[:4], classes=classes)
    )
    assert data.classes == ("ant", "bee", "cat")
    assert data.test is not None
    assert data.test.labels.tolist() == TABLE[:4].tolist()
    split, _, _ = open_split(data, "test", like=data)
    assert split.labels.tolist() == TABLE[:4].tolist()


def test_a_table_with_one_1_a_row_is_one_class(images):
    data = open_dataset((images, np.eye(3, dtype=int)[np.arange(20) % 3]))
    assert not data.multi_label
    assert data.classes == ("0", "1", "2")
    assert EVERY_ONE in data.notes


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"labels": TABLE * 2}, "2 in row 1, column 1"),
        ({"labels": TABLE / 2}, r"0.5 in row 1, column 1; a 0 or 1"),
        ({"labels": TABLE.astype(str)}, "no table of labels; a 0 or 1"),
        ({"labels": TABLE[:7]}, "20 images but labels has 7"),
        ({"labels": TABLE, "classes": ["a", "b"]}, "2 names for labels of 3 columns"),
        ({"labels": TABLE, "classes": ["a", "b", "a"]}, "names a class twice"),
        ({"labels": np.zeros((20, 3), int)}, "without any label"),
        ({"labels": TABLE * np.array([1, 0, 0])}, "one class only, '0'"),
        ({"labels": TABLE[..., None]}, "holds no labels"),
    ],
)
def test_what_is_no_table_is_said(images, save, arrays, words):
    with pytest.raises(DataError, match=words):
        open_dataset(save(images=images, **arrays))


def test_parts_of_other_forms_are_refused(images, save):
    other = {"x_test": images[:4], "y_test": np.arange(4) % 2}
    with pytest.raises(DataError, match="one number of columns"):
        open_dataset(save(x_train=images, y_train=TABLE, **other))


def test_counts_are_the_same_for_both_forms():
    labels = np.array([0, 2, 2, 1])
    table = label_table([["abc"[label]] for label in labels], "abc")
    assert images_of_classes(labels, 3).tolist() == images_of_classes(table, 3).tolist() == [1, 1, 2]


def test_what_needs_one_class_says_so():
    refuse_several(np.array([0, 1]), what="a study")
    with pytest.raises(
        DataError, match="a study needs images of one class each, and these may have several of 3"
    ):
        refuse_several(TABLE, what="a study")
