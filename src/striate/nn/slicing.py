"""The windows of images by slicing and padding alone, which every exporter can say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.geometry import Window
from striate.nn.windows import held


def stacked(images: Tensor, windows: Sequence[Window], size: Sequence[int], *, fill: float) -> Tensor:
    """Stack the elements of all windows.

    Args:
        images: N x C x spatial.
        windows: how they lie, one an axis.
        size: how many there are along each axis.
        fill: what stands where a window has no element of the images.

    Returns:
        Elements of a window x N x C x size.
    """
    padding: list[int] = []
    along = []
    for length, count, window in zip(images.shape[2:], size, windows, strict=True):
        extent = (count - 1) * window.stride + window.reach
        padding[:0] = [window.before, max(0, extent - length - window.before)]
        starts = (number * window.dilation for number in range(window.kernel))
        run = (count - 1) * window.stride + 1
        along.append([slice(start, start + run, window.stride) for start in starts])
    padded = F.pad(images, padding, value=fill)
    return torch.stack([padded[:, :, *element] for element in product(*along)])


def elements_held(images: Tensor, windows: Sequence[Window], size: Sequence[int]) -> Tensor:
    """Count the elements of the images that each window holds.

    Args:
        images: N x C x spatial.
        windows: how they lie, one an axis.
        size: how many there are along each axis.

    Returns:
        Whole numbers, of the size.
    """
    counts = torch.ones((), dtype=torch.int64, device=images.device)
    for length, count, window in zip(images.shape[2:], size, windows, strict=True):
        starts = (output * window.stride - window.before for output in range(count))
        along = [len(held(length, start, window)) for start in starts]
        counts = counts[..., None] * torch.tensor(along, device=images.device)
    return counts
