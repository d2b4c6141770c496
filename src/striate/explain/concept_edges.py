"""Concepts that differences of neighbouring pixels show: edges by direction, corners, textures by grain."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.explain.concepts import Concept, ConceptFamily, Sliced, check_pictures, taken
from striate.nn.filters import FixedFilter

EDGES = ("vertical edges", "falling edges (\\)", "horizontal edges", "rising edges (/)")
TEXTURES = ("fine texture", "medium texture", "coarse texture")

EDGE_SHARE, CORNER_SHARE, TEXTURE_SHARE = 0.1, 0.02, 0.05
"""Which share of all pixels, the strongest, counts as an edge, as a corner, and as each texture."""

_FAINTEST = 0.01  # a difference of pixels in [0, 1] under which there is no edge, however even the images are
_SAMPLE = 256
_SAMPLE_PIXELS = 2**22
_LIGHTNESS = (0.299, 0.587, 0.114)
_SCHARR = 32.0  # its positive weights times 2: from pixel to pixel


def edges(images: Sliced) -> ConceptFamily:
    """Find edges by direction: pixels at which brightness changes most, and along which line.

    The gradient (gx, gy) of the brightness is that of Scharr's filters; the tenth of all pixels of the given
    images with the largest |gradient| are edges, and each has the one of four directions, 45 degrees wide,
    that is nearest. A dark-to-light and a light-to-dark edge of one direction are the same concept.

    Args:
        images: in [0, 1], or uint8: what is strong is decided on some hundreds of these.

    Returns:
        The concepts.

    >>> image = torch.zeros(1, 1, 8, 8)
    >>> image[..., 4:, :] = 1.0
    >>> found = edges(image).find(image).sum(dim=(0, 2, 3))
    >>> EDGES[int(found.argmax())]
    'horizontal edges'
    """
    strength = _of_sample(images, lambda sample: torch.hypot(*_gradient(_brightness(sample))))
    least = _exceeded_by(EDGE_SHARE, strength, _FAINTEST)
    how = f"gradient over {least:.3g}, the strongest tenth of the pixels, by its direction"

    def find(batch: Tensor) -> Tensor:
        across, up = _gradient(_brightness(batch))
        # Half a turn is the same edge seen from its other side.
        angle = torch.atan2(up, across) % math.pi
        direction = (angle / (math.pi / len(EDGES))).round().long() % len(EDGES)
        strong = torch.hypot(across, up) > least
        return torch.stack([strong & (direction == number) for number in range(len(EDGES))], dim=1)

    return ConceptFamily(tuple(Concept(name, "edge", how) for name in EDGES), find)


def corners(images: Sliced) -> ConceptFamily:
    """Find corners: places around which brightness changes in both directions.

    The smaller eigenvalue of the structure tensor, the mean of [gx gx, gx gy; gx gy, gy gy] over 5x5 pixels,
    is large there; the fiftieth of all pixels of the given images where it is largest are corners.

    Args:
        images: in [0, 1], or uint8: what is strong is decided on some hundreds of these.

    Returns:
        The concept.

    Source: Shi and Tomasi, Good features to track (1994).

    >>> image = torch.zeros(1, 1, 16, 16)
    >>> image[..., 8:, 8:] = 1.0
    >>> found = corners(image).find(image)[0, 0].nonzero().float().mean(dim=0)
    >>> bool((found - 7.5).abs().max() < 2)
    True
    """
    least = _exceeded_by(CORNER_SHARE, _of_sample(images, _cornerness), _FAINTEST**2)
    how = f"smaller eigenvalue of the structure tensor over {least:.3g}, the strongest fiftieth of the pixels"

    def find(batch: Tensor) -> Tensor:
        return (_cornerness(batch) > least)[:, None]

    return ConceptFamily((Concept("corners", "corner", how),), find)


def textures(images: Sliced) -> ConceptFamily:
    """Find textures by their grain: where brightness varies most, in three bands of frequency.

    A band is the difference of two Gaussian blurs of the brightness, of deviations 0 and 1, 1 and 2, 2 and 4
    pixels: waves of about 3, 8 and 16 pixels. Its square, blurred by twice the larger deviation, is the local
    energy; the twentieth of all pixels of the given images where that is largest has the texture. A strong
    edge by itself has energy in all bands.

    Args:
        images: in [0, 1], or uint8: what is strong is decided on some hundreds of these.

    Returns:
        The concepts.

    >>> image = torch.zeros(1, 1, 32, 32)
    >>> image[..., :8, ::2] = 1.0
    >>> rows = textures(image).find(image)[0, 0].nonzero()[:, 0]
    >>> bool(rows.float().mean() < 8)
    True
    """
    energies = _of_sample(images, _energies)
    least = [_exceeded_by(TEXTURE_SHARE, energies[:, band], _FAINTEST**2) for band in range(len(TEXTURES))]
    how = "energy between blurs of {} and {} pixels over {:.3g}, the strongest twentieth of the pixels"
    deviations = ((0, 1), (1, 2), (2, 4))
    concepts = tuple(
        Concept(name, "texture", how.format(*between, bound))
        for name, between, bound in zip(TEXTURES, deviations, least, strict=True)
    )

    def find(batch: Tensor) -> Tensor:
        return _energies(batch) > torch.tensor(least, device=batch.device)[:, None, None]

    return ConceptFamily(concepts, find)


def blurred(images: Tensor, deviation: float) -> Tensor:
    """Blur images by a Gaussian; border pixels go on beyond the border.

    Args:
        images: N x C x H x W of any size.
        deviation: of the Gaussian, pixels, over 0.

    Returns:
        Images of the same shape.

    >>> torch.allclose(blurred(torch.ones(1, 1, 4, 4), 2.0), torch.ones(1, 1, 4, 4))
    True
    """
    half = math.ceil(3 * deviation)
    places = torch.arange(-half, half + 1, device=images.device, dtype=images.dtype)
    weights = torch.exp(-(places**2) / (2 * deviation**2))
    weights = weights / weights.sum()
    count, channels, height, width = images.shape
    planes = images.reshape(count * channels, 1, height, width)
    planes = F.conv2d(F.pad(planes, (half, half, 0, 0), mode="replicate"), weights.view(1, 1, 1, -1))
    planes = F.conv2d(F.pad(planes, (0, 0, half, half), mode="replicate"), weights.view(1, 1, -1, 1))
    return planes.reshape(images.shape)


def _brightness(images: Tensor) -> Tensor:
    check_pictures(images)
    if images.shape[1] == 1:
        return images
    return (images * images.new_tensor(_LIGHTNESS)[:, None, None]).sum(dim=1, keepdim=True)


def _gradient(brightness: Tensor) -> tuple[Tensor, Tensor]:
    """Give the change to the right and the change upwards, from pixel to pixel, each N x H x W."""
    across, up = (FixedFilter(name).to(brightness)(brightness) for name in ("scharr-x", "scharr-y"))
    return across[:, 0] / _SCHARR, up[:, 0] / _SCHARR


def _cornerness(images: Tensor) -> Tensor:
    across, up = _gradient(_brightness(images))
    products = torch.stack([across * across, up * up, across * up], dim=1)
    means: Tensor = FixedFilter("gaussian-blur").to(products)(products)
    xx, yy, xy = means.unbind(dim=1)
    return (xx + yy) / 2 - torch.hypot((xx - yy) / 2, xy)


def _energies(images: Tensor) -> Tensor:
    brightness = _brightness(images)
    blurs = [brightness, *(blurred(brightness, deviation) for deviation in (1.0, 2.0, 4.0))]
    bands = [
        blurred((finer - coarser) ** 2, 2.0 * deviation)
        for finer, coarser, deviation in zip(blurs, blurs[1:], (1.0, 2.0, 4.0), strict=False)
    ]
    return torch.cat(bands, dim=1)


def _of_sample(images: Sliced, measure: Callable[[Tensor], Tensor]) -> Tensor:
    """Measure some hundreds of images, spread over all of them."""
    first = taken(images, slice(0, 1))
    check_pictures(first)
    pixels = first.shape[2] * first.shape[3]
    count = max(1, min(_SAMPLE, _SAMPLE_PIXELS // pixels))
    return measure(taken(images, slice(None, None, math.ceil(len(images) / count))))


def _exceeded_by(share: float, strengths: Tensor, least: float) -> float:
    """Give the bound that a share of the values exceeds, at least a given one."""
    values = strengths.flatten()
    kept = max(1, math.floor(share * len(values)))
    # A little less, so that equal values, which even images have many of, are over it together.
    return max(least, 0.9999 * values.topk(kept).values[-1].item())
