"""JPEG without files gives what Pillow gives by way of one."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from striate.core.errors import LayerError, ShapeError
from striate.nn import jpeg
from striate.nn.blurs import normal_blur


def picture(channels: int, height: int, width: int) -> torch.Tensor:
    """Make something smooth with edges and a little noise, in bytes."""
    generator = torch.Generator().manual_seed(height)
    noise = torch.rand(1, channels, height, width, generator=generator)
    smooth = normal_blur(noise, 3.0)
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    smooth[:, :, height // 3 :, : width // 2] *= 0.6
    return ((0.9 * smooth + 0.1 * noise) * 255).round() / 255


def by_pillow(image: torch.Tensor, quality: int) -> np.ndarray:
    pixels = (image[0] * 255).round().byte().permute(1, 2, 0).squeeze(2).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    decoded = np.asarray(Image.open(file))
    return np.moveaxis(decoded[:, :, None] if decoded.ndim == 2 else decoded, 2, 0)


@pytest.mark.parametrize("quality", [7, 40, 75, 95])
@pytest.mark.parametrize("size", [(32, 32), (33, 45)])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_what_pillow_makes_of_it(channels, size, quality) -> None:
    image = picture(channels, *size)
    found = (jpeg(image, quality)[0] * 255).numpy()
    apart = np.abs(found - by_pillow(image, quality))
    changed = np.abs(found - image[0].numpy() * 255)
    # A cosine next to the half between two steps of its table may be rounded otherwise, which a block shows.
    assert np.median(apart) <= 1
    assert apart.mean() < 0.2 * changed.mean() + 0.15


def test_lower_quality_loses_more() -> None:
    image = picture(3, 48, 40)
    lost = [(jpeg(image, quality) - image).abs().mean().item() for quality in (95, 75, 40, 10, 1)]
    assert lost == sorted(lost)


def test_images_of_a_batch_do_not_mix_and_formats_do_not_matter() -> None:
    images = torch.cat([picture(3, 20, 24), 1 - picture(3, 20, 24)])
    both = jpeg(images.contiguous(memory_format=torch.channels_last), 30)
    assert both.equal(torch.cat([jpeg(images[:1], 30), jpeg(images[1:], 30)]))
    assert jpeg(images.double(), 30).dtype == torch.float64


@pytest.mark.parametrize("quality", [0, 101, 50.0, True])
def test_other_qualities_are_refused(quality) -> None:
    with pytest.raises(LayerError, match="1 to 100"):
        jpeg(torch.zeros(1, 1, 8, 8), quality)


@pytest.mark.parametrize("shape", [(1, 2, 8, 8), (8, 8), (1, 1, 8), (0, 1, 8, 8)])
def test_other_images_are_refused(shape) -> None:
    with pytest.raises(ShapeError, match="1 or 3 channels"):
        jpeg(torch.zeros(shape), 50)
