"""Concepts that pixels and regions show: colours, greys, places in the image, object and background."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.explain.concepts import Concept, ConceptFamily, check_pictures

STRIP = 1 / 12
"""Width of a border, as a share of the side: under 9 % of the pixels, so that units can be told by it."""

OTSU_LEVELS = 64

_HUES = (
    (15, "red"),
    (45, "orange"),
    (65, "yellow"),
    (165, "green"),
    (260, "blue"),
    (300, "purple"),
    (345, "pink"),
    (361, "red"),
)
"""Up to which hue, in degrees, a colour goes."""

COLOURS = ("black", "grey", "white", "red", "orange", "brown", "yellow", "green", "blue", "purple", "pink")
"""The eleven basic colour terms of English (Berlin and Kay 1969)."""

GREYS = ("black", "dark grey", "medium grey", "light grey", "white")

BORDERS = ("the top border", "the bottom border", "the left border", "the right border", "the centre")


def colours() -> ConceptFamily:
    """Find the eleven basic colours in images of three channels; each pixel has exactly one.

    By value v (the largest of R, G and B), saturation s (largest less smallest, over v) and hue h: black
    under v = 0.2; else white (v from 0.8) or grey under s = 0.2; else by hue, where orange and yellow
    under v = 0.6 are brown, and red with s under 0.5 and v from 0.7 is pink.

    Returns:
        The concepts.

    >>> found = colours().find(torch.tensor([0.9, 0.1, 0.1]).view(1, 3, 1, 1))
    >>> COLOURS[int(found.flatten().byte().argmax())]
    'red'
    """
    how = "by fixed bounds of hue, saturation and value"
    return ConceptFamily(tuple(Concept(name, "colour", how) for name in COLOURS), _colours)


def greys() -> ConceptFamily:
    """Find five levels of brightness of equal width in images of one channel; each pixel has exactly one.

    Returns:
        The concepts.

    >>> found = greys().find(torch.tensor([0.5]).view(1, 1, 1, 1))
    >>> GREYS[int(found.flatten().byte().argmax())]
    'medium grey'
    """
    how = "by its value: {} to {}"
    named = enumerate(GREYS)
    concepts = (Concept(name, "brightness", how.format(n / 5, (n + 1) / 5)) for n, name in named)
    return ConceptFamily(tuple(concepts), _greys)


def borders() -> ConceptFamily:
    """Mark places: strips of a twelfth of the side along each border, and the middle quarter of both sides.

    They are the same in every image, so that masks of other images say nothing of chance; a network with
    random weights does.

    Returns:
        The concepts.

    >>> borders().find(torch.zeros(1, 1, 12, 12))[0, 0].sum().item()
    12
    """
    how = "within a twelfth of the side"
    named = [Concept(name, "place", how) for name in BORDERS[:4]]
    centre = Concept(BORDERS[4], "place", "the middle quarter of both sides")
    return ConceptFamily((*named, centre), _borders)


def objects() -> ConceptFamily:
    """Tell object from background in simple images: a background of one colour that reaches the border.

    The background's colour is the median of the outermost pixels, channel by channel. A pixel's distance from
    it is the largest difference of a channel; Otsu's threshold on the distances of the image parts them. An
    image whose distances are all under 0.1 has no object. The outline is the object's pixels of which a
    neighbour, of eight, is background. In a crowded scene this means little.

    Returns:
        The concepts: the object, its background, and its outline.

    Source: Otsu, A threshold selection method from gray-level histograms (1979), with 64 levels.

    >>> image = torch.zeros(1, 1, 8, 8)
    >>> image[..., 2:6, 2:6] = 1.0
    >>> objects().find(image).sum(dim=(0, 2, 3)).tolist()
    [16, 48, 12]
    """
    concepts = (
        Concept("the object", "object", "farther from the border's median colour than Otsu's threshold"),
        Concept("the background", "object", "nearer to the border's median colour than Otsu's threshold"),
        Concept("the object's outline", "object", "pixels of the object beside the background"),
    )
    return ConceptFamily(concepts, _objects)


def border_colour(images: Tensor) -> Tensor:
    """Give the median of the outermost pixels of each image.

    Args:
        images: N x C x H x W.

    Returns:
        N x C x 1 x 1.

    >>> border_colour(torch.ones(2, 3, 4, 4)).shape
    torch.Size([2, 3, 1, 1])
    """
    edges = (images[:, :, 0], images[:, :, -1], images[:, :, :, 0], images[:, :, :, -1])
    return torch.cat(edges, dim=2).median(dim=2).values[:, :, None, None]


def _colours(images: Tensor) -> Tensor:
    check_pictures(images)
    value, chroma, hue = _hue(images)
    saturation = chroma / value.clamp(min=1e-9)
    black = value < 0.2
    pale = ~black & (saturation < 0.2)
    vivid = ~black & ~pale
    found = dict.fromkeys(COLOURS, torch.zeros_like(black))
    found["black"], found["white"], found["grey"] = black, pale & (value >= 0.8), pale & (value < 0.8)
    start = 0
    for end, name in _HUES:
        found[name] = found[name] | (vivid & (hue >= start) & (hue < end))
        start = end
    light = found["red"] & (saturation < 0.5) & (value >= 0.7)
    found["red"], found["pink"] = found["red"] & ~light, found["pink"] | light
    dark = (found["orange"] | found["yellow"]) & (value < 0.6)
    found["orange"], found["yellow"], found["brown"] = found["orange"] & ~dark, found["yellow"] & ~dark, dark
    return torch.stack([found[name] for name in COLOURS], dim=1)


def _hue(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give value, chroma and hue in degrees, each N x H x W."""
    red, green, blue = images.unbind(dim=1)
    value, chroma = images.amax(dim=1), images.amax(dim=1) - images.amin(dim=1)
    wide = chroma.clamp(min=1e-9)
    sixth = torch.where(
        value == red,
        ((green - blue) / wide) % 6,
        torch.where(value == green, (blue - red) / wide + 2, (red - green) / wide + 4),
    )
    return value, chroma, 60 * sixth


