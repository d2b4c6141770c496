"""The views of an image over which logits are averaged: itself, mirrored, and both shifted a little."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def views(images: Tensor, *, mirrored: bool, shifted: int) -> list[tuple[float, Tensor]]:
    """Give the views of images, each with its share of the mean.

    Args:
        images: N x C x H x W; of series and volumes only mirrored views, along their last axis.
        mirrored: whether every view is also looked at mirrored, at the same share.
        shifted: pixels by which images are also looked at up and left, and down and right, with a quarter of
            the share each; what moves in is the image's own border, reflected. 0: not shifted.

    Returns:
        One, two, three or six pairs of a share and N x C x H x W; the shares sum to 1.

    >>> import torch
    >>> [share for share, _ in views(torch.zeros(1, 1, 4, 4), mirrored=True, shifted=1)]
    [0.25, 0.25, 0.125, 0.125, 0.125, 0.125]
    """
    found = [(1.0, images)]
    if shifted:
        height, width = images.shape[2:]
        padded = F.pad(images, (shifted,) * 4, mode="reflect")
        corners = (padded[:, :, start : start + height, start : start + width] for start in (0, 2 * shifted))
        found = [(0.5, images), *((0.25, corner) for corner in corners)]
    if mirrored:
        found = [(share / 2, view) for share, each in found for view in (each, each.flip(-1))]
    return found
