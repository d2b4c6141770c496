"""See images of any number of dimensions as pictures with rows and columns."""

from __future__ import annotations

from torch import Tensor


def as_pictures(images: Tensor) -> Tensor:
    """Give images four axes: a signal becomes one row, and all slices of a volume become channels.

    Args:
        images: N x C x spatial.

    Returns:
        N x C' x H x W, the same values in the same order.

    >>> import torch
    >>> as_pictures(torch.rand(2, 3, 9)).shape, as_pictures(torch.rand(2, 3, 4, 5, 6)).shape
    (torch.Size([2, 3, 1, 9]), torch.Size([2, 12, 5, 6]))
    """
    if images.ndim == 3:
        return images.unsqueeze(2)
    return images.flatten(1, -3)
