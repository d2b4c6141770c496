"""Thumbnails are window means, the same however the images are read."""

import numpy as np
import torch

from striate.gan.thumbnails import SIDE, thumbnails, thumbnails_of


def test_they_are_the_means_of_windows():
    images = torch.rand(3, 2, 32, 16, generator=torch.Generator().manual_seed(0))
    found = thumbnails(images).reshape(3, 2, SIDE, SIDE)
    by_hand = images.numpy().reshape(3, 2, SIDE, 4, SIDE, 2).mean(axis=(3, 5))
    np.testing.assert_allclose(found.numpy(), by_hand, rtol=1e-6)


def test_small_images_are_their_own():
    images = torch.rand(4, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(thumbnails(images), images.flatten(1))


def test_blocks_change_nothing(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 28, 28)).astype(np.uint8)
    rows = np.array([3, 0, 19, 7, 7])
    whole = thumbnails(torch.from_numpy(images[rows]).float() / 255)
    monkeypatch.setattr("striate.gan.thumbnails._BLOCK_VALUES", 2 * 3 * 28 * 28)
    assert torch.allclose(thumbnails_of(images, rows), whole)


def test_grain_counts_for_little_and_shape_for_much():
    generator = torch.Generator().manual_seed(0)
    image = torch.zeros(1, 1, 28, 28)
    image[..., :14] = 1
    grainy = (image + 0.1 * torch.randn(1, 1, 28, 28, generator=generator)).clamp(0, 1)
    shifted = image.roll(4, dims=3)

    def apart(other: torch.Tensor) -> float:
        return float((thumbnails(image) - thumbnails(other)).norm())

    assert apart(grainy) < 0.2 * apart(shifted)
