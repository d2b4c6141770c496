"""The detectors of a dissection in pictures: where they are active in the images that excite them most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from striate.core.errors import ShapeError
from striate.explain.concepts import ConceptSet, Sliced, taken
from striate.explain.dissected import Dissection, UnitFinding
from striate.explain.layers import activations
from striate.explain.overlaps import resized


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectorExamples:
    """One detector, and the images in which its activation is highest.

    Args:
        layer: of the unit.
        finding: what it detects.
        pictures: the images, N x C x spatial, as they were given.
        regions: where the unit is over its threshold, booleans N x spatial, of the masks' size.
        masks: where the concept is, likewise.
    """

    layer: str
    finding: UnitFinding
    pictures: Tensor
    regions: Tensor
    masks: Tensor


def detector_examples(
    network: nn.Module,
    images: Sliced,
    concepts: ConceptSet,
    dissection: Dissection,
    *,
    most: int = 12,
    examples: int = 5,
    pictures: Sliced | None = None,
) -> tuple[DetectorExamples, ...]:
    """Show of each concept that is detected the best detector of all layers, the highest IoU first.

    Args:
        network: that was dissected.
        images: that it was dissected with.
        concepts: that were looked for.
        dissection: what was found.
        most: how many detectors, at most.
        examples: how many images of each, at most 8.
        pictures: the images as people see them, where that is not how the network takes them.

    Returns:
        The detectors; none where no unit detects anything.

    Raises:
        ShapeError: where the images or concepts are not those of the dissection.

    >>> from striate.explain import concept_kit, concepts_in, dissect
    >>> _ = torch.manual_seed(0)
    >>> images, network = torch.rand(8, 1, 12, 12), nn.Conv2d(1, 2, 3)
    >>> concepts = concepts_in(images, concept_kit(images))
    >>> found = dissect(network, images, concepts, least=0.0001)
    >>> shown = detector_examples(network, images, concepts, found)
    >>> shown[0].regions.shape
    torch.Size([5, 12, 12])
    """
    names = [concept.name for concept in concepts.concepts]
    if len(images) != dissection.images or names != [each.name for each in dissection.concepts]:
        raise ShapeError(
            f"{len(images)} images and {len(names)} concepts are given, and the dissection is of "
            f"{dissection.images} and {len(dissection.concepts)}, in another order perhaps; give the same"
        )
    best: dict[str, tuple[float, int, UnitFinding]] = {}
    for place, layer in enumerate(dissection.layers):
        for unit in layer.units:
            if unit.detector and unit.iou > best.get(unit.concept, (0.0,))[0]:
                best[unit.concept] = unit.iou, place, unit
    chosen = sorted(best.values(), key=lambda each: -each[0])[:most]
    made = []
    for _, place, unit in chosen:
        layer = dissection.layers[place]
        rows = layer.top_images[unit.unit, :examples].tolist()
        maps = activations(network, _picked(images, rows), [layer.name])[layer.name][:, unit.unit]
        masks = _picked(concepts.masks, rows)[:, names.index(unit.concept)]
        size = tuple(masks.shape[1:])
        regions = resized(maps, size).view(len(rows), *size) > unit.threshold
        seen = _picked(images if pictures is None else pictures, rows)
        made.append(
            DetectorExamples(layer=layer.name, finding=unit, pictures=seen, regions=regions, masks=masks)
        )
    return tuple(made)


def _picked(images: Sliced, rows: Sequence[int]) -> Tensor:
    return torch.cat([taken(images, slice(row, row + 1)) for row in rows])
