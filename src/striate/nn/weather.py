"""Four common corruptions by weather (snow, frost, fog, brighter light), and the plasma of fog."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from striate.nn.blurs import blurred_along
from striate.nn.resampling import zoom
from striate.nn.severities import constant, normal, proportion, uniform

ICE = (0.86, 0.94, 1.0)
"""The colour of frost: red, green, blue."""


def lightness(images: Tensor) -> Tensor:
    """Give how light pixels are: 0.299 red + 0.587 green + 0.114 blue, or the one channel itself.

    Args:
        images: N x C x H x W of 1 or 3 channels.

    Returns:
        N x 1 x H x W.
    """
    if images.shape[1] == 1:
        return images
    weights = torch.tensor((0.299, 0.587, 0.114)).to(images)
    return (images * weights[:, None, None]).sum(dim=1, keepdim=True)


def snow(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Let snow fall before a whitened scene: specks, blurred along their way down.

    Args:
        images: N x C x H x W of 1 or 3 channels, floating point.
        severity: 1 to 5.
        generator: of the flakes and where they fall to.

    Returns:
        Of the same shape, not cut to [0, 1].
    """
    mean, deviation, size, threshold, radius, length, kept = constant(
        images,
        severity,
        small=(
            (0.1, 0.2, 1.0, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1.0, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        large=(
            (0.1, 0.3, 3.0, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2.0, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4.0, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    )
    scale = proportion(images)
    flakes = mean + deviation * normal(images[:, :1].shape, images, generator)
    flakes = zoom(flakes, max(1.0, size * scale), cubic=False)
    flakes = torch.where(flakes < threshold, 0.0, flakes).clamp(0, 1)
    degrees = 90 * uniform((len(images),), images, generator) - 135
    flakes = blurred_along(flakes, radius * scale, length * scale, degrees)
    whitened = torch.maximum(images, 1.5 * lightness(images) + 0.5)
    return kept * images + (1 - kept) * whitened + flakes + flakes.flip(2, 3)


def frost(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Look through a pane with frost: bright veins of ice over clouds of it.

    The published corruption adds photographs of frost; here the frost is made, of two plasmas: where one of
    them crosses its middle is a vein, and the other is the haze between.

    Args:
        images: N x C x H x W of 1 or 3 channels, floating point.
        severity: 1 to 5.
        generator: of the frost.

    Returns:
        Of the same shape, not cut to [0, 1].
    """
    kept, added = constant(
        images,
        severity,
        small=((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        large=((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    )
    veins = (1 - (2 * plasma(images, 1.3, generator) - 1).abs()) ** 4
    haze = plasma(images, 1.5, generator)
    ice = (0.55 * veins + 0.6 * haze).clamp(0, 1)
    if images.shape[1] == 3:
        ice = ice * torch.tensor(ICE).to(images)[:, None, None]
    return kept * images + added * ice


def fog(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Add clouds, and keep the brightest value as bright as it was.

    Args:
        images: N x C x H x W, floating point.
        severity: 1 to 5.
        generator: of the clouds.

    Returns:
        Of the same shape.
    """
    thickness, decay = constant(
        images,
        severity,
        small=((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)),
        large=((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
    )
    brightest = images.amax(dim=(1, 2, 3), keepdim=True)
    clouds = thickness * plasma(images, decay, generator)
    return (images + clouds) * brightest / (brightest + thickness)


def brightness(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Raise the value of hue, saturation and value: the largest of red, green and blue.

    Args:
        images: N x C x H x W in [0, 1], floating point.
        severity: 1 to 5.
        generator: not used: nothing is drawn.

    Returns:
        Of the same shape.
    """
    del generator
    more = constant(images, severity, small=(0.05, 0.1, 0.15, 0.2, 0.3), large=(0.1, 0.2, 0.3, 0.4, 0.5))
    value = images.amax(dim=1, keepdim=True)
    raised = (value + more).clamp(max=1)
    # Hue and saturation stay where all channels grow alike; black has neither.
    return torch.where(value > 0, images * raised / value.clamp(min=1e-12), raised)


def plasma(images: Tensor, decay: float, generator: Generator) -> Tensor:
    """Make clouds for each image: a fractal by midpoint displacement on a torus.

    Between the corners of squares, and then of diamonds, comes their mean and an even displacement, which is
    divided by the square of the decay from one size of squares to the next (as published: there the range and
    a factor before it are both divided by the decay).

    Args:
        images: N x C x H x W; give the size.
        decay: over 1 the clouds are smooth.
        generator: of the displacements.

    Returns:
        N x 1 x H x W in [0, 1]; of the whole square of which it is a part, 0 and 1 are reached.

    Source: Fournier, Fussell and Carpenter, Computer rendering of stochastic models (1982).
    """
    count, _, height, width = images.shape
    side = 1 << max(1, (max(height, width) - 1).bit_length())
    heights = images.new_zeros(count, side, side)
    step, reach = side, 1.0

    def displaced(sums: Tensor, by: float) -> Tensor:
        return sums / 4 + by * (2 * uniform(sums.shape, images, generator) - 1)

    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        pairs = corners + corners.roll(-1, dims=1)
        middles = displaced(pairs + pairs.roll(-1, dims=2), reach)
        heights[:, half::step, half::step] = middles
        along = corners + corners.roll(-1, dims=2) + middles + middles.roll(1, dims=1)
        heights[:, ::step, half::step] = displaced(along, reach)
        across = corners + corners.roll(-1, dims=1) + middles + middles.roll(1, dims=2)
        heights[:, half::step, ::step] = displaced(across, reach)
        step, reach = half, reach / decay**2
    low, high = heights.amin((1, 2), keepdim=True), heights.amax((1, 2), keepdim=True)
    level = (heights - low) / (high - low)
    return level[:, None, :height, :width]
