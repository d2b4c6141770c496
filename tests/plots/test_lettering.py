"""Names and figures in pictures."""

import math
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from striate.plots.lettering import families, percent, written


@given(st.text(st.characters()), st.integers(1, 30))
def test_any_text_is_one_short_line(text, longest):
    line = written(text, longest).replace(r"\$", "$")
    assert len(line) <= longest
    assert "\n" not in line


@pytest.mark.parametrize(
    "text", ["$a$ $", r"\$", r"\frac{a}{b}", "猫 \U0001f408", "\x1b[0m\x00", "a\ud800", "ﬁ é e\u0301"]
)
def test_any_text_is_drawn_without_a_warning(text):
    figure = Figure()
    FigureCanvasAgg(figure)
    figure.text(0, 0, written(text), fontfamily=families())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()


def test_what_has_a_glyph_stays():
    assert written("Größe Ωμέγα Ёж") == "Größe Ωμέγα Ёж"


def test_an_ellipsis_ends_what_is_too_long_and_nothing_else():
    assert written("x" * 24) == "x" * 24
    assert written("x" * 25) == "x" * 23 + "…"


@given(st.floats(0, 1))
def test_only_all_and_nothing_are_written_as_all_and_nothing(share):
    assert (percent(share) == "100 %") == (share == 1)
    assert (percent(share) == "0 %") == (share == 0)


@pytest.mark.parametrize(
    ("share", "text"), [(0.5, "50 %"), (0.994, ">99 %"), (0.0099, "<1 %"), (0.01, "1 %"), (math.nan, "? %")]
)
def test_shares_are_percentages(share, text):
    assert percent(share) == text
