"""What ``striate attack --invariance`` does: change images, see which answers stay, and draw that."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from striate.cli import output
from striate.cli.attributions import Outcome, write_picture
from striate.cli.explaining import Explained
from striate.core.events import OnEvent
from striate.engine.progress import printable

if TYPE_CHECKING:
    from striate.attack import LayerShift
    from striate.data import Split

MOST_IMAGES = 1000
"""So many images are changed, at most, as many of each class as it has a share."""


def measure_invariance(
    explained: Explained,
    source: str,
    split: Split,
    out: Path,
    on_event: OnEvent,
    *,
    seed: int = 0,
    images: int = MOST_IMAGES,
) -> Outcome:
    """Measure a classifier's invariance on labelled images, and draw curves, worst images and layers.

    Args:
        explained: the network.
        source: where the images are from.
        split: the images, as the network takes them, and their labels.
        out: the PNG file of the curves; ``OUT-worst.png`` and ``OUT-layers.png`` are made beside it.
        on_event: is given the progress.
        seed: of the choice of images, and of all that is random.
        images: how many, at most.

    Returns:
        What was found.

    Raises:
        AttackError: where the images are no pictures of 1 or 3 channels, or too small.
        RunError: where a picture cannot be written.
    """
    import torch

    from striate.attack import invariance
    from striate.attack.sampling import stratified
    from striate.cli.explaining import in_unit_range
    from striate.data.batches import as_tensor
    from striate.plots import invariance_curves, layer_shift_chart, worst_sheet

    labels = torch.as_tensor(split.labels).long()
    rows = stratified(labels, images, generator=torch.Generator().manual_seed(seed)).sort().values.numpy()
    pixels = in_unit_range(list(as_tensor(split.images[rows]).numpy()), explained.device)
    found = invariance(explained.network, pixels, labels[rows], seed=seed, on_event=on_event)
    found = replace(found, layers=tuple(_renamed(layer, explained) for layer in found.layers))
    title = f"how answers change with the images: {found.images:,} of {printable(Path(source).name)}"
    drawn = [out]
    write_picture(partial(invariance_curves, found.curves, title=title), out)
    if any(curve.worst for curve in found.curves):
        worst = out.with_name(f"{out.stem}-worst.png")
        sheet = partial(worst_sheet, found.curves, classes=explained.classes, labels=labels[rows].numpy())
        write_picture(sheet, worst)
        drawn.append(worst)
    if found.layers:
        layers = out.with_name(f"{out.stem}-layers.png")
        write_picture(partial(layer_shift_chart, found.layers), layers)
        drawn.append(layers)
    table = [
        (
            curve.name,
            output.percent(curve.accuracy_area.value, 1),
            output.percent(curve.consistency_area.value, 1),
            f"{output.percent(curve.accuracy[-1].value, 1)} at {curve.strengths[-1]:g} {curve.unit}",
        )
        for curve in found.curves
    ]
    before = found.curves[0].accuracy[0]
    said = (
        f"accuracy unchanged: {output.percent(before.value, 1)} (95 % interval "
        f"{output.percent(before.low, 1)} to {output.percent(before.high, 1)}, {found.images:,} images of "
        f"{printable(source)})"
    )
    result = {"data": source, "invariance": found.to_dict(), "rows": rows.tolist()}
    return Outcome(
        result={**result, "out": [str(path) for path in drawn]},
        lines=[said, f"pictures: {', '.join(printable(str(path)) for path in drawn)}"],
        titles=("change", "mean accuracy", "mean consistency", "at the strongest"),
        rows=table,
    )


def _renamed(layer: LayerShift, explained: Explained) -> LayerShift:
    return replace(layer, name=explained.shown(layer.name))
