"""Colours change as in Pillow, but for its rounding, and hue turns about the greys."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from striate.nn import recolour
from striate.nn.colours import LUMA


def _mid(channels: int = 3, count: int = 1) -> torch.Tensor:
    """Pictures whose values stay in [0, 1] under moderate changes."""
    generator = torch.Generator().manual_seed(channels)
    return torch.randint(90, 150, (count, channels, 12, 10), generator=generator).float() / 255


def _changed(images: torch.Tensor, brightness=1.0, contrast=1.0, saturation=1.0, hue=0.0) -> torch.Tensor:
    each = [torch.full((len(images),), value) for value in (brightness, contrast, saturation, hue)]
    names = ("brightness", "contrast", "saturation", "hue")
    return recolour(images, **dict(zip(names, each, strict=True)))


@pytest.mark.parametrize(
    ("name", "enhance"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("saturation", ImageEnhance.Color),
    ],
)
@pytest.mark.parametrize("factor", [0.0, 0.7, 1.0, 1.5])
@pytest.mark.parametrize("channels", [1, 3])
def test_one_change_is_pillows_to_a_rounding(name, enhance, factor, channels) -> None:
    images = _mid(channels)
    pixels = (images[0] * 255).round().byte().permute(1, 2, 0).numpy()
    picture = Image.fromarray(pixels if channels == 3 else pixels[:, :, 0])
    wanted = np.asarray(enhance(picture).enhance(factor)).reshape(12, 10, channels)
    found = (_changed(images, **{name: factor})[0] * 255).permute(1, 2, 0).numpy()
    # Pillow rounds the mean, the grey and the result.
    assert np.abs(found - wanted).max() <= 2.0 + abs(1 - factor)


@given(
    factors=st.tuples(*[st.floats(0.7, 1.3)] * 3),
    hue=st.floats(-0.1, 0.1),
    seed=st.integers(0, 999),
)
def test_one_matrix_is_the_steps_one_after_the_other(factors, hue, seed) -> None:
    brightness, contrast, saturation = factors
    pixels = np.random.default_rng(seed).uniform(0.4, 0.6, (3, 6, 5))
    weights = np.array(LUMA)
    found = _changed(torch.tensor(pixels)[None], brightness, contrast, saturation, hue)[0].numpy()
    stepped = brightness * pixels
    grey = np.tensordot(weights, stepped, 1).mean()
    stepped = contrast * stepped + (1 - contrast) * grey
    stepped = saturation * stepped + (1 - saturation) * np.tensordot(weights, stepped, 1)
    to_yiq = np.array([LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])
    luma, in_phase, quadrature = np.tensordot(to_yiq, stepped, 1)
    turned = (in_phase + 1j * quadrature) * np.exp(-2j * np.pi * hue)
    stepped = np.tensordot(np.linalg.inv(to_yiq), np.stack([luma, turned.real, turned.imag]), 1)
    np.testing.assert_allclose(found, stepped.clip(0, 1), atol=1e-6)


def test_hue_goes_from_red_to_yellow_and_keeps_greys_and_luma() -> None:
    red = torch.tensor([0.6, 0.3, 0.3]).view(1, 3, 1, 1)
    for share in (0.02, 0.05, 0.1):
        hue, _, _ = colorsys.rgb_to_hsv(*_changed(red, hue=share).flatten().tolist())
        assert hue == pytest.approx(share, abs=0.03)
    grey = torch.full((1, 3, 2, 2), 0.4)
    torch.testing.assert_close(_changed(grey, hue=0.3), grey)
    pixels = 0.4 + 0.2 * torch.rand(1, 3, 5, 5)
    weights = torch.tensor(LUMA).view(1, 3, 1, 1)
    luma = (_changed(pixels, hue=0.2) * weights).sum(dim=1)
    torch.testing.assert_close(luma, (pixels * weights).sum(dim=1))
    torch.testing.assert_close(_changed(pixels, hue=1.0), pixels)
    torch.testing.assert_close(_changed(_changed(pixels, hue=0.1), hue=-0.1), pixels)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_pictures_without_colours_have_no_saturation_or_hue(channels) -> None:
    images = _mid(channels)
    torch.testing.assert_close(_changed(images, saturation=0.0, hue=0.3), images)
    contrast = 0.5 * images + 0.5 * images.mean(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(_changed(images, contrast=0.5), contrast)


@pytest.mark.parametrize("channels", [1, 3])
def test_values_are_cut_once_at_the_end_and_every_picture_has_its_own_amounts(channels) -> None:
    images = torch.rand(3, channels, 6, 6)
    bright = _changed(images, brightness=3.0)
    assert bright.max() == 1
    one = torch.ones(3)
    # Twice as bright and then of no contrast: the mean of what would have been cut.
    flat = recolour(images, brightness=2 * one, contrast=0 * one, saturation=one, hue=0 * one)
    weights = torch.tensor(LUMA) if channels == 3 else torch.ones(1)
    grey = 2 * torch.einsum("nchw,c->n", images, weights) / 36
    torch.testing.assert_close(flat, grey.clamp(max=1).view(3, 1, 1, 1).expand_as(images))
    mixed = recolour(
        images, brightness=torch.tensor([0.5, 1.0, 0.0]), contrast=one, saturation=one, hue=0 * one
    )
    torch.testing.assert_close(mixed[0], images[0] / 2)
    torch.testing.assert_close(mixed[1], images[1])
    assert mixed[2].max() < 1e-6


def test_both_orders_of_memory_give_the_same() -> None:
    images = torch.rand(2, 3, 6, 6)
    last = images.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(_changed(last, 0.9, 1.1, 0.7, 0.1), _changed(images, 0.9, 1.1, 0.7, 0.1))
