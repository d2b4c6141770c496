"""Network dissection: which units of which layers detect which concept, and how many would by chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.core.events import Event, OnEvent, ignore
from striate.explain.concepts import ConceptSet, Sliced, taken
from striate.explain.dissected import ConceptFigures, Dissection, LayerDissection, judged
from striate.explain.layers import activations, check_images, layer_calls, spatial_layers, unwrapped
from striate.explain.overlaps import MaskBatch, Overlaps, intersection_over_union
from striate.explain.thresholds import TopShare, check_memory
from striate.nn.inputs import by

QUANTILE = 0.005
"""The share of a unit's values on which it counts as active."""

LEAST_IOU = 0.04
"""The intersection over union from which a unit counts as a detector."""

EXAMPLES = 8

_LARGEST_BATCH, _SMALLEST_BATCH = 256, 4
_BATCH_VALUES, _BATCH_MASKS = 2**22, 2**28


def dissect(
    network: nn.Module,
    images: Sliced,
    concepts: ConceptSet,
    *,
    layers: Sequence[str] | None = None,
    quantile: float = QUANTILE,
    least: float = LEAST_IOU,
    on_event: OnEvent = ignore,
) -> Dissection:
    """Find which units detect which concepts: whose highest activations lie where a concept is.

    A unit k is a channel of a layer. Its threshold T is exceeded by the share ``quantile`` of all its values,
    at all places of all images, exactly. Its mask M in an image is where its map, brought to the size of the
    concepts' masks L by linear interpolation, is over T. Over the whole dataset

        IoU(k, c) = sum |M_k and L_c| / sum |M_k or L_c|,

    and a unit detects the concept of its highest IoU, if that is over ``least``. A concept that covers the
    share a of all pixels cannot come over min(a, quantile) / max(a, quantile), which is reported as its
    ``reachable`` IoU: large ones need a larger quantile.

    Chance is measured on the way: all is counted once more with the masks of other images, so that only what
    holds for any image, such as where objects usually are, is left. Concepts at the same place in all images
    have no such figure; `untrained_twin` gives a baseline for these too.

    Args:
        network: any module; it is left as it was. It sees each image twice.
        images: as the network takes them, N x C x spatial, at least 2; bytes become numbers in [0, 1]. A
            tensor, a memory map, or what gives slices.
        concepts: with masks of the same images: of people, or from `striate.explain.concepts_in`.
        layers: names; ``None``: see `dissected_layers`.
        quantile: in (0, 0.5].
        least: in (0, 1).
        on_event: is given the progress.

    Returns:
        What every unit detects, layer by layer, with the text of it.

    Raises:
        LayerError: for an unknown layer, one without spatial extent or with values that are no finite
            numbers, and for a quantile or least IoU out of range.
        ShapeError: where masks do not match the images or concepts, or too much would be kept in memory.

    Source: Bau et al., Network dissection (2017), section 2; there maps are enlarged in the same way, and T
    is found from a sample.

    >>> images = torch.rand(8, 1, 12, 12)
    >>> from striate.explain import concept_kit, concepts_in
    >>> found = dissect(nn.Conv2d(1, 2, 3), images, concepts_in(images, concept_kit(images)))
    >>> len(found.layers[0].units), found.images
    (2, 8)
    """
    if not 0 < quantile <= 0.5 or not 0 < least < 1:
        raise LayerError(
            f"a quantile of {quantile} and a least IoU of {least} cannot be; "
            "a quantile in (0, 0.5] and a least IoU in (0, 1) can"
        )
    network = unwrapped(network)
    first, masks = _checked(images, concepts)
    given = (layers,) if isinstance(layers, str) else layers
    names = tuple(given or dissected_layers(network, first))
    _check_layers(network, first, names)
    batches = _Batches(images, concepts, masks)
    thresholds = _thresholds(network, batches, names, quantile, on_event)
    overlaps = _overlaps(network, batches, thresholds, on_event)
    figures = _figures(batches, quantile)
    made = tuple(_layer(name, overlaps[name], batches, least) for name in names)
    return Dissection(layers=made, concepts=figures, images=len(images), quantile=quantile, least=least)


