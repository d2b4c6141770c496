"""Go through many images in batches, from memory or from a memory map, as the network takes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.core.errors import LayerError, ShapeError
from striate.core.events import Event, OnEvent, ignore

Images: TypeAlias = Tensor | NDArray[Any]
"""N x C x spatial, uint8 or floating point; an array may be a memory map."""

Prepare: TypeAlias = Callable[[Tensor], Tensor]
"""Turns a batch as it is stored into what the network takes."""

_BATCH_VALUES = 2**21
_LARGEST_BATCH = 256
_SMALLEST_BATCH = 8


def stored(images: Images, rows: slice | Sequence[int]) -> Tensor:
    """Take some images as they are stored.

    Args:
        images: all of them.
        rows: which.

    Returns:
        A tensor of the same type; of an array a copy, since a read-only memory map cannot be a tensor.

    >>> stored(np.zeros((3, 1, 2, 2), np.uint8), slice(0, 2)).shape
    torch.Size([2, 1, 2, 2])
    """
    part: Any = images[rows]
    return part.detach() if isinstance(part, Tensor) else torch.from_numpy(np.array(part))


def as_given(images: Tensor) -> Tensor:
    """Prepare images where nothing else is said: uint8 becomes numbers in [0, 1], the rest stays.

    Args:
        images: a batch as it is stored.

    Returns:
        Floating-point images.

    >>> as_given(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([0., 1.])
    """
    return images.float() / 255 if images.dtype == torch.uint8 else images


def first_batch(images: Images, prepare: Prepare | None) -> Tensor:
    """Check many images, and prepare the first of them.

    Args:
        images: all of them.
        prepare: turns stored images into what the network takes; `as_given` where ``None``.

    Returns:
        1 x C x spatial.

    Raises:
        LayerError: where they are neither a tensor nor an array, or neither uint8 nor floating point.
        ShapeError: where there are none, or they have no channels and spatial axes.
    """
    if not isinstance(images, Tensor | np.ndarray):
        raise LayerError(f"images are of the type {type(images).__name__}, where a tensor or array is wanted")
    if images.ndim < 3 or 0 in images.shape:
        raise ShapeError(
            f"images have the shape {tuple(images.shape)}, where N x C x spatial is wanted, each from 1"
        )
    one = stored(images, slice(0, 1))
    if one.dtype != torch.uint8 and not one.is_floating_point():
        kind = str(one.dtype).removeprefix("torch.")
        raise LayerError(f"images are {kind}, where uint8 or floating point is wanted")
    return (prepare or as_given)(one)


def batch_size(images: Images, batch: int | None) -> int:
    """Say how many images are computed at once.

    Args:
        images: all of them.
        batch: what was asked for; ``None``: as many as have some two million values together, 8 to 256.

    Returns:
        At least 1.

    Raises:
        LayerError: where less than 1 was asked for.

    >>> batch_size(torch.zeros(1, 1, 28, 28), None), batch_size(torch.zeros(1, 3, 512, 512), None)
    (256, 8)
    """
    if batch is not None and batch < 1:
        raise LayerError(f"a batch of {batch} images cannot be; 1 and more can")
    usual = _BATCH_VALUES // math.prod(images.shape[1:])
    return batch or max(_SMALLEST_BATCH, min(_LARGEST_BATCH, usual))


def batches(
    images: Images,
    *,
    prepare: Prepare | None = None,
    batch: int | None = None,
    order: Sequence[int] | None = None,
    what: str = "",
    on_event: OnEvent = ignore,
) -> Iterator[Tensor]:
    """Give many images in batches, as the network takes them, and tell how far the work is.

    Args:
        images: all of them, checked by `first_batch`.
        prepare: turns stored images into what the network takes; `as_given` where ``None``.
        batch: images at once; ``None`` chooses.
        order: which images, one after the other; ``None``: all as they lie.
        what: the work, for the events.
        on_event: is given the progress.

    Yields:
        The batches, of which the last may be smaller.

    >>> [len(part) for part in batches(torch.zeros(5, 1, 4), batch=2)]
    [2, 2, 1]
    """
    size, total = batch_size(images, batch), len(images) if order is None else len(order)
    for start in range(0, total, size):
        # Neighbours in memory are read together, which a memory map is thankful for.
        rows = slice(start, start + size) if order is None else sorted(order[start : start + size])
        yield (prepare or as_given)(stored(images, rows))
        done = min(start + size, total)
        on_event(Event("prepare", {"what": what, "done": done, "total": total, "unit": "images"}))


def class_labels(labels: Tensor | NDArray[Any], images: int) -> Tensor:
    """Check the classes of images.

    Args:
        labels: one whole number from 0 for each image.
        images: how many there are.

    Returns:
        int64 (N) on the CPU.

    Raises:
        ShapeError: where they are other numbers or not as many.

    >>> class_labels(np.array([0, 2]), 2)
    tensor([0, 2])
    """
    found = labels.detach().cpu() if isinstance(labels, Tensor) else torch.from_numpy(np.array(labels))
    if found.shape != (images,) or found.is_floating_point():
        kind = str(found.dtype).removeprefix("torch.")
        raise ShapeError(
            f"labels are {kind} of the shape {tuple(found.shape)}; to {images} images fit whole numbers of "
            f"the shape ({images},)"
        )
    if int(found.min()) < 0:
        raise ShapeError(f"the smallest label is {int(found.min())}, where classes are counted from 0")
    return found.long()
