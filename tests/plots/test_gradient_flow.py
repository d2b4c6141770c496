"""Pictures of gradients by layer, of every verdict and size."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import pytest
from PIL import Image

from striate.plots.gradient_flow import gradient_flow


@dataclass
class Layer:
    name: str
    weights: int
    weight_gradient: float | None
    output_gradient: float | None
    units: int | None = None
    dead: int | None = None
    saturated: float | None = None


@dataclass
class Flow:
    layers: list[Layer]
    finding: str = "healthy: the gradient at 0, the first layer, is 1.2 times that at 9, the last"
    advice: str = "nothing, since one learning rate can serve all layers"


def flow(count: int, shrink: float = 0.9) -> Flow:
    layers = []
    for place in range(count):
        layers.append(Layer(f"layers.{place}", 10, 0.1, shrink ** (count - place)))
        layers.append(Layer(f"layers.{place}.relu", 0, None, shrink ** (count - place), 8, place % 9, 0.25))
    return Flow(layers)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize(("count", "shrink"), [(1, 0.9), (10, 3.0), (60, 0.1)])
def test_any_number_of_layers_is_drawn(tmp_path, count, shrink):
    gradient_flow(flow(count, shrink), tmp_path / "flow.png")
    with Image.open(tmp_path / "flow.png") as picture:
        assert picture.format == "PNG"
        assert 1000 < picture.width < 2800
        assert 800 < picture.height < 1800
    assert [file.name for file in tmp_path.iterdir()] == ["flow.png"]


def test_without_activations_there_is_one_panel(tmp_path):
    whole = flow(2)
    gradient_flow(whole, tmp_path / "two.png")
    gradient_flow(Flow(whole.layers[::2]), tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "two.png") as two:
        assert one.height < two.height


def test_figures_that_a_logarithm_does_not_take_are_drawn_otherwise(tmp_path):
    for name, value in (("whole", 0.1), ("none", None), ("inf", math.inf), ("zero", 0.0)):
        some = flow(2)
        some.layers[2].output_gradient = value
        gradient_flow(some, tmp_path / name)
    assert len({file.read_bytes() for file in tmp_path.iterdir()}) == 4


@pytest.mark.parametrize("value", [None, math.nan, 0.0])
def test_where_there_is_no_gradient_at_all_the_picture_says_so(tmp_path, value):
    nothing = flow(2)
    for layer in nothing.layers:
        layer.output_gradient = layer.weight_gradient = value
    gradient_flow(nothing, tmp_path / "nothing.png")
    assert (tmp_path / "nothing.png").stat().st_size > 0


def test_long_sentences_and_odd_names_fit(tmp_path):
    odd = flow(3)
    odd.layers[0].name = "a$b_\n" + "x" * 200
    odd.finding, odd.advice = "found " * 60, "$do " * 60
    gradient_flow(odd, tmp_path / "odd.png")
    with Image.open(tmp_path / "odd.png") as picture:
        assert picture.width < 1600
