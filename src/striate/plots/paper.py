"""The paper that pictures are drawn on: figures without pyplot, common colours, and saving."""

from __future__ import annotations

import os

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from striate.core.files import atomic_path
from striate.plots.lettering import families

# Okabe and Ito's colours, which people with any colour vision tell apart; ink and rule are greys.
BLUE = "#0072B2"
VERMILION = "#D55E00"
INK = "#222222"
FAINT = "#777777"
RULE = "#DDDDDD"

DOTS_PER_INCH = 150


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure with its own canvas, known to nothing global.

    Args:
        width: inches; the picture becomes as wide as what is written beside this needs.
        height: inches, likewise.

    Returns:
        A figure on which several axes are arranged so that nothing overlaps.
    """
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def whole_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure whose one set of axes covers it, so that inches on it are what they say.

    Args:
        width: inches of the axes; what is written beside them comes on top.
        height: inches, likewise.

    Returns:
        The figure and its axes.
    """
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    return figure, figure.add_axes((0, 0, 1, 1))


def plain_axes(axes: Axes) -> None:
    """Take away what is no information: the frame at the top and right, and dark rules.

    Args:
        axes: a set of axes for curves.
    """
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(color=FAINT, labelcolor=INK, labelsize=9)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)


def save(figure: Figure, path: os.PathLike[str] | str) -> None:
    """Write a figure as PNG, atomically, with the same bytes for the same picture.

    Args:
        figure: what `new_figure` gave, drawn upon.
        path: the file to be made or replaced; its directory must exist.
    """
    for text in figure.findobj(Text):
        text.set_fontfamily(families())
    with atomic_path(os.fspath(path)) as temporary:
        figure.savefig(
            temporary,
            format="png",
            dpi=DOTS_PER_INCH,
            bbox_inches="tight",
            pad_inches=0.15,
            metadata={"Software": None},
        )
