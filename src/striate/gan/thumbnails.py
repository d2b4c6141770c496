"""Thumbnails: images from afar, in so few numbers that samples can be compared with a whole training set."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.data.batches import as_tensor
from striate.data.dataset import Labels, Pixels

SIDE = 8
"""Height and width of a thumbnail, pixels; smaller images are their own."""

_BLOCK_VALUES = 1 << 24


def thumbnails(images: Tensor) -> Tensor:
    """Average images over windows, down to 8 x 8 values a channel.

    Two images whose thumbnails are alike have the same shapes in the same places in the same colours. Grain
    and fine texture, of which a generator that does well has less than photos, do not count.

    Args:
        images: N x C x H x W in [0, 1], on any device.

    Returns:
        float32, N x (C * 64), on the CPU.

    >>> thumbnails(torch.ones(2, 3, 32, 32)).shape
    torch.Size([2, 192])
    """
    height, width = images.shape[2:]
    small = F.adaptive_avg_pool2d(images.detach().float(), (min(SIDE, height), min(SIDE, width)))
    return small.flatten(1).cpu()


def thumbnails_of(images: Pixels, rows: Labels) -> Tensor:
    """Make thumbnails of some images of a set, block by block.

    Args:
        images: uint8 of shape (N, C, H, W), perhaps on the disk.
        rows: which; in order, where they are on the disk.

    Returns:
        As `thumbnails`, one row for each.
    """
    at_once = max(1, _BLOCK_VALUES // max(1, math.prod(images.shape[1:])))
    blocks = [rows[start : start + at_once] for start in range(0, len(rows), at_once)]
    return torch.cat([thumbnails(as_tensor(images[block]).float().div_(255)) for block in blocks])
