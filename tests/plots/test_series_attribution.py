"""Maps of series are drawn under their lines, each with its scale."""

import warnings

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import SeriesTile, series_attribution_picture


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _picture(tiles, path) -> np.ndarray:
    series_attribution_picture(tiles, path, title="saliency", note="what the colours are")
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("shape", [(1, 20), (3, 300), (12, 5000)])
def test_series_of_any_kind_are_drawn(tmp_path, shape) -> None:
    random = np.random.default_rng(0)
    tiles = [
        SeriesTile(random.normal(size=shape), random.normal(size=shape[1]), f"a{row}.npy", ["b"])
        for row in (0, 1)
    ]
    assert min(_picture(tiles, tmp_path / "a.png").shape[:2]) > 200


def test_what_speaks_for_the_class_is_orange_and_against_it_blue(tmp_path) -> None:
    heat = np.repeat([1.0, -1.0], 50)
    picture = _picture([SeriesTile(np.zeros((1, 100)), heat, "a.npy")], tmp_path / "a.png")
    redder, bluer = (picture[..., a] - picture[..., b] > 60 for a, b in ((0, 2), (2, 0)))
    middle = picture.shape[1] * 0.42
    assert np.flatnonzero(redder.sum(axis=0) > 40).min() < middle / 2
    assert redder[:, : int(middle)].sum() > 10 * redder[:, int(middle) : int(middle * 2)].sum()
    assert bluer[:, int(middle * 1.2) : int(middle * 2)].sum() > 10 * bluer[:, : int(middle)].sum()


@pytest.mark.parametrize("heat", [np.zeros(5), np.full(6, np.nan)])
def test_maps_that_do_not_fit_are_refused(tmp_path, heat) -> None:
    with pytest.raises(ShapeError, match=r"the map of a is of \(\d,\) for a series of \(2, 6\)"):
        _picture([SeriesTile(np.zeros((2, 6)), heat, "a")], tmp_path / "a.png")
    with pytest.raises(ShapeError, match="there is no map to draw"):
        _picture([], tmp_path / "a.png")