def dissected_layers(network: nn.Module, images: Tensor) -> tuple[str, ...]:
    """Choose the layers to dissect: of each convolution and what follows it, the last with maps.

    Norms and activations that follow keep what a unit detects but for its sign, so that one layer of each
    such stretch tells all of it; poolings are left out, since they only lose places.

    Args:
        network: any module.
        images: as it takes them; the first is used.

    Returns:
        Names, in the order of the pass.

    Raises:
        LayerError: where no convolution has maps, or the network cannot take the images.

    >>> layers = nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 2, 3), nn.Flatten()
    >>> dissected_layers(nn.Sequential(*layers), torch.zeros(1, 1, 12, 12))
    ('1', '3')
    """
    spatial = set(spatial_layers(network, images))
    chosen: list[str] = []
    for call in layer_calls(network, images):
        kind = type(call.module).__name__
        if call.name not in spatial or next(call.module.children(), None) is not None or "Pool" in kind:
            continue
        own = (*call.module.parameters(recurse=False), *call.module.buffers(recurse=False))
        if "Norm" not in kind and any(weight.ndim > 2 for weight in own):
            chosen.append(call.name)
        elif chosen:
            chosen[-1] = call.name
    if not chosen:
        raise LayerError(
            f"no convolution of the network ({type(network).__name__}) gives maps of more than one place for "
            f"images of {by(images.shape[1:])}, so that there is nothing to dissect; layers= can name others"
        )
    return tuple(chosen)


