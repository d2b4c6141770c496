"""Opening a source: what is decided, what is left out, and that nothing depends on chance."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import striate.data
from striate.core.errors import DataError
from striate.data import UpTo, memory, open_dataset, open_split, working
from striate.data.stored import StreamedImages

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def test_all_that_is_exported_is_there():
    assert all(hasattr(striate.data, name) for name in striate.data.__all__)


def test_broken_files_are_left_out_and_listed(two_classes, generator):
    Image.fromarray(generator.integers(0, 256, (10, 12, 3), dtype=np.uint8)).save(
        two_classes / "ants" / "1.png"
    )
    whole = (two_classes / "ants" / "1.png").read_bytes()
    (two_classes / "ants" / "0.png").write_bytes(b"")
    (two_classes / "ants" / "1.png").write_bytes(whole[: len(whole) // 2])
    (two_classes / "bees" / "2.png").write_text("text")
    data = open_dataset(two_classes)
    assert [(item.name, item.reason.split(",")[0].split("(")[0].strip()) for item in data.rejected] == [
        ("ants/0.png", "the file is empty"),
        ("ants/1.png", "the file is truncated"),
        ("bees/2.png", "the file is no image of a format that is read"),
    ]
    assert len(data.train) + len(data.validation) == 7


def test_a_class_that_loses_all_its_images_is_noted_and_all_broken_is_an_error(make_folder):
    folder = make_folder(*(f"{name}/{n}.png" for name in ("ants", "bees", "cats") for n in range(3)))
    for path in (folder / "bees").iterdir():
        path.write_bytes(b"broken")
    data = open_dataset(folder)
    assert data.classes == ("ants", "cats")
    assert data.notes == ("left out for want of a readable image: class 'bees'",)
    for path in (folder / "ants").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"one class only, 'cats'.* \(6 files could not be read"):
        open_dataset(folder)
    for path in (folder / "cats").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(
        DataError, match=r"none of the 9 image files can be read; the first, 'ants/0.png', because"
    ):
        open_dataset(folder)


def test_one_class_only_and_a_class_of_one_image(make_folder):
    with pytest.raises(DataError, match="one class only, 'ants'; two or more"):
        open_dataset(make_folder("ants/1.png", "ants/2.png", root="one"))
    data = open_dataset(make_folder("ants/1.png", "bees/1.png", "bees/2.png", root="single"))
    assert "ants/1.png" in data.train.names
    assert data.notes == (
        "the validation part has no image of class 'ants'",
        "one image only, so nothing to validate on: class 'ants'",
    )


def test_digits_and_letters_are_not_mirrored_and_words_are(make_folder, two_classes):
    folder = make_folder(*(f"{name}/{n}.png" for name in "3Bé" for n in range(2)), root="signs")
    rows = [f"{name}/{n}.png,{name}" for name in "3Bé" for n in range(2)]
    (folder / "table.csv").write_text("\n".join(["path,label", *rows]), encoding="utf-8")
    archive = shutil.make_archive(str(folder), "zip", folder)
    note = "images are not mirrored, since the classes are digits or letters; --flip mirrors them"
    for source in (folder, folder / "table.csv", archive):
        data = open_dataset(source)
        assert not data.flip
        assert note in data.notes
    assert note not in open_split(folder, None, like=data)[2]
    assert open_dataset(two_classes).flip
    assert open_dataset(make_folder("猫/1.png", "猫/2.png", "犬/1.png", "犬/2.png", root="pets")).flip
    digits = open_dataset("digits")
    assert (digits.flip, digits.notes) == (False, ())


def test_colour_in_any_image_gives_three_channels(make_folder):
    folder = make_folder("a/1.png", "a/2.png", "b/1.png", "b/2.png")
    for path in folder.rglob("*.png"):
        Image.new("L", (8, 8), 50).save(path)
    assert open_dataset(folder).channels == 1
    assert open_dataset(folder, channels=3).channels == 3
    Image.new("RGB", (8, 8), "red").save(folder / "a" / "1.png")
    assert open_dataset(folder).channels == 3
    assert open_dataset(folder, channels=1).channels == 1


def test_padding_has_the_mean_colour_of_the_training_part(make_folder):
    folder = make_folder("train/a/1.png", "train/b/1.png", "train/b/2.png", "val/a/1.png", size=(8, 4))
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        Image.new("RGB", (8, 4), (10 * number, 100, 200) if "train" in str(path) else "white").save(path)
    data = open_dataset(folder, size=8)
    assert data.fill == (10, 100, 200)
    assert data.validation.images[0, :, 0, 0].tolist() == [10, 100, 200]
    assert data.validation.images[0, :, 4, 4].tolist() == [255, 255, 255]


def test_threads_change_nothing(make_folder, monkeypatch):
    folder = make_folder(*(f"{name}/{n}.png" for name in "abc" for n in range(40)), size=(40, 30))
    (folder / "b" / "17.png").write_bytes(b"broken")
    results = []
    for seconds in (0, 1000):
        monkeypatch.setattr(working, "SECONDS_WORTH_A_THREAD", seconds)
        events = []
        data = open_dataset(folder, size=16, on_event=events.append)
        results.append((data.fingerprint, data.train.names, data.rejected, data.fill))
        assert events[-1].data["done"] == events[-1].data["total"]
        assert len(events) < 30
    assert results[0] == results[1]


def test_what_is_too_large_for_the_memory_is_decoded_when_it_is_wanted(two_classes, monkeypatch, cache):
    in_memory = open_dataset(two_classes)
    monkeypatch.setattr(memory, "available_memory", lambda: 100.0)
    streamed = open_dataset(two_classes)
    assert isinstance(streamed.train.images, StreamedImages)
    assert streamed.fingerprint == in_memory.fingerprint
    assert not cache.exists()


def test_members_of_archives_that_are_too_large_for_the_memory_go_to_a_file_that_leaves_nothing(
    two_classes, monkeypatch, cache
):
    archive = shutil.make_archive(str(two_classes), "zip", two_classes)
    in_memory = open_dataset(archive)
    monkeypatch.setattr(memory, "available_memory", lambda: 100.0)
    mapped = open_dataset(archive)
    assert isinstance(mapped.train.images, np.memmap)
    assert not mapped.train.images.flags.writeable
    assert mapped.fingerprint == in_memory.fingerprint
    assert list(cache.iterdir()) == []


def test_the_seed_decides_the_hold_out_and_nothing_else(two_classes):
    first, again, other = (open_dataset(two_classes, seed=seed, validation=0.4) for seed in (0, 0, 1))
    assert first.validation.names == again.validation.names
    assert first.fingerprint == again.fingerprint
    assert {*first.train.names, *first.validation.names} == {*other.train.names, *other.validation.names}
    assert first.validation.names != other.validation.names
    assert (first.fill, first.classes) == (other.fill, other.classes)


def test_a_dataset_is_given_back(two_classes):
    data = open_dataset(two_classes)
    assert open_dataset(data) is data
    assert (data.name, data.source, data.dims) == ("photos", str(two_classes), 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fit": "padd"}, "there is no fit 'padd'; did you mean 'pad'"),
        ({"channels": 2}, "2 channels cannot be given"),
        ({"size": 0}, "size of 0 pixels"),
        ({"size": 10_000}, "size of 10000 pixels"),
        ({"validation": 0.9}, "validation share of 0.9"),
    ],
)
def test_options_out_of_range_are_refused(two_classes, options, words):
    with pytest.raises(DataError, match=words):
        open_dataset(two_classes, **options)


def test_what_is_no_source_is_refused(tmp_path):
    (tmp_path / "a.pdf").touch()
    with pytest.raises(DataError, match=r"a.pdf' is no source of images; a folder, .zip"):
        open_dataset(tmp_path / "a.pdf")
    for source in (5, None, np.zeros((2, 2))):
        with pytest.raises(DataError, match="is no source of images; a name, a path or a pair"):
            open_dataset(source)
    with pytest.raises(DataError, match="no file or folder"):
        open_dataset("a\0b")


def test_a_part_is_opened_as_the_model_takes_it(two_classes, make_folder):
    data = open_dataset(two_classes, size=16)
    other = make_folder("bees/1.png", "wasps/1.png", root="other", size=(50, 20))
    split, _, notes = open_split(other, None, like=data)
    assert split.images.shape == (1, 3, 16, 16)
    assert split.labels.tolist() == [1]
    assert split.images[0, :, 0, 0].tolist() == list(data.fill)
    assert notes == (
        "measured on all images",
        "1 image of classes that the model does not know left out: class 'wasps'",
        "no image of class 'ants'",
    )
    same, _, _ = open_split(two_classes, "train", like=data)
    assert len(same) == 10
    with pytest.raises(DataError, match="class 'wasps', none of which the model knows"):
        open_split(make_folder("wasps/1.png", root="wasps"), None, like=data)
    with pytest.raises(DataError, match=r"has no test part \(it has: one undivided part\)"):
        open_split(two_classes, "test", like=data)
    with pytest.raises(DataError, match="no part 'tests'; did you mean 'test'"):
        open_split(two_classes, "tests", like=data)


def test_only_the_part_asked_for_is_decoded(make_folder):
    folder = make_folder(
        *(f"{part}/{name}/{n}.png" for part in ("train", "test") for name in "ab" for n in (1, 2))
    )
    data = open_dataset(folder)
    for path in (folder / "train").rglob("*.png"):
        path.write_bytes(b"broken")
    split, rejected, notes = open_split(folder, None, like=data)
    assert (rejected, notes) == ((), ("measured on the test part",))
    np.testing.assert_array_equal(split.images, data.test.images)


def test_a_part_of_a_dataset_or_of_arrays(two_classes):
    data = open_dataset(two_classes)
    split, _, _ = open_split(data, "validation", like=data)
    np.testing.assert_array_equal(split.images, data.validation.images)
    assert open_split(data, None, like=data)[2] == ("measured on the validation part",)
    digits = open_dataset("digits")
    larger = open_dataset("digits", size=12)
    resized, _, _ = open_split(digits, None, like=larger)
    np.testing.assert_array_equal(resized.images, larger.test.images)
    pair, _, _ = open_split((digits.test.images, digits.test.labels), None, like=digits)
    np.testing.assert_array_equal(pair.labels, digits.test.labels)


def test_importing_and_opening_loads_no_torch():
    code = (
        "import sys; from striate.data import open_dataset; open_dataset('digits'); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


@pytest.mark.skipif(
    not (SHARED / "hymenoptera.tar").is_file(), reason="hymenoptera.tar is not beside the repository"
)
def test_ants_and_bees():
    data = open_dataset(SHARED / "hymenoptera.tar")
    assert (data.classes, data.size, data.channels) == (("ants", "bees"), (128, 128), 3)
    assert np.bincount(data.validation.labels).tolist() == [70, 83]
    assert len(data.train) + len(data.rejected) >= 244


def test_photos_alone_take_the_side_that_is_meant_for_them(make_folder):
    photos = make_folder("a/1.png", "a/2.png", "b/1.png", "b/2.png", root="large", size=(300, 200))
    assert open_dataset(photos, cache_gb=0).size == (128, 128)
    assert open_dataset(photos, size=UpTo(224), cache_gb=0).size == (200, 200)
    assert open_dataset(photos, size=UpTo(160), cache_gb=0).size == (160, 160)
    assert open_dataset(photos, size=UpTo(160, "crop"), cache_gb=0).fit == "crop"
    small = make_folder("a/1.png", "a/2.png", "b/1.png", "b/2.png", root="small", size=(30, 20))
    assert open_dataset(small, size=UpTo(160, "crop"), cache_gb=0).fit == "pad"
    assert open_dataset(small, size=UpTo(224), cache_gb=0).size == (20, 30)
    assert open_dataset("digits", size=UpTo(224)).size == (8, 8)
    with pytest.raises(DataError, match="a size of 0 pixels"):
        open_dataset(small, size=UpTo(0))
