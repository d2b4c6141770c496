"""Sheets of maps and filters, of any number of axes, channels and layers."""

import warnings
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import contact_sheet, feature_map_sheet, filter_weights
from striate.plots import feature_maps as module


@dataclass
class Maps:
    maps: np.ndarray
    total: int
    layer: str = "stages.3"
    kind: str = "Conv2d"

    @property
    def channels(self):
        return np.arange(len(self.maps))

    @property
    def low(self):
        return float(self.maps.min())

    @property
    def high(self):
        return float(self.maps.max())


def maps(count=6, size=(8, 8), total=12, signs=True, layer="stages.3") -> Maps:
    values = np.random.default_rng(count).normal(size=(count, *size))
    return Maps(values if signs else np.abs(values), total, layer)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def drawn(monkeypatch):
    """What is handed to the sheet, which is drawn too."""
    seen = []
    draw = module.tile_rows

    def note(rows, path, **options):
        seen.append(SimpleNamespace(rows=rows, **options))
        draw(rows, path, **options)

    monkeypatch.setattr(module, "tile_rows", note)
    return seen


@pytest.mark.parametrize("size", [(20,), (8, 8), (3, 4, 4)])
@pytest.mark.parametrize("signs", [True, False])
def test_maps_of_any_axes_are_drawn_in_one_scale(tmp_path, drawn, size, signs):
    feature_map_sheet(maps(size=size, signs=signs), tmp_path / "a.png", image=np.zeros((1, *size), np.uint8))
    tiles = [tile for row in drawn[0].rows for tile in row.tiles]
    assert len(tiles) == 7
    assert len({tile.scale for tile in tiles[1:]}) == 1
    assert (tiles[1].scale.low < 0) == signs
    assert "the strongest 6 of 12 channels" in drawn[0].title
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"


def test_of_very_many_channels_the_strongest_are_drawn(tmp_path, drawn):
    many = maps(count=300, size=(2, 2), total=300)
    many.maps[250] *= 100
    feature_map_sheet(many, tmp_path / "a.png")
    captions = [tile.caption for row in drawn[0].rows for tile in row.tiles]
    assert len(captions) == module.MOST_MAPS
    assert "channel 250" in captions
    assert "the strongest 64 of 300 channels" in drawn[0].title


def test_a_contact_sheet_has_a_row_and_a_scale_for_each_layer(tmp_path, drawn):
    layers = [maps(3, (8, 8), 3, layer="a"), maps(2, (4, 4), 64, signs=False, layer="b")]
    contact_sheet(layers, tmp_path / "a.png", image=np.zeros((3, 9, 9)))
    labels = [row.label for row in drawn[0].rows]
    assert labels[0] == ["the image", "3x9x9"]
    assert labels[1] == ["a", "Conv2d, 3x8x8", "all 3 channels"]
    assert labels[2] == ["b", "Conv2d, 64x4x4", "the strongest 2 of 64 channels"]
    assert drawn[0].rows[1].scale != drawn[0].rows[2].scale


def test_of_very_many_layers_some_are_drawn_and_it_is_said(tmp_path, drawn):
    contact_sheet([maps(1, (2, 2), layer=str(n)) for n in range(150)], tmp_path / "a.png")
    names = [row.label[0] for row in drawn[0].rows]
    assert (len(names), names[0], names[-1]) == (module.MOST_LAYERS, "0", "149")
    assert "pass, 24 of 150 layers" in drawn[0].title
    with pytest.raises(ShapeError, match="no layer"):
        contact_sheet([], tmp_path / "b.png")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((16, 3, 5, 5), "Colours"),
        ((8, 1, 3, 3), "Orange weighs positively"),
        ((100, 1, 3, 3), "Orange weighs positively"),
        ((6, 12, 3, 3), "the strongest 4 of 12 channels side by side"),
        ((6, 2, 7), r"A row is a channel \(all 2\)"),
        ((4, 1, 3, 3, 3), "Orange weighs positively"),
        ((4, 3, 3, 3, 3), "all 3 channels side by side"),
    ],
)
def test_filters_of_any_shape_are_drawn(tmp_path, drawn, shape, said):
    weights = np.random.default_rng(0).normal(size=shape)
    weights[1] = 0
    filter_weights(SimpleNamespace(layer="stem", weights=weights), tmp_path / "a.png")
    sheet = drawn[0]
    assert said.replace("\\", "") in sheet.note
    tiles = [tile for row in sheet.rows for tile in row.tiles]
    assert len(tiles) == min(shape[0], module.MOST_MAPS)
    assert ("the 64 of the largest norm" in sheet.title) == (shape[0] > 64)
    if shape[:2] == (16, 3):
        assert tiles[0].picture.shape == (5, 5, 3)
        largest = np.abs(weights[0]).max()
        assert tiles[0].picture[2, 3] == pytest.approx(0.5 + weights[0, :, 2, 3] / (2 * largest))
        assert (tiles[1].picture == 0.5).all()
    with Image.open(tmp_path / "a.png") as picture:
        assert max(picture.size) < 4000


def test_what_are_no_filters_is_refused(tmp_path):
    with pytest.raises(ShapeError, match=r"\(4, 4\)"):
        filter_weights(SimpleNamespace(layer="x", weights=np.zeros((4, 4))), tmp_path / "a.png")
