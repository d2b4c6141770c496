"""Batches for training: gathered and augmented on the device, from memory there or streamed to it.

The same seed gives the same batches whether the images are resident or streamed, and from whichever
step an epoch is entered, since order and augmentation are derived from (seed, epoch, step).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from striate.core.seeds import derive
from striate.data.augmentation import Augmentation
from striate.data.dataset import Split

RESIDENT_SHARE = 0.4
"""The share of a device's free memory that images may take to stay there."""


class Batches:
    """The batches of every epoch of a training.

    Each epoch goes through the images in a new order; the last ones that do not fill a batch are left
    out of that epoch, so that all batches are of one size. Where images are mirrored, chance decides for
    each in the first epoch, and from then on it alternates: two epochs show every image both ways, where
    chance alone would show half of them the same way twice (Jordan, 94% on CIFAR-10 in 3.29 Seconds on a
    Single GPU, 2024, section 3.6).

    Args:
        split: the images and labels to train on.
        batch: images a batch, cut to the size of the split.
        device: where batches are wanted.
        seed: derives the order and the augmentation.
        augmentation: what is done to each batch.
    """

    def __init__(
        self, split: Split, *, batch: int, device: str, seed: int, augmentation: Augmentation
    ) -> None:
        self.batch = min(batch, len(split))
        self.steps = len(split) // self.batch
        self.resident = fits(split.images, device)
        self._device = torch.device(device)
        self._seed = seed
        self._augmentation = augmentation
        self._count = len(split)
        self._labels = torch.tensor(split.labels, dtype=torch.long, device=self._device)
        draws = torch.rand(self._count, generator=torch.Generator().manual_seed(derive(seed, "mirror")))
        self._mirrored_first = (draws < 0.5).to(self._device)
        self._host = split.images
        self._images = as_tensor(split.images).to(self._device) if self.resident else None

    def epoch(self, epoch: int, *, start: int = 0) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Give the batches of one epoch.

        Args:
            epoch: its number, from 0.
            start: the first step wanted, in [0, steps].

        Yields:
            Images, N x C x H x W uint8, and labels, N int64, on the device.
        """
        generator = torch.Generator().manual_seed(derive(self._seed, "order", epoch))
        order = torch.randperm(self._count, generator=generator)
        if self._images is not None:
            order = order.to(self._device)
        chosen = [order[step * self.batch : (step + 1) * self.batch] for step in range(start, self.steps)]
        changes = torch.Generator(self._device)
        for step, (index, images) in enumerate(zip(chosen, self._gather(chosen), strict=True), start):
            changes.manual_seed(derive(self._seed, "augmentation", epoch, step))
            here = index.to(self._device)
            mirrored = self._mirrored_first[here] ^ (epoch % 2 == 1)
            yield self._augmentation(images, mirrored, changes), self._labels[here]

    def _gather(self, chosen: list[Tensor]) -> Iterator[Tensor]:
        if self._images is not None:
            yield from (self._images[index] for index in chosen)
            return
        # One thread reads the batch after next from the disk while the device computes.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="striate-read") as reader:
            waiting = [reader.submit(self._read, index) for index in chosen[:2]]
            for position in range(len(chosen)):
                images = waiting.pop(0).result()
                if position + 2 < len(chosen):
                    waiting.append(reader.submit(self._read, chosen[position + 2]))
                yield images.to(self._device, non_blocking=True)

    def _read(self, index: Tensor) -> Tensor:
        # Sorted reads are sequential on the disk; the batch is put back in its own order after.
        ordered, back = index.sort()
        rows = torch.from_numpy(np.ascontiguousarray(self._host[ordered.numpy()]))
        images = torch.empty_like(rows)
        images[back] = rows
        return images.pin_memory() if self._device.type == "cuda" else images


def fits(images: np.ndarray, device: str) -> bool:
    """Say whether images should live on a device for the whole training.

    Args:
        images: N x C x H x W; what is mapped from a file was too large for this machine's memory.
        device: where they are wanted.

    Returns:
        False for a file-mapped array, and where a GPU's free memory is too small.
    """
    if isinstance(images, np.memmap):
        return False
    if torch.device(device).type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return images.nbytes <= RESIDENT_SHARE * free


def as_tensor(images: np.ndarray) -> Tensor:
    """View an array as a tensor, copying only where torch cannot share it.

    Args:
        images: any array; torch cannot share a read-only one without a warning.

    Returns:
        The tensor, on the CPU.
    """
    return torch.from_numpy(images if images.flags.writeable else images.copy())
