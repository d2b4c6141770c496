"""Four common corruptions by blur (out of focus, glass, motion, zoom), and a normal blur."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from striate.nn.borders import surround
from striate.nn.resampling import zoom
from striate.nn.severities import constant, proportion, uniform


def normal_blur(images: Tensor, deviation: float, *, truncate: float = 4.0) -> Tensor:
    """Blur by a normal distribution; the border pixels go on beyond the border.

    Args:
        images: N x C x H x W, floating point.
        deviation: pixels, at least 0; 0 changes nothing.
        truncate: after how many deviations the weights end.

    Returns:
        Of the same shape.

    >>> normal_blur(torch.ones(1, 1, 4, 4), 1.5).allclose(torch.ones(()))
    True
    """
    reach = int(truncate * deviation + 0.5)
    if not reach:
        return images
    places = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    weights = torch.exp(-0.5 * (places / deviation) ** 2)
    weights /= weights.sum()
    planes = images.flatten(0, 1)[:, None]
    around = surround(planes, (reach, reach), (reach, reach), mode="replicate")
    blurred = F.conv2d(F.conv2d(around, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
    return blurred.view(images.shape)


def defocus_blur(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Spread every point over a disk, as a lens out of focus does.

    Args:
        images: N x C x H x W, floating point.
        severity: 1 to 5.
        generator: not used: nothing is drawn.

    Returns:
        Of the same shape.
    """
    del generator
    radius, soft = constant(
        images,
        severity,
        small=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
        large=((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)),
    )
    kernel = resized(disk(radius, soft), proportion(images)).to(images)
    reach = len(kernel) // 2
    planes = images.flatten(0, 1)[:, None]
    around = surround(planes, (reach, reach), (reach, reach), mode="replicate")
    return F.conv2d(around, kernel[None, None]).view(images.shape)


def disk(radius: float, soft: float) -> Tensor:
    """Make the weights of a disk with a soft edge.

    Args:
        radius: pixels.
        soft: deviation of the normal blur of the disk itself, over 0, pixels.

    Returns:
        float32, square with an odd side; the sum is 1.

    >>> disk(1.0, 0.1).mul(5).round().int()[1:4, 1:4].tolist()
    [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    """
    edge = 1 if radius <= 8 else 2
    reach = math.ceil(radius) + edge
    places = torch.arange(-reach, reach + 1, dtype=torch.float32)
    inside = (places[:, None] ** 2 + places**2 <= radius**2).float()
    taps = torch.exp(-0.5 * (torch.arange(-edge, edge + 1) / soft) ** 2)
    taps /= taps.sum()
    softened = F.conv2d(inside[None, None], (taps[:, None] * taps)[None, None], padding=edge)[0, 0]
    return softened / softened.sum()


def resized(kernel: Tensor, factor: float) -> Tensor:
    """Make a kernel wider or narrower: each weight goes to the places around where it comes to lie.

    Args:
        kernel: square with an odd side.
        factor: by which distances from its middle grow, over 0; 1 leaves it as it is.

    Returns:
        Square with an odd side; the sum is 1.

    >>> resized(torch.tensor([[0.0, 0, 0], [0.25, 0.5, 0.25], [0, 0, 0]]), 0.5)[1].tolist()
    [0.125, 0.75, 0.125]
    """
    old, width = len(kernel) // 2, max(1.0, factor)
    # A hat as wide as the distance of its neighbours leaves no gaps between them.
    new = math.ceil(old * factor + width) - 1
    distances = torch.arange(-new, new + 1)[:, None] - factor * torch.arange(-old, old + 1)
    hats = (1 - distances.abs() / width).clamp(min=0)
    found = hats @ kernel @ hats.T
    return found / found.sum()


