"""The drawing of a network: a block a row, as wide as its maps and as high as its channels, with its figures.

An SVG file is written as text, so that it stays sharp at any size and its words can be found and copied. It
is meant to be read from the top: what comes in, what is done with it, how the maps get smaller and more,
where the parameters and the work are, which paths skip, and how much of the input an element sees.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from itertools import pairwise
from xml.etree import ElementTree

from striate.core.files import write_text
from striate.geometry import Group, Trace, grouped
from striate.geometry.wording import (
    spelled_count,
    spelled_fields,
    spelled_jump,
    spelled_shape,
    spelled_size,
    spelled_totals,
)
from striate.plots.skips import Skip, paths_between, skips_between
from striate.plots.svg import Page, drawable

ROW = 36
MARGIN = 24
BLOCK = 220
BAR = 84
LANE = 14
LETTER = 7.4
LONGEST_NAME = 40

INK, FAINT, RULE = "#222222", "#6b6b6b", "#dddddd"
# Okabe and Ito's colours, which people with any colour vision tell apart.
COLOURS = {
    "convolution": "#0072B2",
    "pooling": "#E69F00",
    "dense": "#CC79A7",
    "attention": "#D55E00",
    "join": "#009E73",
    "several layers": "#56B4E9",
    "other": "#b8b8b8",
}
_WORDS = {
    "attention": ("attention",),
    "convolution": ("conv", "locallyconnected"),
    "pooling": ("pool", "mean", "amax", "amin", "polyphase", "interpolate", "upsample", "resample"),
    "dense": ("linear", "matmul", "bmm", "einsum", "embedding", "bilinear"),
    "join": ("add", "cat", "concat", "stack", "mul", "sub"),
}


def network_diagram(
    trace: Trace, path: os.PathLike[str] | str, *, title: str = "", depth: int | None = None
) -> None:
    """Draw a network as SVG, atomically.

    Args:
        trace: of the network.
        path: the file to be made or replaced; its directory must exist.
        title: any text; stands at the top.
        depth: levels of modules that are shown, as for `striate.geometry.grouped`.

    Raises:
        OSError: where the file cannot be written; what was there is then untouched.
    """
    write_text(os.fspath(path), network_svg(trace, title=title, depth=depth))


def network_svg(trace: Trace, *, title: str = "", depth: int | None = None) -> str:
    """Draw a network as the text of an SVG file.

    Args:
        trace: of the network.
        title: any text; stands at the top.
        depth: levels of modules that are shown, as for `striate.geometry.grouped`.

    Returns:
        The file's content.
    """
    groups = grouped(trace, depth=depth)
    paths = paths_between(groups, trace)
    skips = skips_between(paths)
    page = _Page(groups, lanes=max((skip.lane + 1 for skip in skips), default=0))
    top = _heading(page, title, trace)
    _column_titles(page, top)
    first = top + ROW
    side = max(math.prod(shape[1:]) ** (1 / max(len(shape) - 1, 1)) for shape in trace.inputs)
    for number, shape in enumerate(trace.inputs):
        _input(page, first + number * ROW, shape, side)
    rows = first + len(trace.inputs) * ROW
    most = (
        max((each.parameters for each in groups), default=0),
        max((each.multiply_adds for each in groups), default=0),
    )
    shapes = [*trace.inputs, *(group.output for group in groups)]
    for number, (above, below) in enumerate(pairwise(shapes), start=-len(trace.inputs)):
        if (number, number + 1) in paths:
            _link(page, rows + (number + 0.5) * ROW, _extent(above, side)[1], _extent(below, side)[1])
    for number, group in enumerate(groups):
        _row(page, rows + number * ROW, group, side=side, most=most)
    for skip in skips:
        _skip(page, rows, skip)
    bottom = rows + len(groups) * ROW
    _legend(page, bottom + 16, groups)
    return page.text(width=page.end + MARGIN, height=bottom + 56)


class _Page(Page):
    """The page of a network, and where its columns begin, in pixels."""

    def __init__(self, groups: Sequence[Group], *, lanes: int) -> None:
        super().__init__(colour=INK)
        names = [_shortened(text) for group in groups for text in (_title_of(group), _kind_of(group))]
        shapes = [spelled_shape(group.output) for group in groups]
        self.name = float(MARGIN)
        self.block = self.name + _widest(names, least=14) + 16 + lanes * LANE
        self.output = self.block + BLOCK + 20
        self.parameters = self.output + _widest(shapes, least=12) + 16
        self.work = self.parameters + BAR + 70
        self.field = self.work + BAR + 70
        self.end = self.field + 110

    @property
    def axis(self) -> float:
        """The line on which the blocks are centred."""
        return self.block + BLOCK / 2


def _heading(page: _Page, title: str, trace: Trace) -> float:
    y = MARGIN + 12.0
    if title:
        page.write(MARGIN, y, title, font_size=17, font_weight="bold")
        y += 24
    for line in spelled_totals(trace):
        page.write(MARGIN, y, line, fill=FAINT)
        y += 18
    return y + 8


def _column_titles(page: _Page, y: float) -> None:
    titles = (
        (page.name, "layer"),
        (page.output, "output"),
        (page.parameters, "parameters"),
        (page.work, "multiply-adds"),
        (page.field, "sees (jump)"),
    )
    for x, title in titles:
        page.write(x, y + 12, title, fill=FAINT)
    page.write(page.axis, y + 12, "width: map size, height: channels", fill=FAINT, text_anchor="middle")
    page.draw("line", x1=MARGIN, x2=page.end, y1=y + 22, y2=y + 22, stroke=RULE)


def _input(page: _Page, y: float, shape: Sequence[int], side: float) -> None:
    middle = y + ROW / 2
    page.write(page.name, middle + 4, "input", font_weight="bold")
    _block(page, middle, shape, side=side, fill="white", stroke=INK)
    page.write(page.output, middle + 4, spelled_shape(shape))


def _row(page: _Page, y: float, group: Group, *, side: float, most: tuple[int, int]) -> None:
    middle = y + ROW / 2
    name, kind = _shortened(_title_of(group)), _shortened(_kind_of(group))
    if name == kind:
        page.write(page.name, middle + 4, name, font_style="italic")
    else:
        page.write(page.name, middle - 2, name)
        page.write(page.name, middle + 12, kind, fill=FAINT, font_size=10.5)
    colour = COLOURS[_family(group)]
    block = _block(page, middle, group.output, side=side, fill=colour, stroke="none")
    ElementTree.SubElement(block, "title").text = drawable(_described(group))
    if group.joins and group.is_module:
        _loop(page, middle, group, side)
    page.write(page.output, middle + 4, spelled_shape(group.output))
    figures = ((page.parameters, group.parameters, most[0]), (page.work, group.multiply_adds, most[1]))
    for x, count, largest in figures:
        if count:
            page.draw(
                "rect", x=x, y=middle - 5, width=max(1.5, BAR * count / largest), height=10, fill="#9fb8c8"
            )
            page.write(x + max(1.5, BAR * count / largest) + 5, middle + 4, spelled_count(count))
    page.write(page.field, middle + 4, _seen(group))


def _link(page: _Page, middle: float, above: float, below: float) -> None:
    """Draw the line from one block to the next."""
    ends = {"y1": middle + above / 2, "y2": middle + ROW - below / 2}
    page.draw("line", x1=page.axis, x2=page.axis, **ends, stroke=RULE, stroke_width=2)


def _block(
    page: _Page, middle: float, shape: Sequence[int], *, side: float, fill: str, stroke: str
) -> ElementTree.Element:
    width, height = _extent(shape, side)
    x, y = page.axis - width / 2, middle - height / 2
    return page.draw("rect", x=x, y=y, width=width, height=height, rx=2.5, fill=fill, stroke=stroke)


def _loop(page: _Page, middle: float, group: Group, side: float) -> None:
    """Mark a block within which a path skips others."""
    right = page.axis + _extent(group.output, side)[0] / 2
    path = f"M {right:.1f} {middle - 8:.1f} c 16 0 16 16 0 16"
    page.draw("path", d=path, fill="none", stroke=COLOURS["join"], stroke_width=2)


def _skip(page: _Page, rows: float, skip: Skip) -> None:
    """Draw a path from one row, or the input, to a later one that is not the next."""
    start = rows + (skip.start + 0.5) * ROW
    end = rows + (skip.end + 0.5) * ROW - 4
    left = page.block - 6
    bend = left - 6 - skip.lane * LANE
    path = f"M {left:.1f} {start:.1f} H {bend + 6:.1f} Q {bend:.1f} {start:.1f} {bend:.1f} {start + 6:.1f} "
    path += f"V {end - 6:.1f} Q {bend:.1f} {end:.1f} {bend + 6:.1f} {end:.1f} H {left:.1f}"
    page.draw("path", d=path, fill="none", stroke=COLOURS["join"], stroke_width=1.5)
    page.draw("path", d=f"M {left - 1:.1f} {end - 4:.1f} l 6 4 l -6 4 z", fill=COLOURS["join"])


def _legend(page: _Page, y: float, groups: Sequence[Group]) -> None:
    x = float(MARGIN)
    families = {_family(group) for group in groups}
    for family in (each for each in COLOURS if each in families):
        page.draw("rect", x=x, y=y, width=14, height=14, rx=2, fill=COLOURS[family])
        page.write(x + 20, y + 11, family, fill=FAINT)
        x += 20 + len(family) * LETTER + 22
    if any(group.joins for group in groups):
        page.write(x, y + 11, "green lines: paths that skip layers", fill=FAINT)


def _extent(shape: Sequence[int], side: float) -> tuple[float, float]:
    """Give a block's width, by the side of its maps, and height, by its channels."""
    channels = shape[0] if shape else 1
    mean = math.prod(shape[1:]) ** (1 / max(len(shape) - 1, 1)) if len(shape) > 1 else 0.0
    width = 10 + (BLOCK - 10) * min(1.0, math.sqrt(mean / side))
    return width, 5 + min(2.1 * math.log2(max(channels, 1)), ROW - 11)


def _family(group: Group) -> str:
    if group.is_module:
        return "several layers"
    kind = group.kind.partition(",")[0].lower()
    found = (family for family, words in _WORDS.items() if any(word in kind for word in words))
    return next(found, "other")


def _title_of(group: Group) -> str:
    return group.name or group.kind


def _kind_of(group: Group) -> str:
    return f"{group.times} x {group.kind}" if group.times > 1 else group.kind


def _described(group: Group) -> str:
    layers = "1 layer" if len(group.layers) == 1 else f"{len(group.layers)} layers"
    return (
        f"{_title_of(group)} ({_kind_of(group)}): {layers}, {group.parameters:,} parameters, "
        f"{group.multiply_adds:,} multiply-adds, {group.activation_bytes:,} bytes of activations"
    )


def _seen(group: Group) -> str:
    size, jump = spelled_fields(group.fields, spelled_size), spelled_fields(group.fields, spelled_jump)
    return f"{size} ({jump})" if jump else size


def _shortened(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    half = (LONGEST_NAME - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def _widest(texts: Sequence[str], *, least: int) -> float:
    return max([least, *map(len, texts)]) * LETTER
