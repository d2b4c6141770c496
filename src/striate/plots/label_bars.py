"""How well each label is told: a bar of average precision for each, with its interval, F1 and chance."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from matplotlib.axes import Axes

from striate.core.errors import ShapeError
from striate.plots.lettering import written
from striate.plots.paper import BLUE, FAINT, INK, RULE, VERMILION, new_figure, plain_axes, save

_MOST_LABELS = 60
_BAR = 0.27  # inches of height that a label takes
_KEY = (
    "bar: average precision (%), line: its 95 % interval, diamond: F1 as labels are said, grey tick: chance"
)


class LabelFigures(Protocol):
    """What is drawn; `striate.metrics.MultiLabelEvaluation` has it, and says what each figure is."""

    @property
    def classes(self) -> Sequence[str]:
        """The names of the labels."""

    @property
    def images(self) -> int:
        """On how many images all was measured."""

    @property
    def average_precision(self) -> Sequence[float | None]:
        """Of each label; ``None`` where no image has it."""

    @property
    def average_precision_intervals(self) -> Sequence[tuple[float, float] | None]:
        """Intervals of these."""

    @property
    def f1(self) -> Sequence[float]:
        """Of each label."""

    @property
    def support(self) -> Sequence[int]:
        """How many images have each label."""


def label_bars(figures: LabelFigures, path: os.PathLike[str] | str, *, title: str = "") -> None:
    """Draw a bar for each label, that of the highest average precision first.

    Beyond 60 labels the 30 highest and the 30 lowest are drawn, and it says so.

    Args:
        figures: what was measured.
        path: the PNG file to be made or replaced.
        title: what is written above; by default on how many images it was measured.

    Raises:
        ShapeError: where there is no label.
        OSError: where the file cannot be written.

    >>> import tempfile, torch
    >>> from striate.metrics import evaluate_label_logits
    >>> logits, labels = torch.tensor([[2.0, -1.0], [-2.0, 1.0]]), torch.tensor([[1, 0], [0, 1]])
    >>> found = evaluate_label_logits(logits, labels, ["cat", "dog"], thresholds=[0.5, 0.5])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     label_bars(found, f"{folder}/labels.png")
    """
    count = len(figures.classes)
    if count == 0:
        raise ShapeError("there is no label to draw; figures of at least one are drawn")
    # Labels that no image has come last.
    order = sorted(
        range(count), key=lambda label: -1.0 if (it := figures.average_precision[label]) is None else it
    )
    order.reverse()
    rest = ""
    if count > _MOST_LABELS:
        order = order[: _MOST_LABELS // 2] + order[-_MOST_LABELS // 2 :]
        rest = f"; the {_MOST_LABELS // 2} highest and {_MOST_LABELS // 2} lowest of {count:,} labels"
    figure = new_figure(9.0, 1.3 + _BAR * max(3, len(order)))
    axes = figure.subplots()
    plain_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    for place, label in enumerate(order):
        _draw(axes, place, figures, label)
    names = [f"{written(figures.classes[label], 30)} ({figures.support[label]:,})" for label in order]
    axes.set_yticks(range(len(order)), names)
    axes.tick_params(axis="y", length=0, labelsize=9)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlim(0, 108)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("% (beside each label: how many images have it)", fontsize=9, color=INK)
    heading = written(title or f"measured on {figures.images:,} images", 110)
    figure.suptitle(f"{heading}{rest}\n{_KEY}", fontsize=9.5, color=INK)
    save(figure, path)


def _draw(axes: Axes, place: int, figures: LabelFigures, label: int) -> None:
    value, interval = figures.average_precision[label], figures.average_precision_intervals[label]
    if value is None or interval is None:
        axes.text(0.8, place, "no image has it", fontsize=8, color=FAINT, va="center")
        return
    axes.barh(place, 100 * value, 0.62, color=BLUE, alpha=0.45, linewidth=0)
    low, high = (100 * bound for bound in interval)
    axes.plot([low, high], [place, place], color=INK, linewidth=1.1, marker="|", markersize=5)
    chance = 100 * figures.support[label] / max(1, figures.images)
    axes.plot([chance, chance], [place - 0.38, place + 0.38], color=FAINT, linewidth=2)
    f1 = 100 * figures.f1[label]
    axes.plot(f1, place, "D", color=VERMILION, markersize=5, markeredgecolor="white", markeredgewidth=0.7)
    axes.text(101.2, place, f"{100 * value:.1f}", fontsize=8, color=INK, va="center")
