"""The audit of small sets in which something is wrong, each thing by itself and all together."""

import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from striate.core.errors import DataError
from striate.data import audit, gathering

HYMENOPTERA = Path(__file__).resolve().parents[3] / "shared" / "data" / "hymenoptera.tar"


@pytest.fixture
def clean(tmp_path, photo_like):
    """A divided set in which nothing is wrong: twelve photos of each class, four to validate on."""
    for part, first, count in (("train", 0, 24), ("val", 100, 8)):
        for number in range(count):
            place = tmp_path / "photos" / part / ("ants", "bees")[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            photo_like(first + number).save(place / f"{number}.jpg", quality=90)
    return tmp_path / "photos"


def kinds(found):
    return [finding.kind for finding in found.findings]


def of_kind(found, kind):
    (finding,) = [finding for finding in found.findings if finding.kind == kind]
    return finding


def named(finding):
    return [item.names for item in finding.items]


def test_of_a_clean_set_nothing_is_said(clean):
    found = audit(clean)
    assert found.findings == ()
    assert found.counts == {"ants": {"train": 12, "validation": 4}, "bees": {"train": 12, "validation": 4}}
    assert len(found.names) == len(found.images) == len(found.labels) == 32
    assert found.groups.tolist() == list(range(32))


def test_leakage_duplicates_and_contradictions(clean, photo_like):
    photo_like(0).resize((100, 75)).save(clean / "val" / "ants" / "leak.jpg")
    (clean / "train" / "bees" / "copy.jpg").write_bytes((clean / "train" / "bees" / "1.jpg").read_bytes())
    photo_like(3).crop((8, 6, 152, 114)).save(clean / "train" / "ants" / "crop.jpg")
    found = audit(clean)
    assert kinds(found) == ["leakage", "contradiction", "duplicates", "near-duplicates", "sizes"]
    leak = of_kind(found, "leakage")
    assert leak.level == "error"
    assert named(leak) == [("train/ants/0.jpg", "val/ants/leak.jpg")]
    assert leak.items[0].remark.startswith("similarity ")
    assert named(of_kind(found, "duplicates")) == [("train/bees/1.jpg", "train/bees/copy.jpg")]
    crop = ("train/ants/crop.jpg", "train/bees/3.jpg")
    assert named(of_kind(found, "near-duplicates")) == named(of_kind(found, "contradiction")) == [crop]
    assert "classes ants, bees" in of_kind(found, "contradiction").items[0].remark


def test_what_cannot_be_read_and_classes_without_images(clean):
    (clean / "train" / "ants" / "broken.jpg").write_bytes(b"no picture")
    (clean / "train" / "wasps").mkdir()
    (clean / "train" / "flies").mkdir()
    (clean / "train" / "flies" / "1.jpg").write_bytes(b"")
    (clean / "train" / ".hidden").mkdir()
    found = audit(clean)
    assert kinds(found) == ["empty-class", "unreadable"]
    assert "classes 'flies', 'wasps'" in of_kind(found, "empty-class").message
    unreadable = of_kind(found, "unreadable")
    assert "2 files that cannot be read" in unreadable.message
    assert [item.remark for item in unreadable.items] == [
        "the file is no image of a format that is read (PNG, JPEG, WEBP, BMP, TIFF, GIF), or its head is "
        "damaged",
        "the file is empty",
    ]


def test_small_long_grey_turned_misnamed_and_blank_pictures(clean, photo_like):
    place = clean / "train" / "ants"
    photo_like(50, (40, 30)).save(place / "small.jpg")
    photo_like(51, (600, 150)).save(place / "long.jpg")
    photo_like(52).convert("L").save(place / "grey.jpg")
    photo_like(53).save(place / "other.jpg", "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo_like(54).save(place / "turned.jpg", exif=exif)
    Image.new("RGB", (160, 120), (30, 90, 30)).save(place / "blank.jpg")
    found = audit(clean)
    remarks = {
        finding.kind: [(*item.names, item.remark) for item in finding.items] for finding in found.findings
    }
    assert remarks == {
        "blank": [("train/ants/blank.jpg", "grey values deviate by 0.0 of 255")],
        "small": [("train/ants/small.jpg", "40 x 30 pixels")],
        "long": [("train/ants/long.jpg", "600 x 150 pixels")],
        "misnamed": [("train/ants/other.jpg", "the content is PNG")],
        "sizes": [],
        "rare-mode": [("train/ants/grey.jpg", "grey")],
        "rare-format": [("train/ants/other.jpg", "PNG")],
        "turned": [("train/ants/turned.jpg", "orientation 6")],
    }
    assert "the shorter side from 30 to 150 pixels" in of_kind(found, "sizes").message


def test_few_images_and_classes_of_different_size(clean, photo_like):
    for number in range(1, 20, 2):
        (clean / "train" / "bees" / f"{number}.jpg").unlink()
    (clean / "val" / "wasps").mkdir()
    photo_like(70).save(clean / "val" / "wasps" / "1.jpg")
    found = audit(clean)
    assert kinds(found) == ["missing-class", "nearly-empty-class", "imbalance"]
    assert of_kind(found, "missing-class").message == "the train part has no image of class 'wasps'"
    assert "of class 'bees'" in of_kind(found, "nearly-empty-class").message
    assert (
        "'ants' has 6 times as many images to train on (12) as class 'bees' (2)"
        in of_kind(found, "imbalance").message
    )


def drawing(text):
    picture = Image.new("RGB", (160, 120), "white")
    ImageDraw.Draw(picture).text((20, 50), text, fill="black")
    return picture


def test_placeholders_by_name_as_drawings_and_by_number(clean):
    drawing("this photo is not there").save(clean / "train" / "ants" / "a.jpg")
    drawing("no such image").save(clean / "train" / "bees" / "imageNotFound.png")
    for number in range(3):
        drawing("gone").save(clean / "train" / ("ants", "bees")[number % 2] / f"g{number}.png")
    finding = of_kind(audit(clean), "placeholder")
    assert [names for (names,) in named(finding)] == [
        "train/ants/a.jpg",
        "train/ants/g0.png",
        "train/ants/g2.png",
        "train/bees/g1.png",
        "train/bees/imageNotFound.png",
    ]
    assert "in a drawing" in finding.items[0].remark
    assert "it is there 3 times" in finding.items[1].remark
    assert finding.items[-1].remark.startswith("its name says so; ")


def test_a_set_of_drawings_has_no_placeholders(tmp_path):
    for number in range(20):
        place = tmp_path / "set" / ("a", "b")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        drawing(f"number {number}").save(place / f"{number}.png")
    assert "placeholder" not in kinds(audit(tmp_path / "set"))


def test_archives_tables_and_arrays(clean, tmp_path, monkeypatch):
    monkeypatch.setattr(gathering, "SMALLEST_SOURCE", 0)
    wanted = audit(clean)
    (clean / "val" / "ants" / "leak.jpg").write_bytes((clean / "train" / "ants" / "0.jpg").read_bytes())
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(clean, "photos")
    names = sorted(path for path in clean.rglob("*.jpg"))
    rows = [f"{name},{name.parent.name},{name.parent.parent.name}" for name in names]
    (tmp_path / "set.csv").write_text("\n".join(["path,label,split", *rows]))
    for source in (clean, tmp_path / "set.tar", tmp_path / "set.tar", tmp_path / "set.csv"):
        found = audit(source)
        assert kinds(found) == ["leakage"]
        assert [os.path.basename(name) for name in found.findings[0].items[0].names] == ["0.jpg", "leak.jpg"]
        assert len(found.names) == len(wanted.names) + 1
    images = np.random.default_rng(0).integers(0, 256, (30, 1, 12, 12), dtype=np.uint8)
    images[17] = images[3]
    np.savez(
        tmp_path / "set.npz",
        x_train=images[:15],
        y_train=np.arange(15) % 2,
        x_test=images[15:],
        y_test=np.arange(15) % 2,
    )
    found = audit(tmp_path / "set.npz")
    assert kinds(found) == ["leakage", "contradiction", "nearly-empty-class"]
    assert named(of_kind(found, "leakage")) == [("train 3", "test 17")]


def test_it_becomes_json(clean):
    (clean / "train" / "ants" / "broken.jpg").write_bytes(b"no picture")
    found = audit(clean)
    said = json.loads(json.dumps(found.to_dict()))
    assert said["images"] == 32
    assert said["findings"][0]["items"][0]["names"] == ["train/ants/broken.jpg"]
    assert said["classes"]["bees"] == {"train": 12, "validation": 4}


def test_what_is_no_source_gets_a_sentence(tmp_path):
    with pytest.raises(DataError, match="there is no file or folder"):
        audit(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no images"):
        audit(tmp_path / "empty")


@pytest.mark.skipif(not HYMENOPTERA.exists(), reason="the real set is not here")
def test_the_placeholder_of_a_real_set_is_found():
    found = audit(HYMENOPTERA, cache_gb=0)
    (item,) = of_kind(found, "placeholder").items
    assert item.names == ("hymenoptera_data/train/ants/imageNotFound.gif",)
    assert "in a drawing" in item.remark
