"""The 15 common corruptions: their laws, each by hand where that can be, and what bad input gets."""

from __future__ import annotations

import colorsys
import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from striate.core.errors import LayerError, ShapeError
from striate.nn import CORRUPTIONS, SEVERITIES, corrupt
from striate.nn.blurs import _scattered, blurred_along, disk, normal_blur, resized, zoom_blur
from striate.nn.digital import elastic_transform
from striate.nn.severities import proportion
from striate.nn.weather import plasma

NOT_BY_DISTANCE = ("glass-blur", "frost", "elastic-transform", "pixelate")
"""Of these the published constants do not rise in distance: they move more, or take away what they add to."""


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 3, channels: int = 3, side: int = 32, seed: int = 0) -> torch.Tensor:
    """Make smooth images with edges, over nearly all of [0, 1]."""
    smooth = normal_blur(torch.rand(count, channels, side, side, generator=seeded(seed)), side / 16)
    low, high = smooth.amin((2, 3), keepdim=True), smooth.amax((2, 3), keepdim=True)
    found = 0.05 + 0.9 * (smooth - low) / (high - low)
    found[:, :, side // 4 : side // 2, side // 4 :] *= 0.5
    return found


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 33), (3, 64)])
def test_every_corruption_keeps_its_laws(name, channels, side) -> None:
    images = pictures(2, channels, side)
    before = images.clone()
    for severity in (1, 5):
        found = corrupt(images, name, severity, generator=seeded())
        assert found.shape == images.shape
        assert found.dtype == images.dtype
        assert 0 <= found.min() <= found.max() <= 1
        assert not found.equal(images)
        assert found.equal(corrupt(images, name, severity, generator=seeded()))
    assert images.equal(before)
    assert corrupt(images.bfloat16(), name, 3).dtype == torch.bfloat16


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name not in NOT_BY_DISTANCE])
def test_severities_rise(name, side) -> None:
    images = pictures(4, 3, side)
    changed = [
        (corrupt(images, name, severity, generator=seeded()) - images).abs().mean().item()
        for severity in SEVERITIES
    ]
    assert changed[0] < changed[2] < changed[4]


def test_there_are_fifteen_in_the_order_of_the_paper() -> None:
    assert len(CORRUPTIONS) == 15
    assert list(CORRUPTIONS)[:3] == ["gaussian-noise", "shot-noise", "impulse-noise"]


def test_noises_have_the_published_moments() -> None:
    grey = torch.full((8, 1, 32, 32), 0.5)
    normal = CORRUPTIONS["gaussian-noise"](grey, 3, seeded()) - grey
    assert normal.std().item() == pytest.approx(0.08, rel=0.05)
    counted = CORRUPTIONS["shot-noise"](grey, 5, seeded())
    assert counted.var().item() == pytest.approx(0.5 / 50, rel=0.08)
    assert (counted * 50).allclose((counted * 50).round(), atol=1e-4)
    lost = CORRUPTIONS["impulse-noise"](grey, 5, seeded())
    assert (lost != grey).float().mean().item() == pytest.approx(0.07, rel=0.15)
    assert set(lost.unique().tolist()) == {0.0, 0.5, 1.0}


@pytest.mark.parametrize("deviation", [0.4, 1.0, 3.3])
def test_normal_blur_is_scipys(deviation) -> None:
    images = pictures(1, 1, 20).double()
    wanted = ndimage.gaussian_filter(images[0, 0].numpy(), deviation, mode="nearest", truncate=4.0)
    assert np.allclose(normal_blur(images, deviation)[0, 0].numpy(), wanted, atol=1e-12)


def test_the_disk_of_a_defocus_is_what_it_says() -> None:
    found = disk(3.0, 1e-3)
    inside = sum(x * x + y * y <= 9 for x in range(-3, 4) for y in range(-3, 4))
    assert found[found > 0].unique().tolist() == pytest.approx([1 / inside])
    assert disk(10.0, 0.5).sum().item() == pytest.approx(1)


