"""Whitening filters make the patches of the images they come from uncorrelated and of unit variance."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from striate.nn import whitening_filters


@pytest.mark.parametrize(("channels", "kernel"), [(1, 2), (1, 4), (3, 3)])
def test_responses_have_the_identity_as_covariance(channels, kernel) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(64, channels, 16, 16, generator=generator)
    images = F.avg_pool2d(noise, 3, stride=1, padding=1) + 0.3 * noise  # neighbours are alike, as in photos
    filters = whitening_filters(images, kernel=kernel, epsilon=0.0)
    responses = F.conv2d(images.double(), filters.double()).transpose(0, 1).flatten(1)
    covariance = responses @ responses.T / responses.shape[1]
    assert torch.allclose(covariance, torch.eye(len(filters), dtype=torch.double), atol=1e-4)


def test_the_first_filter_is_of_the_largest_variance_and_flat_directions_are_not_blown_up() -> None:
    images = torch.ones(8, 1, 8, 8) * torch.linspace(-1, 1, 8).view(8, 1, 1, 1)
    filters = whitening_filters(images, kernel=2, epsilon=5e-4)
    assert torch.isfinite(filters).all()
    assert filters.abs().amax() < 1 / 5e-4**0.5 + 1
    assert filters[0].std() < 1e-5  # all weights alike: the mean brightness


def test_images_of_any_size_take_little_memory_and_all_patches_count() -> None:
    images = torch.randn(6, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    biggest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal biggest
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                biggest = max(biggest, result.untyped_storage().nbytes())
            return result

    with Watch():
        filters = whitening_filters(images, kernel=8, stride=2)
    assert biggest < 100 * 2**20
    assert filters.shape == (192, 3, 8, 8)
    flat = images.unfold(2, 8, 2).unfold(3, 8, 2).permute(0, 2, 3, 1, 4, 5).reshape(-1, 192).double()
    whitened = flat @ filters.reshape(192, 192).double().T
    covariance = whitened.T @ whitened / len(flat)
    assert torch.allclose(covariance, torch.eye(192, dtype=torch.double), atol=2e-3)
