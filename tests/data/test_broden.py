"""A small set in Broden's layout is read as it was written, and what is wrong with one is said."""

import csv

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import DataError
from striate.data import open_broden

SIZE, MASKS = (8, 10), (4, 5)
LABELS = [(3, "red-c", "color(2)"), (7, "sky", "object(3)"), (300, "fabric", "object(1);material(2)")]
INDEX = ("image", "split", "ih", "iw", "sh", "sw", "color", "object", "material")


def write_table(path, heading, rows) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([heading, *rows])


def write_mask(path, numbers) -> None:
    numbers = np.asarray(numbers)
    pixels = np.stack([numbers % 256, numbers // 256, np.zeros_like(numbers)], axis=-1)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def broden(tmp_path):
    """Three images: two masks in one category, labels of whole images, and one without a label."""
    images = tmp_path / "images" / "ade"
    images.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(4):
        pixels = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
    low = np.zeros(MASKS, int)
    low[:2] = 7
    high = np.zeros(MASKS, int)
    high[1:, 1:] = 300
    write_mask(images / "0_object.png", low)
    write_mask(images / "0_object2.png", high)
    write_mask(images / "1_color.png", np.full(MASKS, 3))
    write_table(tmp_path / "category.csv", ("name", "first", "last", "count", "frequency"),
                [("color", 1, 3, 1, 2), ("object", 7, 300, 2, 3), ("material", 300, 300, 1, 2)])  # fmt: skip
    write_table(tmp_path / "label.csv", ("number", "name", "category", "frequency", "coverage", "syns"),
                [(number, name, kinds, 1, 1.0, "") for number, name, kinds in LABELS])  # fmt: skip
    heading = ("code", "number", "name", "frequency", "coverage")
    write_table(tmp_path / "c_color.csv", heading, [(1, 3, "red-c", 2, 9.1)])
    write_table(tmp_path / "c_object.csv", heading, [(1, 7, "sky", 3, 2.5), (2, 300, "fabric", 1, 0.5)])
    write_table(tmp_path / "c_material.csv", heading, [(1, 300, "fabric", 2, 0.75)])
    sizes = (*SIZE, *MASKS)
    write_table(tmp_path / "index.csv", INDEX, [
        ("ade/0.png", "train", *sizes, "", "ade/0_object.png;ade/0_object2.png", ""),
        ("ade/1.png", "val", *sizes, "ade/1_color.png", "7", "300"),
        ("ade/2.png", "train", *sizes, "3", "", ""),
        ("ade/3.png", "train", *sizes, "", "", ""),
    ])  # fmt: skip
    return tmp_path


def edit(folder, name, old, new) -> None:
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_labels_images_and_masks_are_as_written(broden):
    found = open_broden(broden)
    assert [(each.number, each.name, each.category) for each in found.labels] == [
        (3, "red-c", "color"),
        (7, "sky", "object"),
        (300, "fabric", "material"),  # it covers more as a material
    ]
    assert [row.image for row in found.rows] == ["ade/0.png", "ade/1.png", "ade/2.png"]
    assert found.rejected == ()
    masks = found.masks[0:3]
    assert (masks.dtype, masks.shape) == (np.bool_, (3, 3, *MASKS))
    expected = np.zeros_like(masks)
    expected[0, 1, :2] = True
    expected[0, 2, 1:, 1:] = True  # the second mask of one category, over the first
    expected[1] = True
    expected[2, 0] = True
    np.testing.assert_array_equal(masks, expected)
    images = found.images[0:3]
    for number, image in enumerate(images):
        with Image.open(broden / "images" / "ade" / f"{number}.png") as file:
            np.testing.assert_array_equal(image, np.moveaxis(np.asarray(file), 2, 0))


def test_slices_parts_categories_and_sizes(broden):
    whole = open_broden(broden)
    np.testing.assert_array_equal(whole.masks[::2], whole.masks[0:3][::2])
    np.testing.assert_array_equal(whole.images[1:9], whole.images[0:3][1:])
    assert [row.image for row in open_broden(broden, split="val").rows] == ["ade/1.png"]
    assert open_broden(broden, size=(16, 16)).images[0:2].shape == (2, 3, 16, 16)
    only = open_broden(broden, categories=["color"])
    assert [each.name for each in only.labels] == ["red-c"]
    assert [row.image for row in only.rows] == ["ade/1.png", "ade/2.png"]
    assert only.masks[0:2].all()


def test_it_is_dissected(broden):
    import torch
    from torch import nn

    from striate.explain import Concept, ConceptSet, dissect

    found = open_broden(broden)
    concepts = tuple(Concept(label.name, label.category) for label in found.labels)
    made = dissect(nn.Conv2d(3, 2, 3), found.images, ConceptSet(concepts, found.masks, only_labelled=True))
    assert [each.share for each in made.concepts] == pytest.approx([40 / 60, 30 / 60, 32 / 60])
    assert made.layers[0].iou.shape == torch.Size([2, 3])


def refused(folder, match, **options) -> None:
    with pytest.raises(DataError, match=match) as caught:
        open_broden(folder, **options)
    assert "\n" not in str(caught.value)


def test_what_is_no_such_set_is_refused(broden, tmp_path_factory):
    refused(tmp_path_factory.mktemp("empty"), "no index.csv, so it is no set")
    refused(broden, "no category 'colour'; did you mean 'color'", categories=["colour"])
    refused(broden, "no split 'test'", split="test")
    (broden / "c_material.csv").unlink()
    refused(broden, r"cannot read .*c_material\.csv")


@pytest.mark.parametrize(
    ("name", "old", "new", "match"),
    [
        ("index.csv", "image,split", "picture,split", "no column 'image'"),
        ("index.csv", ",material", ",stuff", "no column 'material'"),
        ("label.csv", "number,", "code,", "no column 'number'"),
        ("label.csv", "300,", "70000,", "has the number '70000'"),
        ("label.csv", "300,", "7,", "has a number twice"),
        ("category.csv", "material", "../../secret", "which names no file"),
        ("c_object.csv", "2.5", "much", "'much' is no number"),
    ],
)
def test_tables_that_contradict_are_refused(broden, name, old, new, match):
    edit(broden, name, old, new)
    refused(broden, match)


def test_what_is_no_table_is_refused(broden):
    (broden / "label.csv").write_text("number,name\n3," + 200_000 * "x")
    refused(broden, "is no CSV file")
    (broden / "label.csv").write_bytes(b"number,name\n3,\xff\n")
    refused(broden, "as text in UTF-8")
    (broden / "label.csv").write_text("")
    refused(broden, "no column 'number' .it has: nothing")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("ade/2.png", "../ade/2.png", "leads out of the folder"),
        ("ade/2.png", "/etc/passwd", "leads out of the folder"),
        ("ade/2.png", "C:2.png", "leads out of the folder"),
        ("ade/2.png", "ade/9.png", "there is no file images/ade/9.png"),
        ("ade/2.png", "ade", "there is no file images/ade"),
        ("ade/2.png,train,8,", "ade/2.png,train,99999,", "its sizes are 99999"),
        ("ade/2.png,train,8,", "ade/2.png,train,-8,", "its sizes are -8"),
        ("4,5,3,", "4,5,4,", "the label 4, which label.csv does not name"),
        ("4,5,3,", "4,5,ade/2.jpg,", "there is no file"),
        ("4,5,3,", "4,5,../../x.png,", "leads out of the folder"),
        ("4,5,3,", f"4,5,{';'.join(['3'] * 65)},", "it has 65 labels of the category color"),
        ("4,5,3,", "3,5,3,", "its masks are 3x5, the first image's 4x5"),
    ],
)
def test_rows_that_cannot_be_used_are_listed_with_the_reason(broden, old, new, reason):
    edit(broden, "index.csv", old, new)
    found = open_broden(broden)
    assert len(found.rows) == 2
    (rejected,) = found.rejected
    assert reason in rejected.reason


