"""Previews show the images that there are, of all classes, as a training would be given them."""

from __future__ import annotations

import numpy as np
import pytest

from striate.data import Split
from striate.data.augment_language import make_augmentation
from striate.data.augmentation import Augmentation
from striate.data.previewing import apart, preview

LABELS = np.array([0] * 8 + [1] * 3 + [2])


def _split() -> Split:
    images = np.random.default_rng(0).integers(0, 256, (12, 3, 10, 10), dtype=np.uint8)
    return Split(images, LABELS)


def _number(original: np.ndarray) -> int:
    return next(n for n, image in enumerate(_split().images) if np.array_equal(image, original))


@pytest.mark.parametrize("policy", [None, "flip,crop", "mixup=1"])
def test_images_of_all_classes_are_shown_in_turn(policy) -> None:
    augmentation = make_augmentation(policy, flip=True, shift=1)
    found = preview(_split(), augmentation, images=5, variants=4, classes=3)
    assert [each.labels for each in found] == [(0,), (1,), (2,), (0,), (1,)]
    numbers = [_number(each.original) for each in found]
    assert [LABELS[number] for number in numbers] == [0, 1, 2, 0, 1]
    assert len(set(numbers)) == 5
    for each in found:
        assert each.variants.shape == (4, 3, 10, 10)
        np.testing.assert_allclose(each.shares.sum(axis=1), 1, atol=1e-6)
        assert (each.shares[:, each.labels[0]] == 1).all() == (policy != "mixup=1")


def test_the_seed_decides_and_mirroring_alternates() -> None:
    flips = Augmentation(flip=True, shift=0)
    one, same, other = (preview(_split(), flips, images=3, variants=2, classes=3, seed=s) for s in (1, 1, 2))
    assert all(np.array_equal(a.variants, b.variants) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a.original, b.original) for a, b in zip(one, other, strict=True))
    for each in one:
        as_it_is = [np.array_equal(variant, each.original) for variant in each.variants]
        turned = [np.array_equal(variant[:, :, ::-1], each.original) for variant in each.variants]
        assert sorted(as_it_is) == [False, True]
        assert turned == [not one for one in as_it_is]


def test_where_there_are_fewer_images_all_are_shown() -> None:
    found = preview(_split(), Augmentation(flip=False, shift=0), images=99, variants=1, classes=3)
    assert sorted(_number(each.original) for each in found) == list(range(12))
    assert all(np.array_equal(each.variants[0], each.original) for each in found)


def test_changes_are_taken_apart_and_made_of_every_image() -> None:
    found = apart(make_augmentation("flip,blur=0.1@0.2,mixup", flip=True, shift=2))
    assert found[0] == Augmentation(flip=True, shift=0)
    assert found[1] == Augmentation(flip=False, shift=2)
    assert found[2] == make_augmentation("blur=0.1@1", flip=False, shift=0)
    assert found[3] == make_augmentation("mixup", flip=False, shift=0)
    assert apart(Augmentation(flip=False, shift=0)) == []
