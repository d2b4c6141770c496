"""Folders: both layouts, odd names, links, and what is neither image nor class."""

import os

import pytest
from PIL import Image

from striate.core.errors import DataError
from striate.data import image_files, open_dataset, open_split
from striate.data.folders import scan_folder


def labelled(folder):
    return [(file.name, file.label, file.part) for file in scan_folder(folder).files]


def test_class_folders_and_folders_in_them(make_folder):
    folder = make_folder("bees/a.png", "ants/b.JPG", "ants/2019/c.webp")
    assert labelled(folder) == [
        ("ants/2019/c.webp", "ants", "all"),
        ("ants/b.JPG", "ants", "all"),
        ("bees/a.png", "bees", "all"),
    ]


@pytest.mark.parametrize("validation", ["val", "valid", "Validation"])
def test_part_folders(make_folder, validation):
    paths = [f"{part}/{name}/1.png" for part in ("train", validation, "test") for name in ("a", "b")]
    parts = [file.part for file in scan_folder(make_folder(*paths)).files]
    assert sorted(parts) == ["test"] * 2 + ["train"] * 2 + ["validation"] * 2


def test_a_class_may_be_called_train(make_folder):
    folder = make_folder("train/1.png", "car/1.png", "plane/1.png")
    assert [file.label for file in scan_folder(folder).files] == ["car", "plane", "train"]


def test_a_folder_around_everything_is_entered_and_said(make_folder):
    folder = make_folder("data/set/train/a/1.png", "data/set/train/b/1.png")
    listing = scan_folder(folder)
    assert {file.part for file in listing.files} == {"train"}
    assert listing.notes == ("the classes are looked for in 'data/set'",)


def test_hidden_files_and_folders_are_never_classes_and_others_are_counted(make_folder):
    folder = make_folder(
        "a/1.png", "b/1.png", ".git/1.png", "a/.hidden.png", "a/.cache/x.png", "__MACOSX/a/._1.png"
    )
    (folder / "a" / "Thumbs.db").touch()
    (folder / "readme.txt").touch()
    listing = scan_folder(folder)
    assert [file.name for file in listing.files] == ["a/1.png", "b/1.png"]
    assert listing.notes == ("2 files that are no images left out",)


def test_loose_images_and_strange_parts_are_left_out_and_said(make_folder):
    folder = make_folder("train/a/1.png", "val/a/1.png", "train/loose.png", "extra/a/1.png")
    listing = scan_folder(folder)
    assert len(listing.files) == 2
    assert listing.notes == (
        "1 image outside of any class folder left out",
        "not one of train, val and test, so left out: 'extra'",
    )


