"""Filters that whiten the patches of the images to be learned: a first layer that need not be trained."""

from __future__ import annotations

import torch
from torch import Tensor


def whitening_filters(images: Tensor, *, kernel: int, epsilon: float = 5e-4) -> Tensor:
    """Compute the filters that decorrelate the patches of images and scale them to unit variance.

    The eigenvectors of the patches' covariance, each divided by the root of its eigenvalue (plus
    ``epsilon``); the ones of largest variance first.

    Args:
        images: N x C x H x W, normalised, H and W at least ``kernel``.
        kernel: side of a patch in pixels.
        epsilon: added to each eigenvalue, so that directions without variance are not blown up.

    Returns:
        ``C kernel^2`` filters of shape C x kernel x kernel, float32.

    Source: the patch-whitening layer of Page, How to Train Your ResNet (2019), part 8.

    >>> whitening_filters(torch.randn(8, 1, 8, 8), kernel=2).shape
    torch.Size([4, 1, 2, 2])
    """
    channels = images.shape[1]
    patches = images.unfold(2, kernel, 1).unfold(3, kernel, 1)  # N, C, H', W', kernel, kernel
    flat = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, channels * kernel * kernel).double()
    values, vectors = torch.linalg.eigh(flat.T @ flat / len(flat))
    filters = (vectors / torch.sqrt(values.clamp(min=0) + epsilon)).T.flip(0)
    whitening: Tensor = filters.float().reshape(-1, channels, kernel, kernel)
    return whitening
