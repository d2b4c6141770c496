"""Random mirroring and shifting of a whole batch at once, on any device, without host synchronisation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def mirror(images: Tensor, chosen: Tensor) -> Tensor:
    """Mirror some images of a batch left to right.

    Args:
        images: N x C x H x W, any type.
        chosen: N booleans: which ones to mirror.

    Returns:
        A new batch of the same shape.

    >>> mirror(torch.arange(4).view(2, 1, 1, 2), torch.tensor([True, False])).flatten().tolist()
    [1, 0, 2, 3]
    """
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def shift(images: Tensor, offsets: Tensor, *, radius: int) -> Tensor:
    """Shift every image of a batch by its own whole number of pixels.

    What moves in from outside is the image's own border, reflected. Each image is one window of the
    padded batch, so the cost does not grow with the radius.

    Args:
        images: N x C x H x W; ``radius`` must be less than H and W.
        offsets: N x 2 integers in [-radius, radius]: down and right.
        radius: the largest shift, at least 0.

    Returns:
        A new batch of the same shape.

    >>> shift(torch.arange(3).view(1, 1, 1, 3).repeat(1, 1, 2, 1), torch.tensor([[0, 1]]), radius=1)[0, 0, 0]
    tensor([1, 0, 1])
    """
    if radius == 0:
        return images
    height, width = images.shape[2:]
    windows = _pad_by_reflection(images, radius).unfold(2, height, 1).unfold(3, width, 1)
    each = torch.arange(len(images), device=images.device)
    return windows[each, :, radius - offsets[:, 0], radius - offsets[:, 1]]


def gather_warped(images: Tensor, chosen: Tensor, mirrored: Tensor, offsets: Tensor) -> Tensor:
    """Take images out of many, some mirrored, each shifted: `mirror` and then `shift` in one read.

    Every pixel is fetched from where it comes from, so nothing is copied on the way, and a compiler makes one
    kernel of it together with what follows.

    Args:
        images: M x C x H x W, any type.
        chosen: N integers in [0, M): which images.
        mirrored: N booleans: which of these to mirror.
        offsets: N x 2 integers, in size less than H and W: down and right.

    Returns:
        N x C x H x W, channels last in memory.

    >>> row = torch.arange(3).view(1, 1, 1, 3).repeat(1, 1, 2, 1)
    >>> gather_warped(row, torch.tensor([0]), torch.tensor([True]), torch.tensor([[0, 1]]))[0, 0, 0]
    tensor([1, 2, 1])
    """
    height, width = images.shape[2:]
    down = torch.arange(height, device=images.device) - offsets[:, :1]
    right = torch.arange(width, device=images.device) - offsets[:, 1:]
    rows, columns = _reflected(down, height), _reflected(right, width)
    columns = torch.where(mirrored[:, None], width - 1 - columns, columns)
    each = chosen[:, None, None]
    return images.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _reflected(index: Tensor, length: int) -> Tensor:
    """Turn indices that lie less than a length outside back inside, the border itself not repeated."""
    return length - 1 - (length - 1 - index.abs()).abs()


def _pad_by_reflection(images: Tensor, radius: int) -> Tensor:
    # torch pads bytes with constants only, so the border is mirrored in by hand.
    padded = F.pad(images, (radius,) * 4)
    for dimension in (2, 3):
        end = padded.shape[dimension] - 1
        for distance in range(1, radius + 1):
            for edge, inward in ((radius, 1), (end - radius, -1)):
                source = padded.select(dimension, edge + inward * distance)
                padded.select(dimension, edge - inward * distance).copy_(source)
    return padded
