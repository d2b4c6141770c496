"""Batches that a policy changes are the same in any number of processes, streamed or not, from any step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from striate.data import Split
from striate.data.augment_language import make_augmentation
from striate.data.batches import Batches
from striate.data.planning import can_be_planned
from striate.data.policy import Policy
from striate.data.value_changes import Brightness
from striate.engine.world import Place, World

POLICIES = (
    "flip,crop,turn,hue,noise,erase@0.9",
    "flip,trivial,mixup=1",
    "turn,mixup,cutmix@0.7",
)


def _split(count: int = 30, classes: int = 3) -> Split:
    images = np.random.default_rng(0).integers(0, 256, (count, 3, 9, 9), dtype=np.uint8)
    return Split(images, np.arange(count) % classes)


def _batches(policy: str, split: Split | None = None, **fields) -> Batches:
    choices = {"batch": 8, "device": "cpu", "seed": 3, "classes": 4, **fields}
    augmentation = make_augmentation(policy, flip="flip" in policy, shift=1)
    return Batches(split or _split(), augmentation=augmentation, **choices)


def _equal(left, right) -> bool:
    return len(left) == len(right) and all(
        a.equal(c) and b.equal(d) for (a, b), (c, d) in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("size", [2, 3, 10])
@pytest.mark.parametrize("mapped", [False, True])
def test_the_shares_of_processes_are_the_whole_batches(tmp_path, policy, size, mapped) -> None:
    split = _split()
    if mapped:
        np.save(tmp_path / "images.npy", split.images)
        split = Split(np.load(tmp_path / "images.npy", mmap_mode="r"), split.labels)
    whole = _batches(policy)
    for epoch in (0, 1):
        shares = [
            list(_batches(policy, split, world=World(Place(rank, size))).epoch(epoch)) for rank in range(size)
        ]
        together = [
            tuple(torch.cat(parts) for parts in zip(*step, strict=True)) for step in zip(*shares, strict=True)
        ]
        assert _equal(together, list(whole.epoch(epoch)))


@pytest.mark.parametrize("policy", POLICIES)
def test_an_epoch_that_is_entered_late_goes_on_as_it_would_have(policy) -> None:
    batches = _batches(policy)
    assert _equal(list(batches.epoch(1, start=2)), list(batches.epoch(1))[2:])
    assert not _equal(list(batches.epoch(0)), list(batches.epoch(1)))
    assert _equal(list(_batches(policy).epoch(0)), list(batches.epoch(0)))
    assert not _equal(list(_batches(policy, seed=4).epoch(0)), list(batches.epoch(0)))


def test_labels_of_mixed_images_are_shares_of_all_classes() -> None:
    for images, labels in _batches(POLICIES[1]).epoch(0):
        assert images.dtype == torch.uint8
        assert labels.shape == (8, 4)
        torch.testing.assert_close(labels.sum(dim=1), torch.ones(8))
        assert not labels[:, 3].any()
    for _, labels in _batches(POLICIES[0]).epoch(0):
        assert labels.dtype == torch.int64
    # Without being told, as many as the labels name.
    _, labels = next(_batches(POLICIES[1], classes=None).epoch(0))
    assert labels.shape == (8, 3)


def test_mirroring_alternates_under_a_policy_too() -> None:
    split = _split()
    policy = Policy(flip=True, shift=0, changes=(Brightness(1e-9),))
    batches = Batches(split, batch=10, device="cpu", seed=1, augmentation=policy)
    turned = []
    for epoch in range(2):
        of_epoch = {}
        for step, (images, _) in enumerate(batches.epoch(epoch)):
            index = batches.order(epoch)[10 * step : 10 * step + 10]
            for image, number in zip(images, index.tolist(), strict=True):
                of_epoch[number] = not image.equal(torch.from_numpy(split.images[number]))
        turned.append([of_epoch[number] for number in range(30)])
    assert 5 < sum(turned[0]) < 25
    assert turned[1] == [not each for each in turned[0]]


def test_no_plan_is_made_of_what_only_a_policy_can_do() -> None:
    assert not can_be_planned(_batches(POLICIES[0]))
    assert can_be_planned(_batches("none"))
