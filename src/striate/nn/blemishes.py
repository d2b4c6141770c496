"""Noise on the pictures of a batch, and rectangles of them filled or taken from others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

TABLE = 1 << 20
"""Draws that are kept at least; a picture takes as many of them as it has values, from a place of its own."""

Box = tuple[int, int, int, int]
"""Rows from and to, and columns from and to, the last ones not included."""


def add_noise(images: Tensor, deviations: Tensor, places: Tensor) -> Tensor:
    """Add normally distributed noise to pictures, each of its own strength.

    The noise is taken out of a table of independent draws, from a random place on. So it follows from the
    place alone, whatever else is in the batch and on whatever device, and costs no more than an addition.

    Args:
        images: N x C x H x W in [0, 1], floating-point; changed in place.
        deviations: N standard deviations, on the CPU; where 0, a picture stays as it is.
        places: N, in [0, 1), on the CPU: where in the table.

    Returns:
        The same tensor, in [0, 1].
    """
    values = images[0].numel() if len(images) else 0
    table = _table(max(TABLE, 2 * values), images.device)
    starts = (places.double() * (len(table) - values)).long().tolist()
    for image, deviation, start in zip(images, deviations.tolist(), starts, strict=True):
        if deviation:
            noise = table[start : start + values].view(image.shape).to(image.dtype)
            image.add_(noise, alpha=deviation).clamp_(0, 1)
    return images


def jitter(values: Tensor, deviations: Tensor, places: Tensor) -> Tensor:
    """Add normally distributed noise to series, volumes or clips, each channel of its own strength.

    The noise is taken as `add_noise` takes it.

    Args:
        values: N x C x spatial, floating-point; changed in place.
        deviations: N x C standard deviations.
        places: N, in [0, 1), on the CPU: where in the table.

    Returns:
        The same tensor.
    """
    count = values[0].numel() if len(values) else 0
    table = _table(max(TABLE, 2 * count), values.device)
    starts = (places.double() * (len(table) - count)).long().tolist()
    for item, strengths, start in zip(values, deviations.to(values), starts, strict=True):
        noise = table[start : start + count].view(item.shape).to(item.dtype)
        item.addcmul_(noise, strengths.view(-1, *(1 for _ in item.shape[1:])))
    return values


def erase(images: Tensor, boxes: Sequence[Box | None], colours: Tensor) -> Tensor:
    """Fill a rectangle of each picture with one colour.

    Args:
        images: N x C x H x W; changed in place.
        boxes: N rectangles; ``None``: the picture stays as it is.
        colours: N x C, of the images' type.

    Returns:
        The same tensor.

    Source: Zhong et al., Random Erasing Data Augmentation, AAAI 2020, section 3; one colour a rectangle.

    >>> erase(torch.zeros(1, 1, 2, 2), [(0, 1, 0, 2)], torch.ones(1, 1)).flatten().tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    colours = colours.to(images)
    for image, box, colour in zip(images, boxes, colours, strict=True):
        if box is not None:
            top, bottom, left, right = box
            image[:, top:bottom, left:right] = colour[:, None, None]
    return images


def paste(images: Tensor, others: Tensor, boxes: Sequence[Box | None]) -> Tensor:
    """Put a rectangle of another picture into each.

    Args:
        images: N x C x H x W; changed in place.
        others: N pictures of the same shape that lie elsewhere in memory.
        boxes: N rectangles; ``None``: the picture stays as it is.

    Returns:
        The same tensor.

    Source: Yun et al., CutMix, ICCV 2019, section 3.
    """
    for image, other, box in zip(images, others, boxes, strict=True):
        if box is not None:
            top, bottom, left, right = box
            image[:, top:bottom, left:right] = other[:, top:bottom, left:right]
    return images


@lru_cache(maxsize=2)
def _table(length: int, device: torch.device) -> Tensor:
    # Drawn on the CPU, so that it is the same on all devices.
    return torch.randn(length, generator=torch.Generator().manual_seed(0)).to(device)
