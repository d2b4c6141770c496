"""The benchmark of series: clips that no middle frame tells, and the neighbours beside it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "series.py"


@pytest.fixture(scope="module")
def series() -> ModuleType:
    spec = importlib.util.spec_from_file_location("series_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["series_benchmark"] = module
    spec.loader.exec_module(module)
    return module


def test_garments_move_as_their_class_says_and_middle_frames_are_alike(series) -> None:
    square = np.zeros((200, 28, 28), np.uint8)
    square[:, 4:24, 4:24] = 200
    clips, ways = series.clips_of(square, seed=0)
    assert clips.shape == (200, 1, 5, 28, 28)
    assert np.bincount(ways).tolist() == [40] * 5
    rows, columns = np.mgrid[:28, :28] + 0.5
    weights = clips[:, 0].astype(float)
    total = weights.sum(axis=(2, 3))
    across, down = ((weights * axis).sum(axis=(2, 3)) / total for axis in (columns, rows))
    for way, (right, below) in enumerate([(-1, 0), (1, 0), (0, -1), (0, 1), (0, 0)]):
        chosen = ways == way
        np.testing.assert_allclose((across[:, 4] - across[:, 0])[chosen], 6 * right, atol=0.6)
        np.testing.assert_allclose((down[:, 4] - down[:, 0])[chosen], 6 * below, atol=0.6)
        ratio = (total[:, 4] / total[:, 0])[chosen]
        np.testing.assert_allclose(ratio, 1.12**8 if way == 4 else 1, rtol=0.15)
        # By neither place nor size does the middle frame tell one class from another.
        for figure in (across[:, 2], down[:, 2], np.sqrt(total[:, 2])):
            apart = figure[chosen].mean() - figure[~chosen].mean()
            assert abs(apart) < 4 * figure.std() / np.sqrt(40)


def test_neighbours_are_the_nearest(series) -> None:
    arrays = {
        "x_train": np.array([[[0.0, 0.0]], [[1.0, 1.0]]]),
        "y_train": np.array(["a", "b"]),
        "x_test": np.array([[[0.1, 0.0]], [[0.9, 1.0]], [[0.2, 0.0]]]),
        "y_test": np.array(["a", "b", "b"]),
    }
    assert series.nearest_neighbour(arrays) == pytest.approx(2 / 3)
