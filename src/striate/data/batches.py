"""Batches for training: gathered and augmented on the device, from memory there or streamed to it.

The same seed gives the same batches whether the images are resident or streamed, and from whichever
step an epoch is entered, since order and augmentation are derived from (seed, epoch, step).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from striate.core.errors import DataError
from striate.core.seeds import derive
from striate.data.augmentation import Augmentation
from striate.data.balancing import BalancedOrder
from striate.data.dataset import Split
from striate.data.policy import Policy
from striate.data.stored import Images, StoredImages, read_rows
from striate.engine.world import World

RESIDENT_SHARE = 0.4
"""The share of a GPU's free memory that images may take to stay there."""

BLOCK_BYTES = 1 << 26
"""What is brought to a GPU at once of images that are on the disk."""


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
        classes: how many there are, where images are mixed; ``None``: as many as the labels name.
        world: the processes that share each batch; ``None``: there are no others.
        balanced: whether epochs show all classes equally often, instead of all images once.
    """

    def __init__(
        self,
        split: Split,
        *,
        batch: int,
        device: str,
        seed: int,
        augmentation: Augmentation,
        classes: int | None = None,
        world: World | None = None,
        balanced: bool = False,
    ) -> None:
        self.batch = min(batch, len(split))
        self._share = (world or World()).share(self.batch)
        self._policy = augmentation if isinstance(augmentation, Policy) else None
        self._rows = self._rows_read()
        self.steps = len(split) // self.batch
        self.resident = fits(split.images, device)
        self._device = torch.device(device)
        self.seed = seed
        self.augmentation = augmentation
        self.count = len(split)
        self.dims = split.images.ndim - 2
        several = split.labels.ndim == 2
        kind = torch.float32 if several else torch.long
        self._labels = torch.tensor(split.labels, dtype=kind, device=self._device)
        named = self._labels.shape[1] if several else int(self._labels.max()) + 1
        self._classes = named if classes is None else classes
        draws = torch.rand(self.count, generator=torch.Generator().manual_seed(derive(seed, "mirror")))
        self._mirrored_first = (draws < 0.5).to(self._device)
        self._balanced = BalancedOrder(self._labels.cpu(), seed=seed) if balanced else None
        self._host = split.images
        self._images = _on_device(split.images, self._device) if self.resident else None

    def epoch(
        self, epoch: int, *, start: int = 0, kept: Tensor | None = None
    ) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Give the batches of one epoch.

        Args:
            epoch: its number, from 0.
            start: the first step wanted.
            kept: N booleans: which images it goes through; ``None``: all.

        Yields:
            Images, N x C x H x W uint8 (series and volumes N x C x spatial, maybe float32), and labels, N
            int64, on the device: this process's share. Where
            images are mixed or may have several labels, labels are N x classes, float32: how much of each.
        """
        chosen = self.chosen(epoch, kept=kept)[start:]
        read = self._gather([index[self._rows] for index in chosen])
        for step, (index, images) in enumerate(zip(chosen, read, strict=True), start):
            seed, here = derive(self.seed, "augmentation", epoch, step), index.to(self._device)
            if self._policy is not None:
                yield self._by_policy(images, here, epoch, seed)
                continue
            changes = torch.Generator(self._device).manual_seed(seed)
            yield self._changed(images, self.mirrored(here, epoch), changes), self._labels[here[self._share]]

    def chosen(self, epoch: int, *, kept: Tensor | None = None) -> list[Tensor]:
        """Give the images of every whole batch of an epoch, those of all processes.

        Args:
            epoch: its number, from 0.
            kept: N booleans: which images it goes through; ``None``: all.

        Returns:
            Numbers of images for each step, int64, where the images lie.
        """
        order = self.order(epoch)
        if kept is not None:
            order = order[kept.cpu()[order]]
        if self._images is not None:
            order = order.to(self._device)
        steps = len(order) // self.batch
        return [order[step * self.batch : (step + 1) * self.batch] for step in range(steps)]

    def share_of(self, index: Tensor) -> Tensor:
        """Give this process's share of a batch.

        Args:
            index: numbers of images, one of `chosen`.

        Returns:
            Those of them that this process is given, on the device.
        """
        return index[self._share].to(self._device)

    def order(self, epoch: int) -> Tensor:
        """Give the order in which an epoch goes through the images.

        Args:
            epoch: its number, from 0.

        Returns:
            N int64, on the CPU.
        """
        if self._balanced is not None:
            return self._balanced(epoch)
        generator = torch.Generator().manual_seed(derive(self.seed, "order", epoch))
        return torch.randperm(self.count, generator=generator)

    def mirrored(self, index: Tensor, epoch: int) -> Tensor:
        """Say which images an epoch mirrors, where images are mirrored at all.

        Args:
            index: numbers of images, on the device.
            epoch: its number, from 0.

        Returns:
            Booleans of the same shape.
        """
        return self._mirrored_first[index] ^ (epoch % 2 == 1)

    def resident_images(self) -> tuple[Tensor, Tensor]:
        """Give all images and labels where they lie on the device.

        Returns:
            Images, N x C x H x W uint8, and labels, N int64 or, where images may have several, N x classes
            float32.

        Raises:
            DataError: where they are streamed.
        """
        if self._images is None:
            raise DataError("the images are streamed to the device, so they do not lie there")
        return self._images, self._labels

    def _rows_read(self) -> slice | Tensor:
        """Say which images of a batch are needed here: the share, and what its last one is mixed with."""
        share = self._share
        if self._policy is None or not self._policy.mixes or share.stop - share.start in (0, self.batch):
            return share
        return torch.tensor([*range(share.start, share.stop), share.stop % self.batch])

    def _by_policy(self, images: Tensor, index: Tensor, epoch: int, seed: int) -> tuple[Tensor, Tensor]:
        """Change this process's images as within the whole batch, and mix them where the policy does."""
        assert self._policy is not None
        labels, mirrored = self._labels[index[self._rows]], self.mirrored(index, epoch).cpu()
        draws = self._policy.draw(mirrored, torch.Generator().manual_seed(seed))
        images = self._policy.change(images, draws.of(self._rows))
        if not self._policy.mixes:
            return images, labels
        return self._policy.mix(images, labels, draws.of(self._share), classes=self._classes)

    def _changed(self, images: Tensor, mirrored: Tensor, changes: torch.Generator) -> Tensor:
        """Augment a share of a batch as within the whole: chance is drawn for all of it."""
        if len(images) == len(mirrored):
            return self.augmentation(images, mirrored, changes)
        # The others' images need not be fetched, since none of them matters to another.
        whole = images.new_zeros((len(mirrored), *images.shape[1:]))
        whole[self._share] = images
        return self.augmentation(whole, mirrored, changes)[self._share]

    def _gather(self, chosen: list[Tensor]) -> Iterator[Tensor]:
        if self._images is not None:
            # Whole images at once: indexing would go through them byte by byte.
            yield from (self._images.index_select(0, index) for index in chosen)
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
        # From page-locked memory the copy to a GPU runs beside its work.
        shape = (len(index), *self._host.shape[1:])
        kind = type_of(self._host)
        images = torch.empty(shape, dtype=kind, pin_memory=self._device.type == "cuda")
        read_rows(self._host, index.numpy(), images.numpy())
        return images


