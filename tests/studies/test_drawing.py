"""Drawing fewer images: even over the classes, nested, and whole where all are wanted."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from striate.data import Dataset, Split, open_dataset
from striate.studies.drawing import even_order, fewer


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    seed=st.integers(0, 10**6),
    share=st.floats(0.05, 1),
)
def test_every_beginning_has_the_classes_in_the_shares_of_the_whole(counts, seed, share) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    order = even_order(labels, seed=seed)
    assert sorted(order.tolist()) == list(range(len(labels)))
    count = max(1, round(share * len(labels)))
    drawn = np.bincount(labels[order[:count]], minlength=len(counts))
    if count >= len(counts):
        assert drawn.min() >= 1
        # Each class is within one image of its share, but for the first image that each is given.
        assert (np.abs(drawn - count * np.array(counts) / len(labels)) <= len(counts) + 1).all()


@given(st.integers(0, 1000))
def test_large_classes_are_within_one_image_of_their_share(seed) -> None:
    labels = np.repeat([0, 1], [300, 100])
    drawn = np.bincount(labels[even_order(labels, seed=seed)[:100]])
    assert abs(int(drawn[0]) - 75) <= 1


def data(count: int) -> Dataset:
    images = np.arange(count * 16, dtype=np.uint32).astype(np.uint8).reshape(count, 1, 4, 4)
    split = Split(images, np.arange(count) % 3, tuple(f"{number}.png" for number in range(count)))
    return Dataset("a", None, ("b", "c", "d"), train=split, validation=split, test=None)


def test_a_smaller_draw_is_a_part_of_a_larger_one_and_rows_stay_together() -> None:
    whole = data(30)
    small, large = fewer(whole, 7, seed=3), fewer(whole, 19, seed=3)
    assert len(small.train) == 7
    assert set(small.train.names) < set(large.train.names)
    for image, label, name in zip(small.train.images, small.train.labels, small.train.names, strict=True):
        row = whole.train.names.index(name)
        assert (image == whole.train.images[row]).all()
        assert label == whole.train.labels[row]
    assert small.validation is whole.validation
    assert set(fewer(whole, 7, seed=4).train.names) != set(small.train.names)


def test_all_of_them_are_the_dataset_itself() -> None:
    whole = data(30)
    assert fewer(whole, 30, seed=0) is whole
    assert fewer(whole, 10**9, seed=0) is whole


def test_a_part_has_a_fingerprint_of_its_own() -> None:
    digits = open_dataset("digits")
    part = fewer(digits, 100, seed=0)
    assert len(part.train) == 100
    assert part.fingerprint != digits.fingerprint
