"""Filters that whiten the patches of the images to be learned: a first layer that need not be trained."""

from __future__ import annotations

import torch
from torch import Tensor

MOST_VALUES = 4_000_000
"""How many values are unfolded into patches at once: patches overlap and so take many times the memory."""


def whitening_filters(images: Tensor, *, kernel: int, stride: int = 1, epsilon: float = 5e-4) -> Tensor:
    """Compute the filters that decorrelate the patches of images and scale them to unit variance.

    The eigenvectors of the patches' covariance, each divided by the root of its eigenvalue (plus
    ``epsilon``); the ones of largest variance first.

    Args:
        images: N x C x H x W, normalised, H and W at least ``kernel``.
        kernel: side of a patch in pixels.
        stride: from one patch to the next, pixels.
        epsilon: added to each eigenvalue, so that directions without variance are not blown up.

    Returns:
        ``C kernel^2`` filters of shape C x kernel x kernel, float32.

    Source: the patch-whitening layer of Page, How to Train Your ResNet (2019), part 8.

    >>> whitening_filters(torch.randn(8, 1, 8, 8), kernel=2).shape
    torch.Size([4, 1, 2, 2])
    """
    channels = images.shape[1]
    length = channels * kernel * kernel
    count = patches_in(images.shape[2], images.shape[3], kernel=kernel, stride=stride)
    covariance = torch.zeros(length, length, dtype=torch.float64, device=images.device)
    for part in torch.split(images, max(1, MOST_VALUES // (count * length))):
        patches = part.unfold(2, kernel, stride).unfold(3, kernel, stride)  # N, C, rows, columns, k, k
        flat = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, length).double()
        covariance += flat.T @ flat
    values, vectors = torch.linalg.eigh(covariance / (len(images) * count))
    filters = (vectors / torch.sqrt(values.clamp(min=0) + epsilon)).T.flip(0)
    whitening: Tensor = filters.float().reshape(-1, channels, kernel, kernel)
    return whitening


def patches_in(height: int, width: int, *, kernel: int, stride: int) -> int:
    """Count the patches of an image.

    Args:
        height: of the image in pixels.
        width: of the image in pixels.
        kernel: side of a patch.
        stride: from one patch to the next.

    Returns:
        How many patches lie wholly in the image.

    >>> patches_in(28, 28, kernel=4, stride=2)
    169
    """
    return ((height - kernel) // stride + 1) * ((width - kernel) // stride + 1)
