"""What the sharing study finds: accuracies of both layers, and the differences between them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from striate.studies.repeats import Mean, mean_of

LAYERS = ("shared", "local")
ARRANGEMENTS = ("centred", "shifted")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One layer, trained on one number of images in one arrangement, with several seeds.

    Args:
        layer: ``shared`` (a convolution) or ``local`` (locally connected).
        arrangement: how the training images lay: ``centred`` or ``shifted``.
        images: how many it was trained on.
        epochs: how often each was seen.
        rate: the highest learning rate, as chosen on validation images.
        weights: of the layer, biases included.
        centred: for each seed the accuracy on centred test images.
        shifted: for each seed the accuracy on shifted test images.
    """

    layer: str
    arrangement: str
    images: int
    epochs: int
    rate: float
    weights: int
    centred: tuple[float, ...]
    shifted: tuple[float, ...]

    @property
    def matching(self) -> tuple[float, ...]:
        """The accuracies on test images that lie as the training images did."""
        return self.shifted if self.arrangement == "shifted" else self.centred


@dataclass(frozen=True, kw_only=True)
class SharingStudy:
    """What sharing weights is worth.

    Args:
        source: where the images are from.
        size: their height and width in pixels, without the ground.
        margin: pixels of ground on each side, and the largest shift.
        test_images: how many were tested on, the same for all.
        seeds: how often everything was repeated.
        precision: in which was trained.
        seconds: that everything took.
        cells: the combinations, in which the layers follow each other.
    """

    source: str
    size: tuple[int, ...]
    margin: int
    test_images: int
    seeds: int
    precision: str
    seconds: float
    cells: tuple[Cell, ...]

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "layer",
        "weights",
        "training images",
        "rate",
        "accuracy, centred test images",
        "accuracy, shifted test images",
    )
    """The titles of what `rows` gives."""

    def rows(self) -> list[tuple[str, ...]]:
        """Give a row of texts for each cell, under the titles in `COLUMNS`.

        Returns:
            The rows.
        """
        return [
            (
                cell.layer,
                f"{cell.weights:,}",
                f"{cell.images:,} {cell.arrangement}",
                f"{cell.rate:g}",
                mean_of(cell.centred).percent(),
                mean_of(cell.shifted).percent(),
            )
            for cell in self.cells
        ]

    def differences(self) -> list[tuple[int, str, Mean]]:
        """Compare both layers, seed by seed, on test images that lie as the training images did.

        Returns:
            For each number of images and arrangement: these, and the accuracy of the shared layer less that
            of the local one.
        """
        found = []
        for shared in self.cells:
            for local in self.cells:
                same = (shared.images, shared.arrangement) == (local.images, local.arrangement)
                if same and (shared.layer, local.layer) == LAYERS:
                    pairs = zip(shared.matching, local.matching, strict=True)
                    difference = mean_of([one - other for one, other in pairs])
                    found.append((shared.images, shared.arrangement, difference))
        return found

    def findings(self) -> list[str]:
        """Say how the layers differ.

        Returns:
            A sentence for each number of images and arrangement.
        """
        return [
            f"{images:,} {arrangement} images: the shared layer's accuracy less the local one's is "
            f"{difference.points()} (paired, {difference.count} seeds): {_said(difference)}"
            for images, arrangement, difference in self.differences()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give everything by name, ready for JSON.

        Returns:
            A dictionary of plain values; each cell has the means of its accuracies.
        """
        figures = asdict(self)
        for found, cell in zip(figures["cells"], self.cells, strict=True):
            found["centred_mean"] = asdict(mean_of(cell.centred))
            found["shifted_mean"] = asdict(mean_of(cell.shifted))
        return figures


def _said(difference: Mean) -> str:
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return "no difference is shown"
    return "sharing is better" if difference.mean > 0 else "sharing is worse"
