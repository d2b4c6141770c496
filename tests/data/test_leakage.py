"""The short audit before a training: it refuses leakage, or warns where it may go on."""

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import DataError
from striate.data import HoldOut, open_dataset
from striate.data.leakage import audit_briefly


@pytest.fixture
def folder(tmp_path, photo_like):
    """Twelve photos of each of two classes to train on, three to validate on."""
    for part, first, count in (("train", 0, 24), ("val", 100, 6)):
        for number in range(count):
            place = tmp_path / "photos" / part / ("ants", "bees")[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            photo_like(first + number).save(place / f"{number}.png")
    return tmp_path / "photos"


def messages(events, kind):
    return [event.data["message"] for event in events if event.kind == kind]


def test_without_leakage_nothing_is_said(folder):
    events = []
    assert audit_briefly(open_dataset(folder), allow_leakage=False, on_event=events.append) == ()
    assert messages(events, "warning") == messages(events, "note") == []


def test_copies_of_any_kind_are_refused_and_named(folder, photo_like):
    photo_like(0).save(folder / "val" / "bees" / "copy.png")  # of ants: a wrong label besides
    photo_like(1).resize((80, 60)).save(folder / "val" / "bees" / "small.jpg", quality=60)
    photo_like(2).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "val" / "ants" / "mirrored.png")
    with pytest.raises(DataError) as refused:
        audit_briefly(open_dataset(folder), allow_leakage=False)
    said = str(refused.value)
    assert said.startswith("the training part also holds 3 of the 9 validation images, on which")
    assert "'val/bees/copy.png' is 'train/ants/0.png'" in said
    assert "'val/bees/small.jpg' is 'train/bees/1.png'" in said
    assert "'val/ants/mirrored.png' is 'train/ants/2.png'" in said
    assert "--allow-leakage" in said
    events = []
    leaks = audit_briefly(open_dataset(folder), allow_leakage=True, on_event=events.append)
    assert [leak.part for leak in leaks] == ["validation"] * 3
    assert {leak.similarity for leak in leaks if "copy" in leak.measured} == {1.0}
    (warning,) = messages(events, "warning")
    assert warning.endswith("going on, as allowed")


def test_leakage_into_test_counts_and_copies_within_a_part_do_not(folder, photo_like):
    for part, seeds in (("train", (0, 1)), ("test", (200, 201, 200, 1))):
        for number, seed in enumerate(seeds):
            place = folder / part / ("ants", "bees")[seed % 2]
            place.mkdir(parents=True, exist_ok=True)
            photo_like(seed).save(place / f"again {number}.png")
    with pytest.raises(DataError, match=r"^the training part also holds 1 of the 4 test images"):
        audit_briefly(open_dataset(folder), allow_leakage=False)


def test_duplicates_in_an_undivided_folder_are_refused_until_kept_together(tmp_path, photo_like):
    for number in range(24):
        place = tmp_path / "set" / ("ants", "bees")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        for copy in range(3):
            photo_like(number).save(place / f"{number} {copy}.png")
    with pytest.raises(DataError, match="keep them on one side by --group-by duplicates"):
        audit_briefly(open_dataset(tmp_path / "set"), allow_leakage=False)
    together = open_dataset(tmp_path / "set", validation=HoldOut(None, "duplicates"))
    assert audit_briefly(together, allow_leakage=False) == ()


def test_blank_pictures_and_unequal_classes_are_said(folder):
    for number in range(2):
        Image.new("RGB", (160, 120), (7, 7, 7)).save(folder / "val" / "ants" / f"blank{number}.png")
    Image.new("RGB", (160, 120), (7, 7, 7)).save(folder / "train" / "ants" / "blank.png")
    for number in range(4, 24, 2):
        (folder / "train" / "ants" / f"{number}.png").unlink()
    events = []
    assert audit_briefly(open_dataset(folder), allow_leakage=False, on_event=events.append) == ()
    assert messages(events, "warning") == [
        "3 pictures of one colour all over: 'train/ants/blank.png', 'val/ants/blank0.png', "
        "'val/ants/blank1.png'"
    ]
    assert messages(events, "note") == ["fewer than 10 images to train on of class 'ants'"]


def test_arrays_and_named_sets_are_left_alone():
    images = np.zeros((40, 1, 8, 8), np.uint8)
    data = open_dataset((images, np.arange(40) % 2))
    assert audit_briefly(data, allow_leakage=False) == ()
