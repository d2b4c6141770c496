"""Rows of small pictures: sizes, colours that keep their meaning, and text of any kind."""

import warnings

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots.tiles import Row, Scale, Tile, as_picture, beside, broken, fitted, plane, tile_rows


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def pixels(path) -> np.ndarray:
    with Image.open(path) as drawn:
        assert drawn.format == "PNG"
        assert max(drawn.size) < 6000
        return np.asarray(drawn.convert("RGB")).astype(int)


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (300, 2), (7, 7), (400, 300), (5, 5, 3)])
def test_any_shape_is_drawn(tmp_path, shape):
    picture = np.random.default_rng(0).random(shape)
    scale = None if len(shape) == 3 else Scale(0, 1)
    rows = [Row([Tile(picture, scale, "caption")] * 3, ["name", "more"], Scale(-1, 2), ["said"])] * 2
    tile_rows(rows, tmp_path / "a.png", title="title", note="note " * 60)
    assert pixels(tmp_path / "a.png").size > 0
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_negative_is_blue_positive_orange_and_nothing_grey(tmp_path):
    picture = np.array([[-1.0, 1.0, np.nan, 0.0]])
    tile_rows([Row([Tile(picture, Scale(-1, 0.5))])], tmp_path / "a.png", title="", side=2)
    drawn = pixels(tmp_path / "a.png")
    for colour in ((0, 114, 178), (213, 94, 0), (218, 218, 218)):
        assert (np.abs(drawn - colour).max(axis=-1) <= 2).any()


def test_a_scale_has_signs_only_where_there_are_some():
    assert Scale(0, 3).limits == (0, 3)
    assert Scale(-1, 3).limits == (-3, 3)
    assert Scale(-4, 3).limits == (-4, 4)
    assert Scale(0, 0).limits == (0, 1)


def test_a_mark_is_drawn_where_it_belongs(tmp_path):
    picture = np.zeros((10, 10))
    for name, mark in (("left", (0, 0, 3, 3)), ("right", (7, 7, 3, 3))):
        tile_rows([Row([Tile(picture, mark=mark)])], tmp_path / f"{name}.png", title="", side=2)
    places = []
    for name in ("left", "right"):
        drawn = pixels(tmp_path / f"{name}.png")
        places.append(np.argwhere(np.abs(drawn - (213, 94, 0)).max(axis=-1) < 10).mean(axis=0))
    assert (places[0] + 100 < places[1]).all()


def test_lines_planes_and_volumes_are_laid_out():
    assert plane(np.arange(4)).shape == (1, 4)
    volume = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    laid = plane(volume)
    assert laid.shape == (3, 9)
    assert np.isnan(laid[:, 4]).all()
    assert (laid[:, 5:] == volume[1]).all()
    assert plane(np.zeros((50, 3, 4))).shape == (3, 8 * 5 - 1)
    assert beside([np.zeros((2, 1))]).shape == (2, 1)
    with pytest.raises(ShapeError, match="4 axes"):
        plane(np.zeros((1, 1, 1, 1)))


def test_images_of_any_range_become_pictures():
    grey, said = as_picture(np.array([[[0, 51], [255, 102]]], np.uint8))
    assert grey.tolist() == [[0, 0.2], [1, 0.4]]
    assert said == ""
    colours, said = as_picture(np.stack([np.full((2, 2), value) for value in (-1.0, 0.0, 3.0)]))
    assert colours[0, 0].tolist() == [0, 0.25, 1]
    assert "-1 to 3" in said
    assert as_picture(np.zeros((5, 4, 4)))[0].shape == (4, 4)
    assert as_picture(np.zeros((2, 9)))[0].shape == (1, 9)


def test_text_is_broken_and_cut():
    assert broken("", 10) == []
    assert broken("one two three", 7) == ["one two", "three"]
    assert broken("x" * 30, 10) == ["x" * 9 + "…"]
    assert fitted(np.zeros((1, 100)), 2.0) == (2.0, 0.24)


def test_any_text_is_drawn_and_the_same_gives_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        row = Row([Tile(np.eye(3), caption="$\\frac{ 猫\n\x00")], ["\ud800$"], remark=["größe " * 30])
        tile_rows([row], tmp_path / name, title="$ 猫\n" * 50, note="$" * 300)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_nothing_to_draw_is_refused(tmp_path):
    for rows in ([], [Row([])]):
        with pytest.raises(ShapeError, match="at least one"):
            tile_rows(rows, tmp_path / "a.png", title="x")
    assert list(tmp_path.iterdir()) == []
