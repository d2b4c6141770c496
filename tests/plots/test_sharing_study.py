"""Pictures of the sharing study, of one seed and of several."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from PIL import Image

from striate.plots.sharing_study import sharing_accuracy


def study(seeds: int) -> dict[str, Any]:
    accuracies = [0.8 + 0.01 * seed for seed in range(seeds)]
    mean = {"mean": 0.8, "low": None, "high": None} if seeds == 1 else {"mean": 0.8, "low": 0.7, "high": 0.9}
    cells = [
        {
            "layer": layer,
            "arrangement": arrangement,
            "images": images,
            "centred": accuracies,
            "shifted": accuracies,
            "centred_mean": mean,
            "shifted_mean": mean,
        }
        for images in (1000, 4000)
        for arrangement in ("centred", "shifted")
        for layer in ("shared", "local")
    ]
    return {"source": "digits", "margin": 4, "seeds": seeds, "test_images": 100, "cells": cells}


@pytest.mark.parametrize("seeds", [1, 5])
def test_pictures_are_drawn_without_a_warning(tmp_path, seeds):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sharing_accuracy(study(seeds), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert 1400 < picture.width < 2200
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
