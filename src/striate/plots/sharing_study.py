"""The picture of the sharing study: accuracies of shared and local weights, where images lie alike or not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from striate.plots.paper import BLUE, INK, VERMILION, new_figure, plain_axes, save

_PANELS = (
    ("centred", "centred", "trained and tested on centred images"),
    ("shifted", "shifted", "trained and tested on shifted images"),
    ("centred", "shifted", "trained on centred, tested on shifted images"),
)
_STYLES = {"shared": (BLUE, "o", -0.08), "local": (VERMILION, "s", 0.08)}


def sharing_accuracy(study: Mapping[str, Any], path: os.PathLike[str] | str) -> None:
    """Draw the accuracy of the shared and of the local layer by the number of training images.

    Large marks are means over seeds with their 95 % intervals, small ones the seeds.

    Args:
        study: what `striate.studies.SharingStudy.to_dict` gave, perhaps by way of its JSON file.
        path: the PNG file to be made or replaced.

    Raises:
        OSError: where the file cannot be written.
    """
    figure = new_figure(12.0, 4.4)
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    counts = sorted({cell["images"] for cell in study["cells"]})
    for axes, (trained, tested, title) in zip(panels, _PANELS, strict=True):
        plain_axes(axes)
        for cell in study["cells"]:
            if cell["arrangement"] == trained:
                _draw_cell(axes, cell, tested, counts.index(cell["images"]))
        axes.set_title(title, fontsize=10, color=INK)
        axes.set_xticks(range(len(counts)), [f"{count:,}" for count in counts])
        axes.set_xlim(-0.5, len(counts) - 0.5)
        axes.set_xlabel("training images", fontsize=10, color=INK)
    for layer, (colour, marker, _) in _STYLES.items():
        name = "shared weights (convolution)" if layer == "shared" else "local weights"
        panels[0].plot([], [], marker, color=colour, label=name)
    panels[0].legend(frameon=False, fontsize=9, labelcolor=INK)
    panels[0].set_ylabel("test accuracy (%)", fontsize=10, color=INK)
    figure.suptitle(
        f"Shared and local weights ({study['source']}, shifts up to {study['margin']} pixels, "
        f"{study['seeds']} seed{'' if study['seeds'] == 1 else 's'}, {study['test_images']:,} test images)",
        fontsize=11.5,
        color=INK,
    )
    save(figure, path)


def _draw_cell(axes: Axes, cell: Mapping[str, Any], tested: str, place: int) -> None:
    colour, marker, offset = _STYLES[cell["layer"]]
    values = [100 * accuracy for accuracy in cell[tested]]
    axes.plot([place + 2.2 * offset] * len(values), values, ".", color=colour, alpha=0.5, markersize=4)
    found = cell[f"{tested}_mean"]
    mean = 100 * found["mean"]
    spread = None if found["high"] is None else 100 * found["high"] - mean
    axes.errorbar(
        place + offset, mean, yerr=spread, fmt=marker, color=colour, markersize=7, capsize=3, linewidth=1.2
    )
