"""Tables whose images may have several labels: every form, what is said of it, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import DataError
from striate.data import open_dataset, open_split
from striate.data.label_sets import EVERY_ONE
from striate.data.table_labels import read_labels

NAMES = [f"{kind}/{number}.png" for kind in ("ants", "bees") for number in range(5)]
SETS = [("cat", "dog"), ("cat",), ("dog",), (), ("cat", "owl")] * 2


@pytest.fixture
def write(two_classes):
    def write(*lines, heading="path,labels", name="list.csv"):
        path = two_classes / name
        path.write_text("\n".join([heading, *lines]), encoding="utf-8")
        return path

    return write


def said(data):
    """What each image is said to have, by its name."""
    found = {}
    for split in (data.train, data.validation, data.test):
        for name, row in zip(split.names if split else (), split.labels if split else (), strict=True):
            found[name] = tuple(data.classes[place] for place in row.nonzero()[0])
    return found


@pytest.mark.parametrize("sign", [";", "|"])
@pytest.mark.parametrize("title", ["label", "labels", "Tags", "class"])
def test_a_cell_may_hold_several(write, sign, title):
    lines = [f"{name},{f' {sign} '.join(names)}" for name, names in zip(NAMES, SETS, strict=True)]
    data = open_dataset(write(*lines, heading=f"path,{title}"))
    assert data.multi_label
    assert data.classes == ("cat", "dog", "owl")
    assert said(data) == dict(zip(NAMES, SETS, strict=True))
    said_of_them = "1.2 labels an image, and 2 images have none"
    assert f"images may have several labels, which '{sign}' separates: {said_of_them}" in data.notes
    assert data.train.labels.dtype == data.validation.labels.dtype == "uint8"


def test_columns_of_0_and_1_are_labels_in_their_order(write):
    lines = [
        f"{number},{name},{int('owl' in own)},{'true' if 'cat' in own else 'FALSE'},{float('dog' in own)}"
        for number, (name, own) in enumerate(zip(NAMES, SETS, strict=True))
    ]
    data = open_dataset(write(*lines, heading="id,path,Owl,cat,dog"))
    assert data.classes == ("Owl", "cat", "dog")
    wanted = [tuple(name.lower() for name in names) for names in SETS]
    found = {name: {each.lower() for each in names} for name, names in said(data).items()}
    assert found == {name: set(names) for name, names in zip(NAMES, wanted, strict=True)}
    (note,) = (note for note in data.notes if "columns" in note)
    assert note.startswith("the labels are the 3 columns of 0 and 1 ('Owl', 'cat', 'dog'); no labels: 'id'")
    assert "(it has '2')" in note


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("path,labels", ["cat", "dog"]),
        ("path,label", ["cat;", "dog;"]),
        ("path,cat,dog", ["1,0", "0,1"]),
    ],
)
def test_one_label_everywhere_is_one_class_and_said(write, heading, cells):
    lines = [f"{name},{cells[number % 2]}" for number, name in enumerate(NAMES)]
    data = open_dataset(write(*lines, heading=heading))
    assert not data.multi_label
    assert data.classes == ("cat", "dog")
    assert EVERY_ONE in data.notes
    assert len(data.train) + len(data.validation) == 10


def test_empty_cells_are_no_label_only_where_several_are_possible(write):
    lines = [f"{name},{'cat' if number % 2 else ''}" for number, name in enumerate(NAMES[:-1])]
    plural = open_dataset(write(*lines, f"{NAMES[-1]},dog"))
    assert plural.multi_label
    assert said(plural)[NAMES[0]] == ()
    singular = open_dataset(write(*lines, f"{NAMES[-1]},dog", heading="path,label"))
    assert not singular.multi_label
    assert {item.reason for item in singular.rejected} == {"the row has no label"}
    assert len(singular.rejected) == 5


def test_names_may_hold_the_other_sign(write):
    lines = [f"{name},{'cat|tabby;dog' if number % 3 else 'dog'}" for number, name in enumerate(NAMES)]
    lines[1] = f"{NAMES[1]},cat|tabby"
    data = open_dataset(write(*lines))
    assert data.classes == ("cat", "dog", "tabby", "tabby;dog")  # '|' is in more rows
    assert any("is taken as a part of a name" in note for note in data.notes)


@pytest.mark.parametrize(
    ("heading", "lines", "words"),
    [
        ("path,size,kind", ["ants/0.png,1,a"], r"no column 'label' \(it has: 'path', 'size', 'kind'\)"),
        ("path,rain", ["ants/0.png,1"], "two or more columns of nothing but 0 and 1$"),
        ("path,rain,sun", ["ants/0.png,1,1", "ants/1.png,-1,0"], r"these are not: 'rain' \(it has '-1'\)"),
        ("path,a,b", ["ants/0.png,1,", "ants/1.png,0,1"], "'b' of .* is empty in 1 row, the first in row 1"),
        ("path,a,a", ["ants/0.png,1,0", "ants/1.png,0,0"], "two columns of one name"),
        ("path,labels", [f"{name},{'rain' * (number % 2)}" for number, name in enumerate(NAMES)], "'rain'"),
        ("path,a,b", [f"{name},0,0" for name in NAMES], "without any label"),
        ("path,labels", [f"{name}," for name in NAMES], "without any label"),
    ],
)
def test_what_cannot_be_used_is_said(write, heading, lines, words):
    with pytest.raises(DataError, match=words):
        open_dataset(write(*lines, heading=heading))


def test_labels_without_an_image_and_those_of_all_images_are_said(write):
    lines = [f"{name},1,{number % 2},0" for number, name in enumerate(NAMES)]
    data = open_dataset(write(*lines, heading="path,always,sometimes,never"))
    assert data.classes == ("always", "sometimes")
    assert "left out since no image has them: class 'never'" in data.notes
    assert "all images to train on have it, so nothing can learn to tell it: class 'always'" in data.notes


def test_parts_of_the_table_keep_their_columns(write):
    parts = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    sets = ["a;b", "a", "b", "", "a", "b", "a;c", "b", "a", ""]
    lines = [",".join(row) for row in zip(NAMES, parts, sets, strict=True)]
    data = open_dataset(write(*lines, heading="path,split,labels"))
    assert data.classes == ("a", "b")
    assert data.train.labels.tolist() == [[1, 1], [1, 0], [0, 1], [0, 0], [1, 0], [0, 1]]
    assert data.validation.labels.tolist() == [[1, 0], [0, 1]]
    assert data.test is not None
    assert data.test.labels.tolist() == [[1, 0], [0, 0]]
    assert "the validation part has labels that training does not have, left out: class 'c'" in data.notes
    assert "the test part has no image of class 'b'" in data.notes


def test_other_data_are_brought_to_the_columns_of_a_model(write):
    model = open_dataset(write(*(f"{name},{'ab'[number % 2]};c" for number, name in enumerate(NAMES))))
    other = write(*(f"{name},b;z" for name in NAMES[:3]), f"{NAMES[3]},", name="other.csv")
    split, rejected, notes = open_split(other, None, like=model)
    assert split.labels.tolist() == [[0, 1, 0]] * 3 + [[0, 0, 0]]
    assert not rejected
    assert "labels that the model does not know left out: class 'z'" in notes
    assert "no image of classes 'a', 'c'" in notes
    with pytest.raises(DataError, match="none of which the model knows"):
        open_split(write(f"{NAMES[0]},x;y", f"{NAMES[1]},x", name="strange.csv"), None, like=model)


@given(
    st.lists(
        st.sets(st.text("abcé 猫", min_size=1, max_size=4).map(str.strip).filter(bool), max_size=4),
        min_size=1,
    ).filter(lambda sets: any(len(names) > 1 for names in sets))
)
def test_what_is_joined_is_read_again(sets):
    rows = [["x.png", " ; ".join(sorted(names))] for names in sets]
    found = read_labels(["path", "label"], rows, others=[0], path=Path("a.csv"))
    assert [set(names) for names in found.sets] == sets
    assert found.classes is not None
    assert set(found.classes) == set().union(*sets)
