"""Groups by a pattern, by a column, and by what is the same; and a hold-out that keeps to them."""

import numpy as np
import pytest

from striate.core.errors import DataError
from striate.data import HoldOut, open_dataset
from striate.data.grouping import group_names


@pytest.fixture
def patients(make_folder):
    """Eight patients with four pictures each, half of them of each class."""
    return make_folder(
        *(f"{('ill', 'well')[patient % 2]}/p{patient:02d}_{n}.png" for patient in range(8) for n in range(4))
    )


def patient(names):
    return {name.split("/")[1].split("_")[0] for name in names}


@pytest.mark.parametrize("pattern", [r"/(p\d+)_", r"(p[0-9]+)_([0-9])*"])
def test_a_pattern_on_the_name_keeps_a_patient_on_one_side(patients, pattern):
    data = open_dataset(patients, validation=HoldOut(0.25, r"/(p\d+)_"))
    assert not patient(data.train.names) & patient(data.validation.names)
    assert len(data.validation) == 8
    assert np.bincount(data.validation.labels).tolist() == [4, 4]
    assert "held out 8 images of 32 to validate on, in 2 of 8 groups" in data.notes
    assert group_names(pattern, ["ill/p00_1.png"], source=None)[0].startswith("p00")


def test_without_groups_patients_are_on_both_sides(patients):
    data = open_dataset(patients, validation=0.25)
    assert patient(data.train.names) & patient(data.validation.names)


def test_a_column_of_the_table(patients, tmp_path):
    names = sorted(path.relative_to(tmp_path).as_posix() for path in patients.rglob("*.png"))
    rows = [f"{name},{name.split('/')[1]},{number % 5}" for number, name in enumerate(names)]
    table = tmp_path / "rows.csv"
    table.write_text("\n".join(["path,label,Video", *rows]))
    data = open_dataset(table, validation=HoldOut(None, "video"))
    videos = {name: row.split(",")[2] for name, row in zip(names, rows, strict=True)}
    sides = [{videos[name] for name in split.names} for split in (data.train, data.validation)]
    assert not sides[0] & sides[1]
    table.write_text("\n".join(["path,label,video", *rows[:-1], rows[-1].rsplit(",", 1)[0] + ","]))
    with pytest.raises(DataError, match=r"column 'video' of rows.csv is empty for 1 image"):
        open_dataset(table, validation=HoldOut(None, "video"))
    with pytest.raises(DataError, match="there is no column 'vido'; did you mean 'video'"):
        open_dataset(table, validation=HoldOut(None, "vido"))
    table.write_text("\n".join(["path,label,video", *rows, rows[0].rsplit(",", 1)[0] + ",9"]))
    with pytest.raises(DataError, match="says both '0' and '9' of"):
        open_dataset(table, validation=HoldOut(None, "video"))


def test_duplicates_stay_together(tmp_path, photo_like):
    for number in range(24):
        folder = tmp_path / "photos" / ("ants", "bees")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        photo_like(number // 2 * 2 + number % 2).save(folder / f"{number}.png")
        photo_like(number // 2 * 2 + number % 2).resize((120, 90)).save(folder / f"{number} small.jpg")
    data = open_dataset(tmp_path / "photos", validation=HoldOut(0.25, "duplicates"))
    sides = [
        {name.split("/")[1].split()[0].split(".")[0] for name in split.names}
        for split in (data.train, data.validation)
    ]
    assert not sides[0] & sides[1]
    assert len(data.validation) == 12
    assert "in 6 of 24 groups" in " ".join(data.notes)


@pytest.mark.parametrize(
    ("group_by", "sentence"),
    [
        ("(q.)", r"gives no group for 32 of 32 files, the first 'ill/p00_0.png'"),
        ("(", "is no pattern of file names"),
        ("(?:p)", "has no part in parentheses that would be the group"),
        ("patient", "has no part in parentheses, so it is no pattern"),
        ("/(p0)", "in one group|of one group"),
    ],
)
def test_what_makes_no_groups_gets_a_sentence(patients, group_by, sentence):
    with pytest.raises(DataError, match=sentence):
        open_dataset(patients, validation=HoldOut(None, group_by))


def test_parts_that_the_source_brings_are_checked(make_folder):
    folder = make_folder(
        *(
            f"{part}/{name}/{group}-{n}.png"
            for part, group in (("train", "a"), ("val", "b"), ("test", "a"))
            for name in ("x", "y")
            for n in range(2)
        )
    )
    sentence = "on both sides of a split that the data bring: 1 group of 2, the first 'a' in train and test"
    with pytest.raises(DataError, match=sentence):
        open_dataset(folder, validation=HoldOut(None, "/([ab])-"))
    data = open_dataset(folder, validation=HoldOut(None, "(val|train.*-|test.*-.)"))
    assert len(data.train) == 4


def test_arrays_have_no_names_to_group_by():
    images = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    with pytest.raises(DataError, match="images in arrays have no file names"):
        open_dataset((images, np.arange(20) % 2), validation=HoldOut(None, "(a)"))
    doubled = np.concatenate([images, images])
    data = open_dataset((doubled, np.arange(40) % 2), validation=HoldOut(0.25, "duplicates"))
    own = [{image.tobytes() for image in split.images} for split in (data.train, data.validation)]
    assert not own[0] & own[1]