@pytest.mark.parametrize("factor", [0.2, 0.7, 1.0, 1.5, 2.0])
def test_a_kernel_is_resized_without_gaps(factor) -> None:
    kernel = disk(4.0, 0.5)
    found = resized(kernel, factor)
    assert found.sum().item() == pytest.approx(1)
    assert found.allclose(found.flip(0, 1), atol=1e-7)
    places = torch.arange(len(found)) - len(found) // 2
    assert (found[len(found) // 2][places.abs() <= 4 * factor] > 0.2 * found.max()).all()
    before = torch.arange(len(kernel)) - len(kernel) // 2
    spread, wanted = (
        (each**2 * weights.sum(0)).sum().item() for each, weights in ((places, found), (before, kernel))
    )
    assert spread == pytest.approx(factor**2 * wanted, abs=0.25 * max(1, factor) ** 2)
    if factor == 1:
        assert found.allclose(kernel, atol=1e-7)


@pytest.mark.parametrize(("side", "reach", "rounds"), [(20, 1, 2), (21, 3, 1)])
def test_glass_sets_pixels_one_after_the_other(side, reach, rounds) -> None:
    images = torch.arange(2.0 * side * side).view(2, 1, side, side)
    found = _scattered(images, reach, rounds, seeded(3))
    generator, inside = seeded(3), side - 2 * reach
    wanted = images.clone()
    for _ in range(rounds):
        drawn = torch.randint(2 * reach, (2, 2, inside, inside), generator=generator) - reach
        for number, image in enumerate(wanted[:, 0]):
            for row in range(side - reach, reach, -1):
                for column in range(side - reach, reach, -1):
                    down, right = drawn[:, number, side - reach - row, side - reach - column].tolist()
                    image[row, column] = image[row + down, column + right]
    assert found.equal(wanted)


def test_glass_shows_pixels_of_the_image_where_it_does_not_blur() -> None:
    images = pictures(2, 3, 32)
    found = corrupt(images, "glass-blur", 1, generator=seeded())
    for image, shown in zip(images.flatten(2), found.flatten(2), strict=True):
        assert {tuple(pixel) for pixel in shown.T.tolist()} <= {tuple(pixel) for pixel in image.T.tolist()}


def test_motion_blurs_a_point_along_its_direction() -> None:
    point = torch.zeros(2, 1, 15, 15)
    point[:, 0, 7, 7] = 1
    found = blurred_along(point, 2, 1.0, torch.tensor([0.0, 90.0]))
    weights = torch.tensor([math.exp(-0.5 * tap * tap) for tap in range(5)])
    weights /= weights.sum()
    assert torch.allclose(found[0, 0, 7, 3:8], weights.flip(0), atol=1e-6)
    assert torch.allclose(found[1, 0, 3:8, 7], weights.flip(0), atol=1e-6)
    assert found.sum().item() == pytest.approx(2, abs=1e-5)


def test_zoom_blur_leaves_the_middle() -> None:
    images = pictures(1, 1, 33)
    found = zoom_blur(images, 1, seeded())
    assert found[0, 0, 16, 16].item() == pytest.approx(images[0, 0, 16, 16].item(), abs=1e-5)


def test_brightness_raises_the_value_and_keeps_hue_and_saturation() -> None:
    images = pictures(1, 3, 32)
    found = corrupt(images, "brightness", 2)
    for before, after in zip(images[0].flatten(1).T.tolist(), found[0].flatten(1).T.tolist(), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        assert after == pytest.approx(colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.1)), abs=1e-5)
    assert corrupt(torch.zeros(1, 3, 32, 32), "brightness", 2).unique().item() == pytest.approx(0.1)


def test_contrast_keeps_the_mean_of_each_channel() -> None:
    images = pictures(2, 3, 32)
    found = corrupt(images, "contrast", 5)
    assert torch.allclose(found.mean((2, 3)), images.mean((2, 3)), atol=1e-6)
    assert torch.allclose(found.std((2, 3)), 0.15 * images.std((2, 3)), atol=1e-6)


def test_pixelate_takes_means_of_squares() -> None:
    images = pictures(1, 1, 64)
    found = corrupt(images, "pixelate", 2)
    means = images.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5))
    assert torch.allclose(found[:, :, ::2, ::2], means, atol=1e-6)
    assert found[:, :, ::2, ::2].equal(found[:, :, 1::2, 1::2])


