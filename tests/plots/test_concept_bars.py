"""Bars of the concepts that layers detect."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import concept_bars

BLUE = (0, 114, 178)


def findings(*layers) -> SimpleNamespace:
    made = [
        SimpleNamespace(
            name=name,
            units=range(40),
            detectors=sum(count for _, count in counts),
            by_chance=sum(count for _, count in chance),
            counts=counts,
            by_chance_counts=chance,
        )
        for name, counts, chance in layers
    ]
    return SimpleNamespace(layers=made, images=5000, quantile=0.005, least=0.04)


def blue(path) -> np.ndarray:
    with Image.open(path) as drawn:
        return (np.abs(np.asarray(drawn.convert("RGB")).astype(int) - BLUE) < 25).all(axis=-1)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_bars_are_as_long_as_their_counts(tmp_path):
    concept_bars(findings(("conv", [("edges", 20), ("corners", 5)], [("edges", 3)])), tmp_path / "a.png")
    lengths = blue(tmp_path / "a.png").sum(axis=1)
    rows = lengths[lengths > 0]
    assert rows.max() / rows.min() == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_number_of_layers_and_concepts_is_drawn(tmp_path, count):
    many = [(f"concept {number} $ 猫", 30 - number) for number in range(30)]
    layers = [("a.very.long.name.of.a.layer." * 3, many, many), ("b", [], []), ("c", [], [("x", 1)])]
    concept_bars(findings(*(layers * 3)[:count]), tmp_path / "a.png", title="a network")
    with Image.open(tmp_path / "a.png") as drawn:
        assert max(drawn.size) < 5000


def test_no_layer_is_refused(tmp_path):
    with pytest.raises(ShapeError, match="there is no layer to draw"):
        concept_bars(findings(), tmp_path / "a.png")
