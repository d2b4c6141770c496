"""What ``striate explain --dissect`` and ``--visualise`` do: measure, draw, and say what was found."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.cli.attributions import Outcome, write_picture
from striate.cli.explaining import Explained
from striate.core.errors import LayerError
from striate.core.events import OnEvent
from striate.engine.progress import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from striate.data.dataset import Pixels
    from striate.explain import DetectorExamples, Dissection, Visualisation
    from striate.plots import UnitRow

MOST_IMAGES = 5000
"""So many images are looked at, at most, evenly chosen."""

QUANTILE = 0.01
"""The share of values on which a unit counts as active. Concepts of the kit cover more than those that
people mark, for which 0.005 is usual."""

MOST_CLASSES = 30
"""Up to so many classes, their objects and parts are concepts too."""

MOST_UNITS, MOST_LARGE_UNITS = 64, 9
"""So many channels are drawn where none is named; of networks for larger images than 64x64, so many."""

VARIANTS = 4
"""So many pictures are drawn of each channel where channels are named."""


def dissect_images(
    explained: Explained, source: str, images: Pixels, out: Path, on_event: OnEvent
) -> Outcome:
    """Dissect a network by the concepts that can be found in images, and draw its detectors.

    Args:
        explained: the network.
        source: where the images are from.
        images: uint8 (N, C, H, W), as the network takes them.
        out: the PNG file of the detectors; one of the counts, ``OUT-concepts.png``, is made beside it.
        on_event: is given the progress.

    Returns:
        What was found.

    Raises:
        LayerError: where the network has no layer with maps.
        ShapeError: where there are less than two images.
        RunError: where a picture cannot be written.
    """
    from striate.explain import (
        class_objects,
        class_parts,
        concept_kit,
        concepts_in,
        detector_examples,
        dissect,
        untrained_twin,
    )
    from striate.plots import concept_bars, unit_sheet

    images = images[:: -(-len(images) // MOST_IMAGES) or 1]
    families = concept_kit(images)
    if len(explained.classes) <= MOST_CLASSES:
        named = explained.network, explained.classes
        families = (*families, class_objects(*named), class_parts(*named))
    concepts = concepts_in(images, families)
    found = dissect(explained.network, images, concepts, quantile=QUANTILE, on_event=on_event)
    names = [layer.name for layer in found.layers]
    twin = untrained_twin(explained.network)
    untrained = dissect(twin, images, concepts, layers=names, quantile=QUANTILE, on_event=on_event)
    shown = detector_examples(explained.network, images, concepts, found)
    said, twins = (_renamed(each, explained) for each in (found, untrained))
    bars = out.with_name(f"{out.stem}-concepts.png")
    write_picture(partial(concept_bars, said), bars)
    lines = [*said.text().splitlines(), _compared(said, twins)]
    drawn = [bars]
    if shown:
        title = f"the best detector of each concept, in {len(images):,} images of {Path(source).name}"
        note = "orange: where the unit is active; blue: where the concept is; the images that excite it most"
        rows = [_detector_row(each, explained) for each in shown]
        write_picture(partial(unit_sheet, rows, title=title, note=note), out)
        drawn.insert(0, out)
    lines.append(f"pictures: {', '.join(printable(str(path)) for path in drawn)}")
    result: dict[str, Any] = {"data": source, "dissection": said.to_dict(), "untrained": twins.to_dict()}
    return Outcome(result={**result, "out": [str(path) for path in drawn]}, lines=lines)


def visualise_units(
    explained: Explained, wanted: str, images: Pixels | None, out: Path, on_event: OnEvent
) -> Outcome:
    """Draw the pictures that excite channels of a layer most.

    Args:
        explained: the network.
        wanted: ``LAYER``, or ``LAYER:CHANNEL,CHANNEL`` for some of its channels.
        images: uint8 (N, C, H, W), to compare with; ``None``: none.
        out: the PNG file.
        on_event: is given the progress.

    Returns:
        What was found.

    Raises:
        LayerError: where there is no such layer or channel.
        RunError: where the picture cannot be written.
    """
    import torch

    from striate.explain import Ascent, visualise
    from striate.explain.layers import activations
    from striate.plots import unit_sheet

    name, _, numbers = wanted.partition(":")
    layer = explained.path_of(name)
    shape = (explained.channels, *explained.size)
    count = activations(explained.network, torch.zeros(1, *shape), [layer])[layer].shape[1]
    most = MOST_UNITS if max(explained.size) <= 64 else MOST_LARGE_UNITS
    units = _numbers(numbers, name) if numbers else list(range(min(most, count)))
    if images is not None:
        images = images[:: -(-len(images) // MOST_IMAGES) or 1]
    ascent = Ascent(variants=VARIANTS if numbers else 1)
    found = visualise(
        explained.network, units, layer=layer, shape=shape, images=images, ascent=ascent, on_event=on_event
    )
    part = "" if len(units) == count or numbers else f" (the first {len(units)} of {count} channels)"
    title = f"what excites the channels of {name}{part}"
    note = "found by gradient ascent from noise; under each picture the mean of the channel's map for it"
    if images is not None:
        note += f"; last, the best of {found.images:,} images"
    write_picture(partial(unit_sheet, _unit_rows(found, images), title=title, note=note), out)
    result = {"layer": name, **{key: value for key, value in found.to_dict().items() if key != "layer"}}
    worked = sum(found.worked)
    lines = [
        *(sentence.replace(layer, name) for sentence in found.sentences()),
        f"{worked} of {len(units)} are excited more than by any noise and any image given",
        f"the picture is in {printable(str(out))}",
    ]
    return Outcome(result={**result, "out": str(out)}, lines=lines)


def _numbers(text: str, layer: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise LayerError(f"{text!r} names no channels of {layer}; such as {layer}:3 or {layer}:3,17 does")
    return [int(part) for part in parts]


def _renamed(found: Dissection, explained: Explained) -> Dissection:
    layers = tuple(replace(layer, name=explained.shown(layer.name)) for layer in found.layers)
    return replace(found, layers=layers)


def _compared(found: Dissection, untrained: Dissection) -> str:
    (detectors, concepts), (others, by_them) = (
        (
            sum(layer.detectors for layer in each.layers),
            len({name for layer in each.layers for name, _ in layer.counts}),
        )
        for each in (found, untrained)
    )
    most = f"in all {detectors} detectors of {concepts} concepts"
    usual = Counter(name for layer in untrained.layers for name, count in layer.counts for _ in range(count))
    mostly = f", most of them of {usual.most_common(1)[0][0]}" if usual else ""
    return f"{most}; with untrained weights {others} of {by_them}{mostly}"


def _detector_row(shown: DetectorExamples, explained: Explained) -> UnitRow:
    from striate.plots import UnitRow, UnitTile

    found = shown.finding
    tiles = [
        UnitTile(picture=picture, region=region, mask=mask)
        for picture, region, mask in zip(
            _bytes(shown.pictures), shown.regions.cpu().numpy(), shown.masks.cpu().numpy(), strict=True
        )
    ]
    named = f"unit {found.unit} of {explained.shown(shown.layer)}"
    chance = "" if found.chance is None else f", by chance {found.chance:.3f}"
    line = f"{named}: IoU {found.iou:.3f}{chance}"
    return UnitRow(name=found.concept, lines=[line], tiles=tiles)


def _unit_rows(found: Visualisation, images: Pixels | None) -> list[UnitRow]:
    from striate.plots import UnitRow, UnitTile

    rows = []
    for row, unit in enumerate(found.units):
        tiles = [
            UnitTile(picture=picture, caption=f"{value:.3g}")
            for picture, value in zip(_bytes(found.pictures[row]), found.reached[row].tolist(), strict=True)
        ]
        if images is not None and found.best is not None and found.best_images is not None:
            best = images[int(found.best_images[row])]
            tiles.append(UnitTile(picture=best, caption=f"best image {found.best[row].item():.3g}"))
        name = f"channel {unit}" if found.worked[row] else f"channel {unit} (not found)"
        rows.append(UnitRow(name=name, lines=[], tiles=tiles))
    return rows


def _bytes(pictures: Tensor) -> NDArray[np.uint8]:
    array: NDArray[np.uint8] = (pictures.clamp(0, 1) * 255).round().byte().cpu().numpy()
    return array
