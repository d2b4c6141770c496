"""A plan gives the very batches that a training without one has, and reads no value on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from striate.core.errors import DataError
from striate.data import Split
from striate.data.augmentation import Augmentation
from striate.data.batches import Batches
from striate.data.planning import Plan, can_be_planned


class NothingRead(TorchDispatchMode):
    """Fails where a value goes from the device to the host, which is what makes a GPU and its host wait."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func.overloadpacket not in (
            torch.ops.aten._local_scalar_dense,
            torch.ops.aten.nonzero,
            torch.ops.aten.equal,
        ), f"{func} reads a value"
        return func(*args, **(kwargs or {}))


def _split(*, seed: int = 0, channels: int = 3) -> Split:
    random = np.random.default_rng(seed)
    return Split(random.integers(0, 256, (50, channels, 7, 6), dtype=np.uint8), random.integers(0, 9, 50))


def _batches(split: Split, *, seed: int = 3, flip: bool = True, shift: int = 2) -> Batches:
    change = Augmentation(flip=flip, shift=shift)
    return Batches(split, batch=8, device="cpu", seed=seed, augmentation=change)


def _check_equal(plan: Plan, batches: Batches, steps: int) -> None:
    wanted = [batch for epoch in range(3) for batch in batches.epoch(epoch)][:steps]
    assert len(wanted) == steps
    for epoch in range(3):
        plan.fill(epoch)
    for step, (images, labels) in enumerate(wanted):
        found, found_labels = plan.batch(torch.tensor([step]))
        assert found.equal(images)
        assert found_labels.equal(labels)


@pytest.mark.parametrize(("flip", "shift"), [(True, 2), (True, 0), (False, 1), (False, 0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_plan_gives_the_batches_of_the_ordinary_loop(flip, shift, channels) -> None:
    batches = _batches(_split(channels=channels), flip=flip, shift=shift)
    steps = 3 * batches.steps - 2  # the last epoch ends early
    _check_equal(Plan(batches, steps=steps), batches, steps)


def test_a_plan_follows_another_training_of_the_same_shapes() -> None:
    first, second = _split(), _split(seed=1)
    plan = Plan(_batches(first), steps=18)
    plan.fill(0)
    kept = first.images.copy()
    batches = _batches(second, seed=4)
    plan.follow(batches)
    _check_equal(plan, batches, 18)
    assert (first.images == kept).all()


def test_gathering_a_batch_reads_no_value() -> None:
    plan = Plan(_batches(_split()), steps=6)
    plan.fill(0)
    step = torch.tensor([2])
    with NothingRead():
        plan.batch(step)
    with pytest.raises(AssertionError, match="reads a value"), NothingRead():
        step.item()


def test_what_a_plan_cannot_hold_is_known(tmp_path) -> None:
    split = _split()
    assert can_be_planned(_batches(split))
    np.save(tmp_path / "images.npy", split.images)
    streamed = _batches(Split(np.load(tmp_path / "images.npy", mmap_mode="r"), split.labels))
    assert not can_be_planned(streamed)
    with pytest.raises(DataError, match="streamed"):
        Plan(streamed, steps=1)

    @dataclass(frozen=True)
    class More(Augmentation):
        hole: int = 3

    more = Batches(split, batch=8, device="cpu", seed=0, augmentation=More(flip=True, shift=0))
    assert not can_be_planned(more)
