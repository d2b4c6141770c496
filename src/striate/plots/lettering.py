"""Names and figures as they are written in pictures: short, drawable by some font, and honest."""

from __future__ import annotations

import math
import unicodedata
from functools import cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

# The first is part of matplotlib; the others have what it lacks (Chinese, Japanese, Korean, Thai,
# Devanagari), on Linux, macOS and Windows.
_FAMILIES = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "PingFang SC",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Thai",
    "Noto Sans Devanagari",
    "Arial Unicode MS",
)
_NO_GLYPH = "\N{WHITE SQUARE}"


@cache
def families() -> list[str]:
    """Give the fonts to write with, in the order in which they are tried for each letter.

    Returns:
        Names of font families that this machine has.
    """
    present = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in _FAMILIES if name in present]


def written(name: str, longest: int = 24) -> str:
    """Make any text safe and short enough to be drawn on one line.

    Control characters become spaces, letters that no font has become squares, and what is too long
    ends with an ellipsis. A dollar sign stays one; it would else begin a formula.

    Args:
        name: any text, such as the name of a class.
        longest: how many characters are kept, at least 1.

    Returns:
        The text for matplotlib.

    >>> written("Ankle boot"), written("a very long name of a class", 12)
    ('Ankle boot', 'a very long…')
    """
    text = " ".join(
        "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in name).split()
    )
    if len(text) > longest:
        text = text[: longest - 1].rstrip() + "…"
    return "".join(c if _drawable(c) else _NO_GLYPH for c in text).replace("$", r"\$")


def percent(share: float) -> str:
    """Write a share as a percentage that never claims more certainty than there is.

    Args:
        share: in [0, 1], or NaN.

    Returns:
        Such as ``97 %``; ``>99 %`` and ``<1 %`` next to all and nothing.

    >>> [percent(share) for share in (0.972, 0.9996, 1, 0.002, 0)]
    ['97 %', '>99 %', '100 %', '<1 %', '0 %']
    """
    if math.isnan(share):
        return "? %"
    if 0.99 < share < 1:
        return ">99 %"
    if 0 < share < 0.01:
        return "<1 %"
    return f"{100 * share:.0f} %"


@cache
def _drawable(letter: str) -> bool:
    return any(font.get_char_index(ord(letter)) for font in _fonts())


@cache
def _fonts() -> list[FT2Font]:
    return [FT2Font(font_manager.findfont(name, fallback_to_default=False)) for name in families()]