def fits(images: Images, device: str) -> bool:
    """Say whether images should live on a device for the whole training.

    Args:
        images: N x C x H x W; what is on the disk was too large for this machine's memory.
        device: where they are wanted.

    Returns:
        Whether they take at most 0.4 of what a GPU has free; on other devices, whether they are in memory.
    """
    if torch.device(device).type != "cuda":
        return not isinstance(images, np.memmap | StoredImages)
    free, _ = torch.cuda.mem_get_info(device)
    return images.nbytes <= RESIDENT_SHARE * free


def _on_device(images: Images, device: torch.device) -> Tensor:
    if not isinstance(images, np.memmap | StoredImages):
        return as_tensor(images).to(device)
    there = torch.empty(images.shape, dtype=type_of(images), device=device)
    rows = max(1, BLOCK_BYTES // (math.prod(images.shape[1:]) * there.element_size()))
    for start in range(0, len(images), rows):
        there[start : start + rows] = as_tensor(images[start : start + rows]).to(device)
    return there


def type_of(images: Images) -> torch.dtype:
    """Give the type of images as a tensor.

    Args:
        images: an array, or images on the disk.

    Returns:
        uint8 of pixels, float32 of other numbers.
    """
    return torch.uint8 if images.dtype == np.uint8 else torch.float32


def as_numbers(images: Tensor) -> Tensor:
    """Give pixels as numbers in [0, 1], and numbers as they are.

    Args:
        images: uint8 of pixels, or floating-point.

    Returns:
        float32 of the same shape.

    >>> as_numbers(torch.tensor([0, 255], dtype=torch.uint8)), as_numbers(torch.tensor([-3.0]))
    (tensor([0., 1.]), tensor([-3.]))
    """
    return images.float().div_(255) if images.dtype == torch.uint8 else images.float()


def as_tensor(images: Images) -> Tensor:
    """View an array as a tensor, copying only where torch cannot share it.

    Args:
        images: any array, or images on the disk; torch cannot share a read-only one without a warning.

    Returns:
        The tensor, on the CPU.
    """
    array = np.asarray(images)
    return torch.from_numpy(array if array.flags.writeable else array.copy())
