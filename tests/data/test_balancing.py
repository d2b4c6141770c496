"""Balanced orders show all classes equally often, and all images of a class."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.data import Split
from striate.data.augmentation import Augmentation
from striate.data.balancing import BalancedOrder
from striate.data.batches import Batches


def _labels(counts: list[int]) -> torch.Tensor:
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))]


@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=5).filter(any),
    seed=st.integers(0, 99),
    epochs=st.integers(1, 6),
)
def test_classes_come_equally_often_and_so_do_their_images(counts, seed, epochs) -> None:
    labels = _labels(counts)
    order = BalancedOrder(labels, seed=seed)
    drawn = [order(epoch) for epoch in range(epochs)]
    assert all(len(each) == len(labels) for each in drawn)
    there = [count for count in counts if count]
    each = -(-len(labels) // len(there))
    for one in drawn:
        found = torch.bincount(labels[one], minlength=len(counts))
        # What is cut off, for the epoch to be as long as any, is less than one image of each class.
        assert found.max() <= each
        assert found.sum() == len(labels)
        assert all(found[label] == 0 for label, count in enumerate(counts) if not count)
        assert (each * len(there) - len(labels)) < len(there)


def test_in_the_long_run_all_images_of_a_class_come_equally_often() -> None:
    labels = _labels([3, 50, 7])  # 60 images, so that nothing is cut off
    order = BalancedOrder(labels, seed=0)
    drawn = torch.bincount(torch.cat([order(epoch) for epoch in range(10)]), minlength=60)
    for label in range(3):
        found = drawn[labels == label]
        assert found.sum() == 200
        assert found.max() - found.min() <= 1


def test_the_expected_mass_of_classes_is_equal() -> None:
    labels = _labels([1, 10, 100])
    order = BalancedOrder(labels, seed=3)
    drawn = torch.bincount(labels[torch.cat([order(epoch) for epoch in range(30)])])
    assert (drawn / drawn.sum()).tolist() == pytest.approx([1 / 3] * 3, abs=0.002)


def test_orders_depend_on_seed_and_epoch_alone() -> None:
    labels = _labels([5, 20])
    one, same, other = (BalancedOrder(labels, seed=seed) for seed in (1, 1, 2))
    one(0)
    assert one(4).equal(same(4))
    assert not one(4).equal(one(5))
    assert not one(4).equal(other(4))


def test_batches_follow_the_order_wherever_they_are_entered() -> None:
    labels = _labels([4, 36]).numpy()
    images = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 4, 4), np.uint8)
    split = Split(images, labels)
    still = Augmentation(flip=False, shift=0)
    batches = Batches(split, batch=8, device="cpu", seed=0, augmentation=still, balanced=True)
    whole = list(batches.epoch(2))
    assert len(whole) == 5
    for (pixels, shown), index in zip(whole, batches.order(2).view(5, 8), strict=True):
        assert pixels[:, 0, 0, 0].long().equal(index)
        assert shown.equal(torch.as_tensor(labels)[index])
    later = list(batches.epoch(2, start=3))
    assert all(one[0].equal(other[0]) for one, other in zip(later, whole[3:], strict=True))
    assert torch.bincount(torch.cat([shown for _, shown in whole])).tolist() == [20, 20]