class _Batches:
    """Images and masks side by side, each batch spread over the whole set, so that it holds all its kinds."""

    def __init__(self, images: Sliced, concepts: ConceptSet, masks: Tensor) -> None:
        self.images, self.concepts = images, concepts
        self.categories = tuple(dict.fromkeys(concept.category for concept in concepts.concepts))
        self.groups = torch.tensor([self.categories.index(each.category) for each in concepts.concepts])
        self.shape = tuple(masks.shape[1:])
        self.areas = torch.zeros(self.shape[0], dtype=torch.int64)
        self._first = masks.cpu()
        self.fixed = torch.ones(self.shape[0], dtype=torch.bool)
        values = taken(images, slice(0, 1)).numel()
        largest = min(_LARGEST_BATCH, _BATCH_VALUES // values, _BATCH_MASKS // masks[0].numel())
        self.steps = math.ceil(len(images) / max(_SMALLEST_BATCH, largest))

    def rows(self) -> Iterator[slice]:
        return (slice(start, None, self.steps) for start in range(self.steps))

    def masks(self, rows: slice) -> MaskBatch:
        masks = taken(self.concepts.masks, rows)
        count = len(range(*rows.indices(len(self.images))))
        if masks.dtype != torch.bool or tuple(masks.shape) != (count, *self.shape):
            raise ShapeError(
                f"masks of {by(masks.shape)} ({str(masks.dtype).removeprefix('torch.')}) do not match, where "
                f"booleans of {by((count, *self.shape))} are wanted"
            )
        masks = masks.cpu()
        self.fixed &= (masks == self._first).flatten(2).all(dim=2).all(dim=0)
        labelled = torch.ones(count, len(self.categories), dtype=torch.bool)
        if self.concepts.only_labelled:
            there = masks.flatten(2).any(dim=2)
            for category in range(len(self.categories)):
                labelled[:, category] = there[:, self.groups == category].any(dim=1)
        return MaskBatch(masks, labelled)


def _checked(images: Sliced, concepts: ConceptSet) -> tuple[Tensor, Tensor]:
    """Give the first image and its masks, once they fit each other."""
    first = taken(images, slice(0, 1))
    check_images(first)
    count, named = len(images), len(concepts.concepts)
    if count < 2:
        raise ShapeError(f"{count} images cannot be dissected: thresholds and chance need at least 2")
    if len(concepts.masks) != count:
        raise ShapeError(f"masks of {len(concepts.masks)} images do not match {count} images")
    masks = taken(concepts.masks, slice(0, 1))
    if masks.ndim != first.ndim or named == 0 or masks.shape[1] != named or 0 in masks.shape:
        raise ShapeError(
            f"masks of {by(masks.shape[1:])} do not match images of {by(first.shape[1:])} and {named} "
            f"concepts, where {named} x spatial, of as many axes, is wanted"
        )
    return first, masks


def _check_layers(network: nn.Module, first: Tensor, names: tuple[str, ...]) -> None:
    shapes = activations(network, first, names)
    for name, maps in shapes.items():
        if maps.ndim != first.ndim or maps[0, 0].numel() < 2:
            others = ", ".join(spatial_layers(network, first))
            raise LayerError(
                f"layer '{name}' gives {by(maps.shape[1:])} for an image, without spatial extent, so that "
                f"its units have no place in the image; those of {others} have"
            )


def _thresholds(
    network: nn.Module, batches: _Batches, names: tuple[str, ...], quantile: float, on_event: OnEvent
) -> dict[str, Tensor]:
    collected: dict[str, TopShare] = {}
    count, done = len(batches.images), 0
    for rows in batches.rows():
        images = taken(batches.images, rows)
        found = activations(network, images, names)
        if not collected:
            for name, maps in found.items():
                units, places = maps.shape[1], maps[0, 0].numel()
                collected[name] = TopShare(units, total=count * places, share=quantile)
            check_memory(collected)
        for name, maps in found.items():
            if not torch.isfinite(maps.float().sum()):
                raise LayerError(f"layer '{name}' gives values that are inf or NaN, which no threshold parts")
            collected[name].add(maps.transpose(0, 1).flatten(1))
        done += len(images)
        _tell(on_event, "finding thresholds", done, count)
    return {name: top.thresholds() for name, top in collected.items()}


def _overlaps(
    network: nn.Module, batches: _Batches, thresholds: dict[str, Tensor], on_event: OnEvent
) -> dict[str, Overlaps]:
    concepts, categories = len(batches.groups), len(batches.categories)
    overlaps = {
        name: Overlaps(each, concepts=concepts, categories=categories, examples=EXAMPLES)
        for name, each in thresholds.items()
    }
    count, done = len(batches.images), 0
    for rows in batches.rows():
        images, masks = taken(batches.images, rows), batches.masks(rows)
        batches.areas += masks.areas
        numbers = torch.arange(count)[rows]
        for name, maps in activations(network, images, list(thresholds)).items():
            overlaps[name].add(maps, masks, numbers)
        done += len(images)
        _tell(on_event, "comparing units and concepts", done, count)
    return overlaps


def _figures(batches: _Batches, quantile: float) -> tuple[ConceptFigures, ...]:
    total = len(batches.images) * math.prod(batches.shape[1:])
    figures = []
    for concept, area in zip(batches.concepts.concepts, batches.areas.tolist(), strict=True):
        share = area / total
        reachable = min(share, quantile) / max(share, quantile)
        figures.append(ConceptFigures(**vars(concept), share=share, reachable=reachable))
    return tuple(figures)


def _layer(name: str, overlaps: Overlaps, batches: _Batches, least: float) -> LayerDissection:
    areas = batches.areas.double()
    iou = intersection_over_union(overlaps.both.double(), overlaps.active[:, batches.groups], areas)
    chance = intersection_over_union(
        overlaps.both_by_chance.double(), overlaps.active_by_chance[:, batches.groups], areas
    )
    chance[:, batches.fixed] = math.nan
    measured = overlaps.thresholds, overlaps.top_images
    return judged(name, batches.concepts.concepts, (iou, chance), least, measured)


def _tell(on_event: OnEvent, what: str, done: int, total: int) -> None:
    on_event(Event("prepare", {"what": what, "done": done, "total": total, "unit": "images"}))
