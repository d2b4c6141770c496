"""Concepts for dissection: their names, how they are found in images, and their masks, given or computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from striate.core.errors import LayerError, ShapeError
from striate.explain.streaming import Images, as_given, stored

MOST_KEPT = 2**28
"""How many bytes of masks are kept, at most, for whoever wants the same again."""

USUAL_SIDE = 112
"""About how many pixels a side of masks that are computed has at most: that of the masks of Broden."""


@dataclass(frozen=True)
class Concept:
    """Something that can be seen in an image, and where.

    Args:
        name: such as ``horizontal edges``, as a sentence can hold it: "units detect horizontal edges".
        category: what kind it is, such as ``edge`` or ``colour``.
        how: how its pixels are found, in a sentence; empty where people marked them.
    """

    name: str
    category: str
    how: str = ""


class Sliced(Protocol):
    """Images or masks of which a slice can be had: a tensor, an array, or what computes or reads them."""

    def __len__(self) -> int:
        """How many images."""

    def __getitem__(self, chosen: slice, /) -> Any:
        """Those of a slice, as a tensor or an array, images along the first axis."""


@dataclass(frozen=True, eq=False)
class ConceptFamily:
    """Concepts whose masks one function computes.

    Args:
        concepts: in the order of the masks.
        find: takes images in [0, 1], N x C x H x W, gives booleans, N x concepts x H x W.
    """

    concepts: tuple[Concept, ...]
    find: Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class ConceptSet:
    """Concepts and where they are in each of a number of images.

    Args:
        concepts: in the order of the masks.
        masks: booleans, N x concepts x spatial; a tensor, or what gives slices of one.
        only_labelled: count an image for a concept only where it has some concept of the same category, as
            is right where people marked only some categories in each image; else what is not marked is not
            there.
    """

    concepts: tuple[Concept, ...]
    masks: Sliced
    only_labelled: bool = False


class ComputedMasks:
    """Masks that are computed from images when a slice of them is wanted, and kept while there is room.

    Of images with over 167 pixels along the longer side only each second pixel along both axes counts, with
    over 280 each third, and so on: about 112 along a side are left, as is usual for dissection.

    Args:
        images: in [0, 1], or uint8, N x C x H x W.
        families: what computes them.

    >>> bright = ConceptFamily((Concept("light", "colour"),), lambda images: images > 0.5)
    >>> masks = ComputedMasks(torch.tensor([0.1, 0.9]).view(2, 1, 1, 1), [bright])
    >>> masks[0:2].flatten().tolist()
    [False, True]
    """

    def __init__(self, images: Sliced, families: Sequence[ConceptFamily]) -> None:
        self._images = images
        self._families = tuple(families)
        every = max(1, round(max(taken(images, slice(0, 1)).shape[2:]) / USUAL_SIDE))
        self._pixels = slice(every // 2, None, every)
        self._kept: dict[tuple[int, int, int], Tensor] = {}
        self._room = MOST_KEPT

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, chosen: slice, /) -> Tensor:
        place = chosen.indices(len(self))
        if place in self._kept:
            return self._kept[place]
        images = taken(self._images, chosen)
        found = [family.find(images)[:, :, self._pixels, self._pixels] for family in self._families]
        masks = torch.cat(found, dim=1)
        if masks.numel() <= self._room:
            self._kept[place] = masks
            self._room -= masks.numel()
        return masks


def concepts_in(images: Sliced, families: Sequence[ConceptFamily]) -> ConceptSet:
    """Find concepts in images; their masks are computed batch by batch, when they are needed.

    Args:
        images: in [0, 1], or uint8, N x C x H x W: as people see them, before any normalisation.
        families: such as `striate.explain.concept_kit` gives.

    Returns:
        The concepts with their masks.

    Raises:
        LayerError: where there is no family.

    >>> bright = ConceptFamily((Concept("light", "colour"),), lambda images: images > 0.5)
    >>> concepts_in(torch.rand(3, 1, 4, 4), [bright]).concepts[0].name
    'light'
    """
    if not families:
        raise LayerError("there is no concept to find; concept_kit(images) gives some that suit any images")
    concepts = tuple(concept for family in families for concept in family.concepts)
    return ConceptSet(concepts, ComputedMasks(images, families))


def taken(images: Sliced, rows: slice) -> Tensor:
    """Take a batch of images: bytes become numbers in [0, 1], all else stays as it is.

    Args:
        images: all of them.
        rows: which.

    Returns:
        A tensor.

    >>> taken(torch.tensor([0, 51, 255], dtype=torch.uint8), slice(1, 3))
    tensor([0.2000, 1.0000])
    """
    return as_given(stored(cast("Images", images), rows))  # which only takes slices of them


def check_pictures(images: Tensor) -> None:
    """Refuse what is no batch of pictures, grey or in colour.

    Args:
        images: what should be N x 1 x H x W or N x 3 x H x W.

    Raises:
        ShapeError: where it is something else.

    >>> check_pictures(torch.rand(2, 3, 8, 8))
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise ShapeError(
            f"images are {'x'.join(map(str, images.shape))}, where concepts are computed of N x 1 x H x W "
            "and N x 3 x H x W; of others, give masks"
        )
