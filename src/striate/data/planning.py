"""What every step of a training will be given, as tables on the device that a recorded step reads.

A row for each step: which images, which of them mirrored, and where each is shifted. The values are those
that `striate.data.batches.Batches` derives from (seed, epoch, step), so that both ways of feeding a training
give the same batches.
"""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from striate.core.seeds import derive
from striate.data.batches import Batches
from striate.nn import gather_warped


class Plan:
    """The batches of a whole training as rows of tables, filled epoch by epoch ahead of the steps.

    The tables are tensors that stay where they are: `follow` gives them to another training of the same
    shapes. A row takes 7 bytes an image.

    Args:
        batches: the images, resident on their device, and what decides order and changes.
        steps: rows, one for each step of the training.

    >>> import numpy as np
    >>> from striate.data import Split
    >>> from striate.data.augmentation import Augmentation
    >>> split = Split(np.zeros((6, 1, 4, 4), np.uint8), np.arange(6))
    >>> change = Augmentation(flip=True, shift=1)
    >>> plan = Plan(Batches(split, batch=3, device="cpu", seed=0, augmentation=change), steps=2)
    >>> plan.fill(0)
    >>> images, labels = plan.batch(torch.tensor([1]))
    >>> images.shape, labels.shape
    (torch.Size([3, 1, 4, 4]), torch.Size([3]))
    """

    def __init__(self, batches: Batches, *, steps: int) -> None:
        self._batches = batches
        self.images, self.labels = batches.resident_images()
        device = self.images.device
        rows = (steps, batches.batch)
        self.order = torch.zeros(rows, dtype=torch.int32, device=device)
        self.mirrored = torch.zeros(rows, dtype=torch.bool, device=device)
        self.offsets = torch.zeros((*rows, 2), dtype=torch.int8, device=device)
        # From page-locked memory the device copies by itself, while the host goes on.
        self._staged = torch.zeros(rows, dtype=torch.int32, pin_memory=device.type == "cuda")

    def follow(self, batches: Batches) -> None:
        """Take the images, the labels and the seed of another training, of the same shapes.

        Args:
            batches: of that training.
        """
        images, labels = batches.resident_images()
        self._batches = batches
        if images.device.type == "cpu":
            # Nothing is recorded there, and the memory is that of the caller's arrays.
            self.images, self.labels = images, labels
        elif images is not self.images:
            self.images.copy_(images)
            self.labels.copy_(labels)

    def fill(self, epoch: int) -> None:
        """Write the rows of an epoch, without waiting for the device.

        Args:
            epoch: its number, from 0.
        """
        each, first = self._batches.steps, epoch * self._batches.steps
        rows = slice(first, min(first + each, len(self.order)))
        count = rows.stop - rows.start
        order = self._batches.order(epoch)[: count * self._batches.batch]
        self._staged[rows].copy_(order.view(count, -1))
        self.order[rows].copy_(self._staged[rows], non_blocking=True)
        if self._batches.augmentation.flip:
            self.mirrored[rows].copy_(self._batches.mirrored(self.order[rows].long(), epoch))
        self._draw_offsets(epoch, rows)

    def batch(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """Gather the batch of a step by operations of the device alone.

        Args:
            step: one int64, on the device: the number of the step in the whole training.

        Returns:
            Images, N x C x H x W uint8, channels last, and labels, N int64.
        """
        chosen = self.order.index_select(0, step)[0].long()
        mirrored = self.mirrored.index_select(0, step)[0]
        offsets = self.offsets.index_select(0, step)[0]
        return gather_warped(self.images, chosen, mirrored, offsets), self.labels[chosen]

    def _draw_offsets(self, epoch: int, rows: slice) -> None:
        radius, batch, device = self._batches.augmentation.shift, self._batches.batch, self.images.device
        if not radius:
            return
        changes = torch.Generator(device)
        for step, row in enumerate(range(rows.start, rows.stop)):
            changes.manual_seed(derive(self._batches.seed, "augmentation", epoch, step))
            offsets = torch.randint(-radius, radius + 1, (batch, 2), generator=changes, device=device)
            self.offsets[row].copy_(offsets)


def can_be_planned(batches: Batches) -> bool:
    """Say whether a plan gives the batches that a training would have without one.

    Args:
        batches: of the training.

    Returns:
        False where images are streamed, changed in ways that no row of a plan holds, or no images.
    """
    known = {"flip", "shift"}
    return (
        batches.resident
        and batches.dims == 2
        and {field.name for field in fields(batches.augmentation)} == known
    )
