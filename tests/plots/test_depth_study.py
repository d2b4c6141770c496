"""Pictures of the depth study, whole, of one seed, and with trainings that diverged."""

from __future__ import annotations

import copy
import json
import warnings
from typing import Any

import pytest
from PIL import Image

from striate.plots.depth_study import depth_curves, depth_gradients


def study(seeds: int = 2, factor: float = 0.8) -> dict[str, Any]:
    starts, courses = [], []
    for depth in (20, 56):
        for residual in (False, True):
            for activation in ("sigmoid", "ReLU"):
                for norm in (False, True):
                    variant = {"depth": depth, "residual": residual, "activation": activation, "norm": norm}
                    variant["label"] = f"{'residual' if residual else 'plain'}-{depth}, {activation}"
                    gradients = [[factor ** (depth - i) for i in range(depth)] for _ in range(seeds)]
                    starts.append({"variant": variant, "gradients": gradients})
                    curves = [
                        {"errors": [0.9, 0.5 + 0.01 * seed, 0.4], "diverged": False} for seed in range(seeds)
                    ]
                    courses.append({"variant": variant, "curves": curves, "test_error": {"mean": 0.4}})
    return {
        "source": "fashion-mnist",
        "size": [14, 14],
        "images": 6000,
        "test_images": 2000,
        "images_at_start": 32,
        "seeds": seeds,
        "starts": starts,
        "courses": courses,
    }


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> dict[Any, bytes]:
    """The pictures of a study without anything odd."""
    path = tmp_path_factory.mktemp("pictures") / "a.png"
    found = {}
    for draw in (depth_gradients, depth_curves):
        draw(study(), path)
        found[draw] = path.read_bytes()
    return found


@pytest.mark.parametrize("draw", [depth_gradients, depth_curves])
def test_pictures_are_drawn_and_alike_for_alike_figures(tmp_path, pictures, draw):
    draw(json.loads(json.dumps(study())), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert 1200 < picture.width < 2400
    assert (tmp_path / "a.png").read_bytes() == pictures[draw]
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("factor", [0.2, 5.0, 0.0])
def test_gradients_beyond_the_scale_are_told(tmp_path, pictures, factor):
    beyond = study(seeds=1, factor=factor)
    beyond["starts"] = [start for start in beyond["starts"] if start["variant"]["depth"] == 56]
    depth_gradients(beyond, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() != pictures[depth_gradients]


def test_trainings_that_diverged_end_where_they_did(tmp_path, pictures):
    broken = copy.deepcopy(study())
    broken["courses"][0]["curves"][0] = {"errors": [0.9], "diverged": True}
    broken["courses"][1]["curves"] = [{"errors": [], "diverged": True}] * 2
    broken["courses"][1]["test_error"] = None
    depth_curves(broken, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() != pictures[depth_curves]


def test_a_study_of_few_networks_is_drawn(tmp_path):
    for name, count in (("few", 1), ("none", 0)):
        few = study(seeds=1)
        few["starts"], few["courses"] = few["starts"][:count], few["courses"][:count]
        depth_gradients(few, tmp_path / f"{name}-gradients.png")
        depth_curves(few, tmp_path / f"{name}-curves.png")
    assert len(list(tmp_path.iterdir())) == 4
