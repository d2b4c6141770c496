"""Batches are the same whether images are resident or streamed, and from wherever an epoch is entered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from striate.data import Split
from striate.data import batches as batches_module
from striate.data.augmentation import Augmentation
from striate.data.batches import Batches, as_tensor
from striate.data.stored import MappedImages, as_pixels
from striate.engine.world import Place, World

CHANGES = Augmentation(flip=True, shift=1)


def _split(count: int = 50) -> Split:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 1, 6, 6), dtype=np.uint8)
    images[:, 0, 2, 3] = np.arange(count)  # so that an image can be told
    return Split(images, np.arange(count))


def _mapped(split: Split, folder: Path) -> Split:
    np.save(folder / "images.npy", split.images)
    return Split(np.load(folder / "images.npy", mmap_mode="r"), split.labels)


def _all(batches: Batches, epoch: int, start: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(batches.epoch(epoch, start=start))


def _equal(left, right) -> bool:
    return len(left) == len(right) and all(
        a.equal(c) and b.equal(d) for (a, b), (c, d) in zip(left, right, strict=True)
    )


def test_an_epoch_holds_every_image_once_with_its_label() -> None:
    still = Augmentation(flip=False, shift=0)
    batches = Batches(_split(), batch=10, device="cpu", seed=0, augmentation=still)
    found = _all(batches, 0)
    assert len(found) == batches.steps == 5
    labels = torch.cat([labels for _, labels in found])
    images = torch.cat([images for images, _ in found])
    assert sorted(labels.tolist()) == list(range(50))
    assert labels.tolist() != list(range(50))
    assert images[:, 0, 2, 3].tolist() == labels.tolist()


def test_streamed_batches_equal_resident_ones(tmp_path) -> None:
    split = _split()
    resident = Batches(split, batch=8, device="cpu", seed=3, augmentation=CHANGES)
    streamed = Batches(_mapped(split, tmp_path), batch=8, device="cpu", seed=3, augmentation=CHANGES)
    assert resident.resident
    assert not streamed.resident
    for epoch in (0, 1):
        assert _equal(_all(resident, epoch), _all(streamed, epoch))
    assert _equal(_all(resident, 1, start=4), _all(streamed, 1)[4:])


def test_seed_and_epoch_decide_the_order_and_the_changes() -> None:
    split = _split()
    one, same, other = (
        Batches(split, batch=8, device="cpu", seed=seed, augmentation=CHANGES) for seed in (3, 3, 4)
    )
    assert _equal(_all(one, 0), _all(same, 0))
    assert not _equal(_all(one, 0), _all(other, 0))
    assert not _equal(_all(one, 0), _all(one, 1))


def test_a_batch_larger_than_the_set_is_the_set() -> None:
    batches = Batches(_split(5), batch=512, device="cpu", seed=0, augmentation=CHANGES)
    assert (batches.batch, batches.steps) == (5, 1)


def test_what_does_not_fill_a_batch_changes_from_epoch_to_epoch() -> None:
    batches = Batches(_split(), batch=16, device="cpu", seed=0, augmentation=CHANGES)
    left_out = [
        set(range(50)) - {label for _, labels in _all(batches, epoch) for label in labels.tolist()}
        for epoch in (0, 1)
    ]
    assert [len(each) for each in left_out] == [2, 2]
    assert left_out[0] != left_out[1]


def test_leaving_an_epoch_early_ends_its_reader(tmp_path) -> None:
    batches = Batches(_mapped(_split(), tmp_path), batch=8, device="cpu", seed=0, augmentation=CHANGES)
    epoch = batches.epoch(0)
    next(epoch)
    epoch.close()
    with pytest.raises(StopIteration):
        next(epoch)


def test_augmentation_shifts_by_every_offset_up_to_the_largest() -> None:
    images = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).repeat(400, 1, 1, 1)
    mirrored = torch.arange(400) % 2 == 0
    changed = Augmentation(flip=True, shift=1)(images, mirrored, torch.Generator().manual_seed(0))
    for chosen, centre in ((mirrored, 4 * 8 + 3), (~mirrored, 4 * 8 + 4)):
        reached = {centre + 8 * down + right for down in (-1, 0, 1) for right in (-1, 0, 1)}
        assert set(changed[chosen, 0, 4, 4].tolist()) == reached
    assert changed.dtype == torch.uint8


def test_mirroring_alternates_from_epoch_to_epoch() -> None:
    split = _split()
    flips = Augmentation(flip=True, shift=0)
    batches = Batches(split, batch=10, device="cpu", seed=1, augmentation=flips)
    seen = []
    for epoch in range(3):
        shown = {}
        for images, labels in batches.epoch(epoch):
            for image, label in zip(images, labels.tolist(), strict=True):
                same = image.equal(torch.from_numpy(split.images[label]))
                turned = image.equal(torch.from_numpy(split.images[label]).flip(2))
                assert same != turned
                shown[label] = turned
        seen.append([shown[label] for label in range(50)])
    assert 10 < sum(seen[0]) < 40
    assert seen[1] == [not turned for turned in seen[0]]
    assert seen[2] == seen[0]


@pytest.mark.parametrize("size", [2, 3, 10])
@pytest.mark.parametrize("mapped", [False, True])
def test_the_shares_of_processes_are_the_whole_batches(tmp_path, size, mapped) -> None:
    split = _mapped(_split(), tmp_path) if mapped else _split()
    choices = {"batch": 8, "device": "cpu", "seed": 3, "augmentation": CHANGES}
    whole = Batches(_split(), **choices)
    for epoch in (0, 1):
        shares = [
            _all(Batches(split, **choices, world=World(Place(rank, size))), epoch) for rank in range(size)
        ]
        together = [
            tuple(torch.cat(parts) for parts in zip(*step, strict=True)) for step in zip(*shares, strict=True)
        ]
        assert _equal(together, _all(whole, epoch))


def test_images_on_the_disk_are_streamed_and_equal_resident_ones(tmp_path) -> None:
    split = _split()
    split.images.tofile(tmp_path / "images")
    stored = MappedImages.open(tmp_path / "images", split.images.shape)
    order = np.random.default_rng(1).permutation(50)
    on_the_disk = Split(as_pixels(stored.pick(order)), split.labels[order])
    in_memory = Split(split.images[order], split.labels[order])
    resident, streamed = (
        Batches(each, batch=8, device="cpu", seed=3, augmentation=CHANGES)
        for each in (in_memory, on_the_disk)
    )
    assert not streamed.resident
    assert _equal(_all(resident, 1), _all(streamed, 1))
    assert as_tensor(on_the_disk.images[:7]).equal(as_tensor(in_memory.images[:7]))


def test_images_on_the_disk_come_to_a_device_in_blocks(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(batches_module, "BLOCK_BYTES", 7 * 36)
    split = _split()
    mapped = _mapped(split, tmp_path)
    there = batches_module._on_device(mapped.images, torch.device("cpu"))
    assert there.equal(torch.from_numpy(split.images))
