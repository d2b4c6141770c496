"""The automatic policy does what TrivialAugment does: each change is as strong as Pillow's of that level."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from striate.data.policy import Policy
from striate.data.trivial import CHOICES, LEVELS, Trivial

SIDE = 40


def _draws(name: str, level: int, sign: int) -> torch.Tensor:
    """What must be drawn for a change of a level."""
    chosen = (CHOICES.index(name) + 0.5) / len(CHOICES)
    return torch.tensor([[2 * chosen - 1, 2 * (level + 0.5) / LEVELS - 1, 0.5 * sign]], dtype=torch.float64)


def _made(pixels: np.ndarray, name: str, level: int, sign: int) -> np.ndarray:
    policy = Policy(flip=False, shift=0, changes=(Trivial(),))
    draws = policy.draw(torch.zeros(1, dtype=torch.bool), torch.Generator())
    draws = type(draws)(draws.mirrored, draws.moved, (_draws(name, level, sign),))
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    return policy.change(images, draws)[0].permute(1, 2, 0).numpy().astype(float)


@pytest.fixture
def pixels() -> np.ndarray:
    """A smooth picture of moderate contrast, so that rounding and cutting make little difference."""
    down, right = np.mgrid[:SIDE, :SIDE] / SIDE
    waves = [np.sin(4 * down + 3 * right + phase) for phase in (0, 1, 2)]
    return np.stack([128 + 40 * wave for wave in waves], axis=2).round().astype(np.uint8)


def _affine(picture: Image.Image, *coefficients: float) -> Image.Image:
    a, b, c, d, e, f = coefficients
    middle = SIDE / 2
    moved = (a, b, c + middle - a * middle - b * middle, d, e, f + middle - d * middle - e * middle)
    return picture.transform(picture.size, Image.Transform.AFFINE, moved, Image.Resampling.BILINEAR)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("level", [0, 9, 30])
@pytest.mark.parametrize(
    ("name", "by_pillow"),
    [
        ("nothing", lambda picture, _: picture),
        ("brightness", lambda picture, amount: ImageEnhance.Brightness(picture).enhance(1 + 0.99 * amount)),
        ("contrast", lambda picture, amount: ImageEnhance.Contrast(picture).enhance(1 + 0.99 * amount)),
        ("saturation", lambda picture, amount: ImageEnhance.Color(picture).enhance(1 + 0.99 * amount)),
        ("sharpness", lambda picture, amount: ImageEnhance.Sharpness(picture).enhance(1 + 0.99 * amount)),
        ("posterise", lambda picture, amount: ImageOps.posterize(picture, 8 - round(6 * abs(amount)))),
        ("stretch", lambda picture, _: ImageOps.autocontrast(picture)),
        ("equalise", lambda picture, _: ImageOps.equalize(picture)),
    ],
)
def test_values_change_as_in_pillow(pixels, name, by_pillow, level, sign) -> None:
    wanted = np.asarray(by_pillow(Image.fromarray(pixels), sign * level / 30)).astype(float)
    assert np.abs(_made(pixels, name, level, sign) - wanted).max() <= 3


@pytest.mark.parametrize("level", [0, 9, 30])
def test_lights_are_inverted_from_the_threshold_on(pixels, level) -> None:
    wanted = np.asarray(ImageOps.solarize(Image.fromarray(pixels), 255 - 255 * level / 30)).astype(float)
    found = _made(pixels, "solarise", level, 1)
    assert (np.abs(found - wanted) > 1).mean() < 0.02


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("level", [0, 7, 20])
def test_places_change_as_in_pillow(pixels, level, sign) -> None:
    picture, amount = Image.fromarray(pixels), sign * level / 30
    moved = amount * SIDE / 7
    wanted = {
        "shear right": _affine(picture, 1, 0.99 * amount, 0, 0, 1, 0),
        "shear down": _affine(picture, 1, 0, 0, 0.99 * amount, 1, 0),
        "shift right": _affine(picture, 1, 0, -moved, 0, 1, 0),
        "shift down": _affine(picture, 1, 0, 0, 0, 1, -moved),
        "turn": picture.rotate(135 * amount, Image.Resampling.BILINEAR),
    }
    for name, expected in wanted.items():
        inner = slice(14, 26)  # what comes in from outside is the mirror image here, and black there
        made = _made(pixels, name, level, sign)[inner, inner]
        assert np.abs(made - np.asarray(expected).astype(float)[inner, inner]).max() <= 2, name


def test_every_change_and_level_is_drawn_about_equally_often() -> None:
    change = Trivial()
    chosen, amounts = change._read(change.draw(28_000, torch.Generator().manual_seed(0)))
    counts = torch.bincount(chosen, minlength=len(CHOICES))
    assert (counts - 2000).abs().max() < 4 * 2000**0.5
    levels = torch.bincount((amounts.abs() * 30).round().long(), minlength=LEVELS)
    assert (levels - 28_000 / 31).abs().max() < 4 * (28_000 / 31) ** 0.5
    assert abs(float((amounts < 0).double().mean()) - 0.5 * 30 / 31) < 0.02


def test_images_that_are_not_chosen_get_nothing() -> None:
    chosen, _ = Trivial()._read(torch.zeros(1, 3, dtype=torch.float64))
    assert CHOICES[int(chosen)] == "nothing"
