"""Pictures of learning curves: one seed and several, errors of 0, with and without a larger network."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from PIL import Image

from striate.plots.learning_curve import learning_curve


def study(*, seeds: int, larger: bool, best: float = 0.9) -> dict[str, Any]:
    def point(network: str, images: int, accuracy: float) -> dict[str, Any]:
        spread = None if seeds == 1 else 0.02
        mean = {
            "mean": accuracy,
            "low": None if spread is None else accuracy - spread,
            "high": None if spread is None else accuracy + spread,
        }
        return {"network": network, "images": images, "accuracies": [accuracy] * seeds, "mean": mean}

    points = [point("usual", 100, 0.7), point("usual", 200, 0.8), point("usual", 400, best)]
    if larger:
        points += [point("larger", 200, 0.85), point("larger", 400, best)]
    counts = [100, 200, 400, 800, 1600]
    return {
        "source": "a $name$",
        "part": "test",
        "measured_images": 360,
        "models": ["small", "large"] if larger else ["small"],
        "seeds": seeds,
        "points": points,
        "law": {
            "scale": 0.1,
            "exponent": 0.5,
            "floor": 0.0,
            "reference": 400.0,
            "images": counts,
            "errors": [0.3, 0.2, 0.1, 0.05, 0.0],
            "intervals": [None] * 5 if seeds == 1 else [[0.0, 0.4]] * 5,
        },
    }


@pytest.mark.parametrize(("seeds", "larger", "best"), [(1, False, 0.9), (3, True, 0.9), (2, True, 1.0)])
def test_pictures_are_drawn_without_a_warning(tmp_path, seeds, larger, best) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learning_curve(study(seeds=seeds, larger=larger, best=best), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert 900 < picture.width < 1500
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