def test_lossy_masks_are_refused(broden):
    Image.new("RGB", (5, 4)).save(broden / "images" / "ade" / "2.jpg")
    edit(broden, "index.csv", "4,5,3,", "4,5,ade/2.jpg,")
    assert "no PNG" in open_broden(broden).rejected[0].reason


def test_a_set_without_a_usable_row_names_the_first_reason(broden):
    for old in ("ade/0.png", "ade/1.png", "ade/2.png"):
        edit(broden, "index.csv", old, "ade/none.png")
    refused(broden, "names no image to use; the first, 'ade/none.png': there is no file")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "0_object.png: the file is empty"),
        (b"no image", "0_object.png: the file is no image"),
        (Image.new("RGB", (5, 5)), "0_object.png: the mask is 5x5, and the index says 4x5"),
        (Image.new("RGB", (5, 4), (0, 0, 1)), "0_object.png: the mask has blue pixels"),
    ],
)
def test_masks_that_are_damaged_are_refused_when_they_are_read(broden, content, match):
    path = broden / "images" / "ade" / "0_object.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content.save(path)
    masks = open_broden(broden).masks
    with pytest.raises(DataError, match=match):
        masks[0:1]
    assert masks[1:2].all()


def test_images_that_are_damaged_are_refused_when_they_are_read(broden):
    (broden / "images" / "ade" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    images = open_broden(broden).images
    with pytest.raises(DataError, match=r"ade/1\.png: "):
        images[0:3]