def test_what_has_no_class_folders_says_which_layout_works(make_folder, tmp_path):
    with pytest.raises(DataError, match="no class folders; what works is root/<class>/<image>"):
        scan_folder(make_folder("1.png", "2.png"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no images"):
        open_dataset(tmp_path / "empty")


def test_link_loops_end_and_a_folder_counts_under_its_own_name(make_folder):
    folder = make_folder("a/1.png", "b/1.png")
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "aa").symlink_to(folder / "b")
    (folder / "a" / "self.png").symlink_to("self.png")
    (folder / "a" / "2.png").symlink_to(folder / "b" / "1.png")
    listing = scan_folder(folder)
    assert [file.name for file in listing.files] == ["a/1.png", "a/2.png", "b/1.png"]
    assert [item.name for item in listing.rejected] == ["a/self.png"]


def test_a_link_to_a_folder_above_pulls_nothing_in_and_one_to_another_folder_does(make_folder):
    outside = make_folder("1.png", root="outside")
    folder = make_folder("a/1.png", "b/1.png")
    (folder / "a" / "up").symlink_to("../..")
    (folder / "b" / "top").symlink_to(folder.parent.parent)
    (folder / "c").symlink_to(outside)
    listing = scan_folder(folder)
    assert [file.name for file in listing.files] == ["a/1.png", "b/1.png", "c/1.png"]
    reason = "the link leads to a folder above, which is not entered"
    assert [(item.name, item.reason) for item in listing.rejected] == [("a/up", reason), ("b/top", reason)]
    assert image_files(folder) == [folder / name / "1.png" for name in "abc"]


def test_pipes_do_not_block(make_folder):
    folder = make_folder("a/1.png", "b/1.png")
    os.mkfifo(folder / "a" / "pipe.png")
    assert len(scan_folder(folder).files) == 2


def test_odd_names_survive(make_folder):
    folder = make_folder("é 蜂/new\nline.png", 'é 蜂/b,"c".png', "x/ü.png", "x/-rf.png")
    os.rename(folder / "x" / "ü.png", os.fsencode(folder / "x") + b"/caf\xe9.png")
    data = open_dataset(folder)
    assert data.classes == ("x", "é 蜂")
    names = {*data.train.names, *data.validation.names}
    assert names == {"é 蜂/new\nline.png", 'é 蜂/b,"c".png', "x/caf\ufffd.png", "x/-rf.png"}
    "".join(names).encode("utf-8")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_said(make_folder):
    folder = make_folder("a/1.png", "b/1.png", "c/1.png")
    (folder / "c").chmod(0)
    try:
        assert scan_folder(folder).rejected[0].name == "c"
    finally:
        (folder / "c").chmod(0o755)


def test_numbers_are_ordered_as_numbers(make_folder):
    data = open_dataset(make_folder(*(f"{name}/{n}.png" for name in (10, 9, 1) for n in range(2))))
    assert data.classes == ("1", "9", "10")


def test_a_class_that_val_lacks_and_one_that_train_lacks_are_said(make_folder):
    folder = make_folder(
        *(f"train/{name}/{n}.png" for name in ("ant", "bee", "cat") for n in range(2)),
        "val/ant/1.png",
        "val/bee/1.png",
        "val/zebra/1.png",
    )
    data = open_dataset(folder)
    assert data.classes == ("ant", "bee", "cat")
    assert data.validation.names == ("val/ant/1.png", "val/bee/1.png")
    assert data.notes == (
        "the validation part has 1 image of classes that training does not have, left out: class 'zebra'",
        "the validation part has no image of class 'cat'",
    )
    split, _, notes = open_split(folder, None, like=data)
    assert split.names == data.validation.names
    assert notes == (
        "measured on the validation part",
        "1 image of classes that the model does not know left out: class 'zebra'",
        "no image of class 'cat'",
    )
    with pytest.raises(DataError, match=r"has no test part \(it has: train, validation\)"):
        open_split(folder, "test", like=data)


def test_image_files(make_folder, tmp_path):
    folder = make_folder("b/2.png", "b/1.jpg", "a.gif", ".h/1.png")
    (folder / "notes.txt").touch()
    (folder / "b" / "loop").symlink_to(folder)
    assert image_files(folder) == [folder / "a.gif", folder / "b" / "1.jpg", folder / "b" / "2.png"]
    assert image_files(str(folder / "notes.txt")) == [folder / "notes.txt"]
    for missing in (tmp_path / "none", "a\0b", "x" * 5000):
        with pytest.raises(DataError, match="no file or folder"):
            image_files(missing)


def test_sizes_are_kept_where_alike_and_small_and_a_square_otherwise(make_folder):
    folder = make_folder("a/1.png", "a/2.png", "b/1.png", "b/2.png", size=(20, 30))
    assert open_dataset(folder).size == (30, 20)
    assert open_dataset(folder, size=16).size == (16, 16)
    Image.new("RGB", (40, 50)).save(folder / "a" / "1.png")
    assert open_dataset(folder).size == (20, 20)
    for name in ("1", "2"):
        Image.new("RGB", (300, 400)).save(folder / "a" / f"{name}.png")
        Image.new("RGB", (300, 400)).save(folder / "b" / f"{name}.png")
    assert open_dataset(folder).size == (128, 128)