def test_fog_keeps_the_brightest_value_and_snow_and_frost_only_add_light() -> None:
    images = pictures(3, 3, 32)
    fog = CORRUPTIONS["fog"](images, 5, seeded())
    assert (fog.amax((1, 2, 3)) <= images.amax((1, 2, 3)) + 1e-6).all()
    dark = torch.full((3, 1, 32, 32), 0.1)
    for name in ("snow", "fog"):
        assert (corrupt(dark, name, 3, generator=seeded()) <= 1).all()
    assert (corrupt(dark, "snow", 3, generator=seeded()) >= 0.1 - 1e-6).all()
    assert (corrupt(dark, "frost", 1, generator=seeded()) >= 0.1 - 1e-6).all()


def test_plasma_is_smoother_the_larger_its_decay() -> None:
    like = torch.zeros(4, 1, 64, 64)
    rough = [
        plasma(like, decay, seeded()).diff(dim=3).abs().mean().item()
        / plasma(like, decay, seeded()).std().item()
        for decay in (1.2, 1.75, 3.0)
    ]
    assert rough == sorted(rough, reverse=True)
    whole = plasma(like, 2.0, seeded())
    assert whole.amin((1, 2, 3)).tolist() == [0.0] * 4
    assert whole.amax((1, 2, 3)).tolist() == [1.0] * 4


def test_the_elastic_transform_moves_pixels_by_a_few_and_invents_none() -> None:
    columns = torch.linspace(0.2, 0.8, 32).expand(2, 1, 32, 32)
    found = elastic_transform(columns, 5, seeded())
    assert 0.2 <= found.min() <= found.max() <= 0.8 + 1e-6
    # Corners move by up to 0.03 of 32 pixels, and the field by some more.
    assert 0 < (found - columns).abs().mean().item() < 2 * 0.6 / 31


def test_lengths_go_with_the_size() -> None:
    sides = [proportion(torch.zeros(1, 1, side, side)) for side in (28, 32, 64, 224, 448)]
    assert sides == pytest.approx([0.875, 1, 64 / 224, 1, 2])


def test_large_images_take_the_constants_for_large_images() -> None:
    grey = torch.full((1, 1, 224, 224), 0.5)
    found = CORRUPTIONS["gaussian-noise"](grey, 1, seeded()) - grey
    assert found.std().item() == pytest.approx(0.08, rel=0.05)


@pytest.mark.parametrize(
    ("images", "name", "severity", "error", "said"),
    [
        (torch.zeros(1, 3, 32, 32), "snows", 1, LayerError, "did you mean 'snow'"),
        (torch.zeros(1, 3, 32, 32), "snow", 6, LayerError, "1 to 5"),
        (torch.zeros(1, 3, 32, 32), "snow", True, LayerError, "1 to 5"),
        (torch.zeros(1, 2, 32, 32), "snow", 1, ShapeError, "1x2x32x32"),
        (torch.zeros(1, 3, 8, 8), "snow", 1, ShapeError, "16 pixels"),
        (torch.zeros(3, 32, 32), "snow", 1, ShapeError, "N x C x H x W"),
        (torch.full((1, 3, 32, 32), 200.0), "fog", 1, LayerError, "from 200 to 200"),
        (torch.full((1, 3, 32, 32), math.nan), "fog", 1, LayerError, "from nan"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "fog", 1, LayerError, r"images.float\(\) / 255"),
    ],
)
def test_bad_input_is_one_sentence(images, name, severity, error, said) -> None:
    with pytest.raises(error, match=said):
        corrupt(images, name, severity)
