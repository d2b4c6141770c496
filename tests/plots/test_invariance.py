"""Pictures of invariance: curves, the images that fall first, layers."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import invariance_curves, layer_shift_chart, worst_sheet


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def figure(value: float) -> SimpleNamespace:
    return SimpleNamespace(value=value, low=max(0.0, value - 0.03), high=min(1.0, value + 0.03))


def curve(name: str, worst: int = 0) -> SimpleNamespace:
    strengths = (0, 1, 2, 4)
    falls = [figure(0.9 - 0.2 * strength) for strength in strengths]
    pictures = [
        SimpleNamespace(
            image=number, strength=1.0, answer=1, picture=np.full((1 + 2 * (number % 2), 8, 8), 0.5)
        )
        for number in range(worst)
    ]
    return SimpleNamespace(
        name=name,
        unit="pixels",
        strengths=strengths,
        accuracy=falls,
        consistency=[figure(1 - 0.2 * strength) for strength in strengths],
        confidence=[figure(0.8)] * 4,
        accuracy_area=figure(0.6),
        worst=pictures,
    )


def size(path) -> tuple[int, int]:
    with Image.open(path) as drawn:
        assert drawn.format == "PNG"
        return drawn.size


@pytest.mark.parametrize("count", [1, 6])
def test_curves_are_drawn_a_panel_each(tmp_path, count):
    invariance_curves([curve(f"change {number} $") for number in range(count)], tmp_path / "a.png")
    width, height = size(tmp_path / "a.png")
    assert width > 400
    assert height > 250 * -(-count // 4)


def test_images_that_fall_are_drawn_and_changes_without_any_left_out(tmp_path):
    curves = [curve("shift", 3), curve("blur"), curve("noise", 8)]
    worst_sheet(curves, tmp_path / "a.png", classes=("cat", "dog"), labels=np.zeros(8, int))
    worst_sheet(curves[:1], tmp_path / "b.png", classes=("cat", "dog"), labels=np.zeros(8, int))
    assert size(tmp_path / "a.png")[1] > size(tmp_path / "b.png")[1]


def test_layers_are_drawn_a_line_each(tmp_path):
    layers = [
        SimpleNamespace(name=f"stage.{number}", shifts=(1, 2), errors=(0.1, 0.2)) for number in range(30)
    ]
    layer_shift_chart(layers, tmp_path / "a.png")
    layer_shift_chart(layers[:1], tmp_path / "b.png")
    assert size(tmp_path / "a.png")[1] > size(tmp_path / "b.png")[1] > 150


def test_nothing_to_draw_is_refused(tmp_path):
    with pytest.raises(ShapeError, match="no curve"):
        invariance_curves([], tmp_path / "a.png")
    with pytest.raises(ShapeError, match="no layer"):
        layer_shift_chart([], tmp_path / "a.png")
    with pytest.raises(ShapeError, match="no picture"):
        worst_sheet([curve("blur")], tmp_path / "a.png", classes=("cat",), labels=np.zeros(1, int))
    assert not list(tmp_path.iterdir())
