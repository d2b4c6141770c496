"""Duplicates are found however a picture was changed a little; others, and tiny ones, are left alone."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from striate.data.duplicates import Links, find_duplicates
from striate.data.pictures import paint_padding, place
from striate.data.sketching import sketch

SIDE = 128


def compressed(picture, quality):
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def cut(picture, left, top, right, bottom):
    width, height = picture.size
    box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    return picture.crop(tuple(map(round, box)))


CHANGES = {
    "resized": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "enlarged": lambda picture: picture.resize((picture.width * 2, picture.height * 2)),
    "compressed": lambda picture: compressed(picture, 20),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.25),
    "less contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(0.6),
    "grey": lambda picture: picture.convert("L").convert("RGB"),
    "cropped in the middle": lambda picture: cut(picture, 0.06, 0.06, 0.06, 0.06),
    "cropped at one side": lambda picture: cut(picture, 0.08, 0, 0, 0),
    "cropped at a corner": lambda picture: cut(picture, 0.08, 0, 0, 0.08),
    "mirrored": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned by a quarter": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "mirrored, turned, resized and compressed": lambda picture: compressed(
        picture.transpose(Image.Transpose.TRANSPOSE).resize((150, 200)), 40
    ),
    "turned by 3 degrees": lambda picture: cut(
        picture.rotate(3, Image.Resampling.BICUBIC), 0.04, 0.04, 0.04, 0.04
    ),
}


def sketched(pictures):
    """Make sketches of pictures of any size as an audit does: padded to a square, the padding left out."""
    images = np.full((len(pictures), 3, SIDE, SIDE), 99, np.uint8)
    for row, picture in enumerate(pictures):
        pixels, box = place(picture, (SIDE, SIDE), 3, "pad")
        images[row] = paint_padding(pixels, box, (99, 99, 99))
    return sketch(images, fill=(99, 99, 99))


def pairs(found):
    return {(each.first, each.second) for each in found}


@pytest.fixture(scope="module")
def photos(photo_like):
    return [photo_like(seed, (240, 180)) for seed in range(40)]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_no_other_picture(photos, change):
    changed = [CHANGES[change](photo) for photo in photos[:20]]
    found = find_duplicates(sketched([*photos, *changed]))
    wanted = {(row, 40 + row) for row in range(20)}
    assert pairs(found) <= wanted
    assert len(pairs(found)) >= 19
    assert all(each.similarity >= 0.9 for each in found)


def test_files_and_pixels_come_first_and_blank_pictures_only_count_as_files(photos):
    blank = Image.new("RGB", (240, 180), (9, 9, 9))
    pictures = [photos[0], photos[0], photos[0], blank, blank, blank, photos[1]]
    digests = [b"a", b"a", b"b", b"c", b"c", b"d", b""]
    found = find_duplicates(sketched(pictures), digests=digests)
    assert [(each.first, each.second, each.kind) for each in found] == [
        (0, 1, "file"),
        (3, 4, "file"),
        (0, 2, "pixels"),
    ]


def test_one_thing_in_another_colour_is_no_duplicate(photos):
    def tinted(picture, factors):
        bands = [
            band.point(lambda value, by=by: value * by)
            for band, by in zip(picture.split(), factors, strict=True)
        ]
        return Image.merge("RGB", bands)

    grey = photos[0].convert("L").convert("RGB")
    found = find_duplicates(sketched([tinted(grey, (1, 0.5, 0.5)), tinted(grey, (0.5, 0.5, 1))]))
    assert found == []


def test_parts_limit_what_is_looked_for(photos):
    pictures = [photos[0], photos[0], CHANGES["resized"](photos[1]), photos[1], photos[2], photos[2]]
    parts = np.array([0, 1, 0, 1, 1, 1])
    assert pairs(find_duplicates(sketched(pictures), parts=parts)) == {(0, 1), (2, 3)}
    assert pairs(find_duplicates(sketched(pictures), parts=parts, cropped=False)) == {(0, 1), (2, 3)}


def test_a_burst_is_one_group_and_each_of_it_is_linked_once(photos):
    burst = [cut(photos[3], 0.01 * step, 0, 0.09 - 0.01 * step, 0) for step in range(10)]
    found = find_duplicates(sketched([*burst, *photos[10:20]]))
    links = Links(20)
    for each in found:
        links.join(each.first, each.second)
    assert links.groups() == [list(range(10))]
    assert len(found) == 9


def test_of_tiny_images_only_the_same_ones_are_found():
    random = np.random.default_rng(0)
    images = np.repeat(random.integers(0, 256, (3, 1, 28, 28), dtype=np.uint8), 2, axis=0)
    images[1, 0, 0, 0] ^= 1
    assert [(each.first, each.second, each.kind) for each in find_duplicates(sketch(images))] == [
        (2, 3, "pixels"),
        (4, 5, "pixels"),
    ]
    assert find_duplicates(sketch(images[:0])) == []


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40))
def test_links_are_an_equivalence(joined):
    links = Links(20)
    near = np.eye(20, dtype=bool)
    for one, other in joined:
        before = links.root(one) == links.root(other)
        assert links.join(one, other) is not before
        near[one, other] = near[other, one] = True
    for _ in range(5):
        near = near @ near
    roots = links.roots()
    np.testing.assert_array_equal(roots[:, None] == roots[None], near)
    assert list(links.groups()) == [
        rows for row in range(20) if len(rows := np.flatnonzero(near[row]).tolist()) > 1 and rows[0] == row
    ]
