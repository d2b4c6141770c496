"""Whitening filters make the patches of the images they come from uncorrelated and of unit variance."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

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
