"""What a dissection finds, as frozen values: concepts by unit, counts by layer, text, table, JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from torch import Tensor

from striate.explain.concepts import Concept

_MOST_SAID = 6  # concepts in a sentence


@dataclass(frozen=True, kw_only=True)
class ConceptFigures:
    """A concept in the images that were dissected.

    Args:
        name: of the concept.
        category: its kind.
        how: how its pixels are found; empty where people marked them.
        share: of all pixels, that it covers.
        reachable: the highest IoU that a unit can have with it at the dissection's quantile.
    """

    name: str
    category: str
    how: str
    share: float
    reachable: float


@dataclass(frozen=True, kw_only=True)
class UnitFinding:
    """What one unit agrees with most.

    Args:
        unit: the channel.
        concept: that of its highest IoU.
        category: of the concept.
        iou: with it.
        chance: its IoU with the same concept where the masks are those of other images; ``None`` for a
            concept that is at the same place in all images.
        threshold: over which it counts as active.
        detector: whether the IoU is over the least one.
    """

    unit: int
    concept: str
    category: str
    iou: float
    chance: float | None
    threshold: float
    detector: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerDissection:
    """What the units of one layer detect.

    Args:
        name: of the layer.
        units: in the order of the channels.
        by_chance: how many would be detectors, of any concept, with the masks of other images.
        by_chance_counts: concept -> how many would detect it so.
        iou: of each unit with each concept, float64 (units, concepts).
        top_images: the images in which each unit is highest, (units, up to 8), the highest first.
    """

    name: str
    units: tuple[UnitFinding, ...]
    by_chance: int
    by_chance_counts: tuple[tuple[str, int], ...]
    iou: Tensor
    top_images: Tensor

    @property
    def detectors(self) -> int:
        """How many units detect a concept."""
        return sum(unit.detector for unit in self.units)

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """The concepts detected, each with how many units do, the most first."""
        return tuple(_counted(unit.concept for unit in self.units if unit.detector))

    @property
    def unique(self) -> int:
        """How many different concepts are detected: the unique detectors of the paper."""
        return len(self.counts)

    @property
    def finding(self) -> str:
        """What was found, in one sentence, such as "conv2: 14 of 64 units detect horizontal edges"."""
        chance = f"{self.by_chance} with the masks of other images"
        if not self.counts:
            return (
                f"{self.name or 'the network'}: none of {len(self.units)} units detects a concept ({chance})"
            )
        (most, count), *others = self.counts
        verb = "unit detects" if len(self.units) == 1 else "units detect"
        said = [f"{count} of {len(self.units)} {verb} {most}"]
        said += [f"{number} {concept}" for concept, number in others[: _MOST_SAID - 1]]
        rest = others[_MOST_SAID - 1 :]
        if rest:
            units, concepts = sum(number for _, number in rest), len(rest)
            said.append(f"{_many(units, 'unit')} {_many(concepts, 'other concept')}")
        total = f"{_many(self.detectors, 'detector')} of {_many(self.unique, 'concept')}"
        return f"{self.name or 'the network'}: {', '.join(said)}; {total} ({chance})"


@dataclass(frozen=True, kw_only=True, eq=False)
class Dissection:
    """Which units of a network detect which concepts.

    Args:
        layers: in the order in which they were asked for.
        concepts: that were looked for.
        images: how many it was measured on.
        quantile: the share of a unit's values on which it counts as active.
        least: the IoU over which a unit counts as a detector.
    """

    layers: tuple[LayerDissection, ...]
    concepts: tuple[ConceptFigures, ...]
    images: int
    quantile: float
    least: float

    COLUMNS: ClassVar[tuple[str, ...]] = ("layer", "units", "detectors", "by chance", "concepts", "most")
    """The titles of what `rows` gives."""

    @property
    def out_of_reach(self) -> tuple[ConceptFigures, ...]:
        """The concepts that no unit can detect at this quantile, since they cover too much or too little."""
        return tuple(concept for concept in self.concepts if concept.reachable <= self.least)

    def text(self) -> str:
        """Say what was found: how it was measured, a line for each layer, and what could not be found.

        Returns:
            Lines.
        """
        lines = [
            f"{self.images:,} images, {len(self.concepts)} concepts; a unit is active on its highest "
            f"{_percent(self.quantile)} of values, and detects a concept from an IoU of {self.least:g} on",
            *(layer.finding for layer in self.layers),
        ]
        if self.out_of_reach:
            named = ", ".join(f"{each.name} ({_percent(each.share)})" for each in self.out_of_reach)
            lines.append(
                f"not to be detected at this quantile, for the share of the pixels that they cover: {named}"
            )
        return "\n".join(lines)

    def rows(self) -> list[tuple[str, ...]]:
        """Give a row of texts for each layer, under the titles in `COLUMNS`.

        Returns:
            The rows.
        """
        return [
            (
                layer.name,
                str(len(layer.units)),
                str(layer.detectors),
                str(layer.by_chance),
                str(layer.unique),
                ", ".join(f"{concept} ({count})" for concept, count in layer.counts[:3]),
            )
            for layer in self.layers
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give everything by name, ready for JSON, but for the IoU of units with concepts not their best.

        Returns:
            A dictionary of plain values.
        """
        return {
            "images": self.images,
            "quantile": self.quantile,
            "least": self.least,
            "concepts": [asdict(concept) for concept in self.concepts],
            "layers": [
                {
                    "name": layer.name,
                    "finding": layer.finding,
                    "detectors": layer.detectors,
                    "by_chance": layer.by_chance,
                    "unique": layer.unique,
                    "counts": dict(layer.counts),
                    "by_chance_counts": dict(layer.by_chance_counts),
                    "units": [asdict(unit) for unit in layer.units],
                    "top_images": layer.top_images.tolist(),
                }
                for layer in self.layers
            ],
        }


def judged(
    name: str,
    concepts: Sequence[Concept],
    agreement: tuple[Tensor, Tensor],
    least: float,
    measured: tuple[Tensor, Tensor],
) -> LayerDissection:
    """Decide what each unit of a layer detects.

    Args:
        name: of the layer.
        concepts: in the order of the columns.
        agreement: the IoU (units, concepts), and the same with the masks of other images, NaN where they are
            the same masks.
        least: the IoU over which a unit is a detector.
        measured: thresholds (units), and the images in which each unit is highest (units, some).

    Returns:
        The findings.
    """
    iou, chance = agreement
    thresholds, top_images = measured
    best = iou.argmax(dim=1)
    units = tuple(
        UnitFinding(
            unit=number,
            concept=concepts[column].name,
            category=concepts[column].category,
            iou=iou[number, column].item(),
            chance=None if chance[number, column].isnan() else chance[number, column].item(),
            threshold=thresholds[number].item(),
            detector=iou[number, column].item() > least,
        )
        for number, column in enumerate(best.tolist())
    )
    highest, which = chance.nan_to_num(0.0).max(dim=1)
    lucky = [concepts[column].name for column in which[highest > least].tolist()]
    return LayerDissection(
        name=name,
        units=units,
        by_chance=len(lucky),
        by_chance_counts=tuple(_counted(lucky)),
        iou=iou,
        top_images=top_images,
    )


def _counted(names: Iterable[str]) -> list[tuple[str, int]]:
    return sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
