"""Pictures of searches: with many trials, with one, and with none that came to its end."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.plots.search import search_coordinates, search_importance

PARAMETERS = [
    {"kind": "Choice", "name": "network", "options": ["default", "stacked"]},
    {"kind": "Real", "name": "rate_factor", "low": 0.2, "high": 5.0, "step": None},
    {"kind": "Whole", "name": "maps_1", "low": 16, "high": 64, "step": 8},
    {"kind": "Whole", "name": "poolings", "low": 1, "high": 1, "step": 1},
    {"kind": "Real", "name": "dropout", "low": 0.0, "high": 0.5, "step": 0.1},
    {"kind": "Choice", "name": "only", "options": ["one"]},
]


def search(count: int, states: tuple[str, ...] = ("complete", "pruned")) -> dict[str, Any]:
    generator = np.random.default_rng(1)
    trials = []
    for number in range(count):
        values: dict[str, Any] = {
            "network": "default",
            "rate_factor": float(generator.uniform(0.2, 5)),
            "only": "one",
        }
        if number % 2:
            values |= {"network": "stacked", "maps_1": 16 + 8 * (number % 7), "poolings": 1, "dropout": 0.1}
        accuracy = float(generator.uniform(0.8, 0.9))
        state = states[number % len(states)]
        trials.append({"number": number, "values": values, "state": state, "accuracy": accuracy})
    importances = [
        {"name": f"$name_{number}$", "share": 0.5 / (number + 1), "trials": 9} for number in range(4)
    ]
    return {
        "source": "my $photos$ 名",
        "parameters": PARAMETERS,
        "trials": trials,
        "trial_minutes": 0.2,
        "trial_images": 13750,
        "importances": importances if count > 5 else [],
    }


@pytest.mark.parametrize(
    ("count", "states"),
    [(30, ("complete", "pruned")), (1, ("complete",)), (3, ("pruned",)), (0, ("complete",))],
)
def test_pictures_are_drawn_without_a_warning(tmp_path, count, states) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search_coordinates(search(count, states), tmp_path / "a.png")
        search_importance(search(count, states), tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG"
            assert 700 < picture.width < 2200
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.png", "b.png"]
