"""Pictures made for dissection: textures and shapes of known masks on an uneven ground, for any network."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from striate.core.errors import ShapeError
from striate.core.seeds import derive
from striate.explain.concept_edges import blurred
from striate.explain.concepts import Concept, ConceptSet

PATTERNS = (
    "horizontal stripes",
    "vertical stripes",
    "falling stripes (\\)",
    "rising stripes (/)",
    "checkerboards",
    "dots",
    "rings",
    "noise",
    "plain discs",
    "plain squares",
)

_REGIONS = 3  # in each image
_SMALLEST = 12


def generated_patterns(
    count: int, shape: tuple[int, int, int], *, generator: Generator | None = None
) -> tuple[Tensor, ConceptSet]:
    """Make pictures of textures and shapes with their masks.

    On a ground of one colour with soft shading lie three patches of a quarter to a half of the sides, each
    filled with one pattern of two other colours, at a period from 3 pixels to a sixth of the side; what lies
    over another hides it. Plain discs and squares have one colour, and their mask is the shape.

    Args:
        count: how many pictures.
        shape: channels (1 or 3), height and width, of at least 12 pixels.
        generator: of all that is random; by default the same each time.

    Returns:
        Pictures in [0, 1], count x C x H x W, and the concepts with their masks.

    Raises:
        ShapeError: where there is no picture, or the shape cannot be drawn in.

    >>> pictures, concepts = generated_patterns(4, (3, 32, 32))
    >>> pictures.shape, concepts.masks[0:4].shape[1] == len(concepts.concepts)
    (torch.Size([4, 3, 32, 32]), True)
    """
    channels, height, width = shape
    if count < 1 or channels not in (1, 3) or min(height, width) < _SMALLEST:
        raise ShapeError(
            f"{count} pictures of {channels}x{height}x{width} cannot be made; at least 1 picture of 1 or 3 "
            f"channels and {_SMALLEST}x{_SMALLEST} pixels can"
        )
    if generator is None:
        generator = Generator().manual_seed(derive(0, "patterns"))
    draw = _Draw(generator, count)
    shading = blurred(draw.between(-1, 1, 1, height, width), max(height, width) / 8)
    pictures = draw.between(0.1, 0.9, channels, 1, 1) + 2 * shading
    masks = torch.zeros(count, len(PATTERNS), height, width, dtype=torch.bool)
    each = torch.arange(count)
    for _ in range(_REGIONS):
        kind = torch.randint(len(PATTERNS), (count,), generator=generator, device=generator.device).cpu()
        inside, light = _patch(draw, kind, height, width)
        dark, bright = (draw.between(0, 1, channels, 1, 1) for _ in range(2))
        filled = torch.where(light[:, None], bright, dark)
        pictures = torch.where(inside[:, None], filled, pictures)
        masks &= ~inside[:, None]
        masks[each, kind] |= inside
    how = "drawn: three patches in each picture, of known masks"
    categories = ["shape" if name.startswith("plain") else "texture" for name in PATTERNS]
    named = zip(PATTERNS, categories, strict=True)
    concepts = tuple(Concept(name, category, how) for name, category in named)
    return pictures.clamp(0, 1), ConceptSet(concepts, masks)


class _Draw:
    """Uniform numbers for each of a number of pictures."""

    def __init__(self, generator: Generator, count: int) -> None:
        self._generator, self._count = generator, count

    def between(self, low: float, high: float, *shape: int) -> Tensor:
        size = (self._count, *shape)
        numbers = torch.rand(size, generator=self._generator, device=self._generator.device).cpu()
        return low + (high - low) * numbers


def _patch(draw: _Draw, kind: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Give where each picture's patch is, and where its pattern is light, both booleans, N x H x W."""
    side = min(height, width)
    rows = torch.arange(height)[:, None] - draw.between(0, height, 1, 1)
    columns = torch.arange(width) - draw.between(0, width, 1, 1)
    half = draw.between(side / 8, side / 4, 1, 1)
    square = (rows.abs() <= half) & (columns.abs() <= half)
    distance = torch.hypot(rows, columns)
    period = draw.between(3, max(4.0, side / 6), 1, 1)
    phase = draw.between(0, 1, 1, 1)

    def waves(places: Tensor) -> Tensor:
        return ((places / period + phase) % 1) < 0.5

    slanted = 2**0.5
    dotted = torch.hypot(
        (rows % (2 * period)) - period, (columns % (2 * period)) - period
    )  # dots lie two periods apart, so that they are dots at the shortest period too
    plain = torch.ones_like(square)
    light = torch.stack(
        [
            waves(rows).expand_as(square),
            waves(columns).expand_as(square),
            waves((columns - rows) / slanted),
            waves((columns + rows) / slanted),
            waves(rows) ^ waves(columns),
            dotted < 0.6 * period,
            waves(distance),
            draw.between(0, 1, height, width) < 0.5,
            plain,
            plain,
        ],
        dim=1,
    )
    each = torch.arange(len(kind))
    disc = (kind == PATTERNS.index("plain discs"))[:, None, None]
    return torch.where(disc, distance <= half, square), light[each, kind]
