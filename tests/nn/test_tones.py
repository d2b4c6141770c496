"""Curves are what Pillow makes of the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from striate.nn import equalise, gamma, posterise, solarise, stretch


def _pixels(seed: int, low: int = 0, high: int = 256, shape: tuple[int, ...] = (9, 11, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, shape, dtype=np.uint8)


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def _bytes(images: torch.Tensor) -> np.ndarray:
    return (images[0] * 255).round().byte().permute(1, 2, 0).numpy()


@given(exponent=st.floats(0.1, 8), seed=st.integers(0, 99))
def test_gamma_is_a_power(exponent, seed) -> None:
    images = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    found = gamma(images, torch.tensor([exponent, 1.0]))
    np.testing.assert_allclose(found[0], images[0].double() ** exponent, atol=1e-5)
    torch.testing.assert_close(found[1], images[1])


@pytest.mark.parametrize("bits", range(1, 9))
def test_posterising_is_pillows(bits) -> None:
    pixels = _pixels(bits)
    wanted = np.asarray(ImageOps.posterize(Image.fromarray(pixels), bits))
    assert np.array_equal(_bytes(posterise(_tensor(pixels), torch.tensor([bits]))), wanted)


@pytest.mark.parametrize("threshold", [0, 1, 100, 255, 256])
def test_solarising_is_pillows(threshold) -> None:
    pixels = _pixels(threshold)
    wanted = np.asarray(ImageOps.solarize(Image.fromarray(pixels), threshold))
    found = solarise(_tensor(pixels), torch.tensor([(threshold - 0.5) / 255]))
    assert np.array_equal(_bytes(found), wanted)


@pytest.mark.parametrize(("low", "high"), [(0, 256), (50, 120), (7, 8), (100, 102)])
def test_stretching_is_pillows_to_a_rounding(low, high) -> None:
    pixels = _pixels(1, low, high)
    wanted = np.asarray(ImageOps.autocontrast(Image.fromarray(pixels))).astype(int)
    assert np.abs(_bytes(stretch(_tensor(pixels))).astype(int) - wanted).max() <= 1


@given(seed=st.integers(0, 999), low=st.integers(0, 250), width=st.integers(1, 256), side=st.integers(1, 40))
def test_equalising_is_pillows_to_the_byte(seed, low, width, side) -> None:
    pixels = _pixels(seed, low, min(256, low + width), (side, side, 3))
    wanted = np.asarray(ImageOps.equalize(Image.fromarray(pixels)))
    assert np.array_equal(_bytes(equalise(_tensor(pixels))), wanted)


@pytest.mark.parametrize("change", [stretch, equalise])
def test_channels_and_pictures_are_changed_each_by_itself(change) -> None:
    images = torch.cat([_tensor(_pixels(seed, 20 * seed, 200)) for seed in range(3)])
    together = change(images)
    for number in range(3):
        for channel in range(3):
            alone = change(images[number : number + 1, channel : channel + 1])
            assert together[number, channel].equal(alone[0, 0])


@pytest.mark.parametrize(
    "change",
    [
        lambda x: gamma(x, torch.ones(2)),
        lambda x: posterise(x, torch.tensor([1, 8])),
        lambda x: solarise(x, torch.tensor([0.5, 2.0])),
        stretch,
        equalise,
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_given_is_not_changed_and_what_comes_is_in_range(change, channels) -> None:
    images = torch.rand(2, channels, 8, 8)
    before = images.clone()
    found = change(images)
    assert images.equal(before)
    assert found.shape == images.shape
    assert 0 <= found.min() <= found.max() <= 1
