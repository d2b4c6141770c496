"""The concept kit: what can be found in anybody's images without masks by hand."""

from __future__ import annotations

from striate.explain.concept_edges import corners, edges, textures
from striate.explain.concept_pixels import borders, colours, greys, objects
from striate.explain.concepts import ConceptFamily, Sliced, check_pictures, taken


def concept_kit(images: Sliced) -> tuple[ConceptFamily, ...]:
    """Choose the concepts that suit images: colours or greys, edges, corners, textures, object, places.

    `striate.explain.concepts_in` finds them in images; `striate.explain.class_parts` adds the parts that a
    network's decisions rest on, and `striate.explain.generated_patterns` makes pictures of its own.

    Args:
        images: in [0, 1], or uint8, N x 1 x H x W or N x 3 x H x W; what counts as strong is decided on some
            hundreds of them.

    Returns:
        The families of concepts.

    Raises:
        ShapeError: where they are no such images.

    >>> import torch
    >>> sum(len(family.concepts) for family in concept_kit(torch.rand(4, 1, 28, 28)))
    21
    """
    first = taken(images, slice(0, 1))
    check_pictures(first)
    tones = colours() if first.shape[1] == 3 else greys()
    return (tones, edges(images), corners(images), textures(images), objects(), borders())