def _greys(images: Tensor) -> Tensor:
    check_pictures(images)
    level = (images.mean(dim=1) * len(GREYS)).floor().clamp(0, len(GREYS) - 1)
    return torch.stack([level == number for number in range(len(GREYS))], dim=1)


def _borders(images: Tensor) -> Tensor:
    check_pictures(images)
    height, width = images.shape[2:]
    tall, wide = (max(1, round(STRIP * side)) for side in (height, width))
    rows = torch.arange(height, device=images.device)[:, None].expand(height, width)
    columns = torch.arange(width, device=images.device).expand(height, width)
    central = ((rows + 0.5) / height - 0.5).abs() < 1 / 8
    central &= ((columns + 0.5) / width - 0.5).abs() < 1 / 8
    masks = [rows < tall, rows >= height - tall, columns < wide, columns >= width - wide, central]
    return torch.stack(masks).expand(len(images), -1, -1, -1)


def _objects(images: Tensor) -> Tensor:
    check_pictures(images)
    distance = (images - border_colour(images)).abs().amax(dim=1)
    farthest = distance.amax(dim=(1, 2), keepdim=True)
    levels = (distance / farthest.clamp(min=1e-9) * (OTSU_LEVELS - 1)).round().long()
    objects = (levels > _otsu(levels.flatten(1))[:, None, None]) & (farthest >= 0.1)
    outside = F.pad((~objects).float()[:, None], (1, 1, 1, 1), mode="replicate")
    beside = F.max_pool2d(outside, 3, stride=1)[:, 0] > 0
    return torch.stack([objects, ~objects & (farthest >= 0.1), objects & beside], dim=1)


def _otsu(levels: Tensor) -> Tensor:
    """Give, for each row of levels, the last one of the lower class: where the classes' means differ most."""
    counts = torch.zeros(len(levels), OTSU_LEVELS, device=levels.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels, dtype=counts.dtype))
    total = levels.shape[1]
    below = counts.cumsum(dim=1)
    sums = (counts * torch.arange(OTSU_LEVELS, device=levels.device)).cumsum(dim=1)
    between = (sums[:, -1:] * below - total * sums) ** 2 / (below * (total - below)).clamp(min=1)
    return between.argmax(dim=1)