def glass_blur(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Let pixels show others near them, between two normal blurs, as frosted glass does.

    The paper swaps pixels; the published images were made by a program that copies them, as is done here.

    Args:
        images: N x C x H x W, floating point.
        severity: 1 to 5.
        generator: of the pixels that are shown.

    Returns:
        Of the same shape.
    """
    deviation, reach, rounds = constant(
        images,
        severity,
        small=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        large=((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    )
    deviation *= proportion(images)
    reach = max(1, round(reach * proportion(images)))
    through = _scattered(normal_blur(images, deviation), reach, rounds, generator)
    return normal_blur(through, deviation)


def _scattered(images: Tensor, reach: int, rounds: int, generator: Generator) -> Tensor:
    """Set every pixel to one up to ``reach`` away, from the last pixel to the first.

    The order matters, since what is shown may have been set before. Pixels of one diagonal, as steep as
    they reach, do not see each other, and so they are set at once.
    """
    count, channels, height, width = images.shape
    places = torch.arange(height * width).repeat(count, 1)
    down, across, steep = height - 2 * reach, width - 2 * reach, 2 * reach
    for _ in range(rounds):
        shape = (2, count, down, across)
        drawn = torch.randint(steep, shape, generator=generator, device=generator.device).cpu() - reach
        for diagonal in range(steep * (down - 1) + across):
            first = max(0, -(-(diagonal - across + 1) // steep))
            rows = torch.arange(first, min(down - 1, diagonal // steep) + 1)
            columns = diagonal - steep * rows
            below, beside = drawn[0, :, rows, columns], drawn[1, :, rows, columns]
            here = ((height - reach - rows) * width + width - reach - columns).expand(count, -1)
            there = here + below * width + beside
            places.scatter_(1, here, places.gather(1, there))
    index = places.to(images.device)[:, None].expand(-1, channels, -1)
    return images.flatten(2).gather(2, index).view(images.shape)


def motion_blur(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Spread every point along a line, as a camera that moves does.

    Args:
        images: N x C x H x W, floating point.
        severity: 1 to 5.
        generator: of the directions, within 45 degrees of the horizontal.

    Returns:
        Of the same shape.
    """
    radius, deviation = constant(
        images,
        severity,
        small=((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)),
        large=((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)),
    )
    scale = proportion(images)
    degrees = 90 * uniform((len(images),), images, generator) - 45
    return blurred_along(images, radius * scale, deviation * scale, degrees)


def blurred_along(images: Tensor, radius: float, deviation: float, degrees: Tensor) -> Tensor:
    """Blur images along a line by the half of a normal distribution that is ahead.

    Args:
        images: N x C x H x W, floating point.
        radius: the line has twice as many pixels, and one.
        deviation: of the weights, pixels.
        degrees: N, the direction, from right to down.

    Returns:
        Of the same shape; border pixels go on beyond the border.
    """
    taps = torch.arange(2 * math.ceil(radius) + 1, device=images.device, dtype=images.dtype)
    weights = torch.exp(-0.5 * (taps / deviation) ** 2)
    weights /= weights.sum()
    angles = degrees.to(images) * (math.pi / 180)
    down = torch.ceil(angles.sin()[:, None] * taps - 0.5).long()
    right = torch.ceil(angles.cos()[:, None] * taps - 0.5).long()
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    each = torch.arange(len(images), device=images.device)[:, None, None]
    last = images.permute(0, 2, 3, 1)
    blurred = torch.zeros_like(last)
    for tap, weight in enumerate(weights):
        there = (rows + down[:, tap, None]).clamp(0, height - 1)
        beside = (columns + right[:, tap, None]).clamp(0, width - 1)
        blurred += weight * last[each, there[:, :, None], beside[:, None, :]]
    return blurred.permute(0, 3, 1, 2)


def zoom_blur(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Take the mean over enlargements, as a camera that comes nearer does.

    Args:
        images: N x C x H x W, floating point.
        severity: 1 to 5.
        generator: not used: nothing is drawn.

    Returns:
        Of the same shape.
    """
    del generator
    step, count = constant(
        images,
        severity,
        small=((0.01, 7), (0.01, 12), (0.01, 16), (0.01, 21), (0.01, 26)),
        large=((0.01, 12), (0.01, 16), (0.02, 11), (0.02, 13), (0.03, 11)),
    )
    # The image itself counts twice, as published.
    blurred = 2 * images
    for number in range(1, count):
        blurred = blurred + zoom(images, 1 + step * number, cubic=False)
    return blurred / (count + 1)
