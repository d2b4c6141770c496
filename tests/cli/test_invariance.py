"""What --invariance measures, draws and says."""

import json

import numpy as np
import pytest
from PIL import Image

from striate.cli.explaining import Explained
from striate.cli.invariance import measure_invariance
from striate.core.errors import AttackError
from striate.core.events import ignore
from striate.data import Split


@pytest.fixture
def explained() -> Explained:
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers = nn.Conv2d(1, 6, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(6, 3)
    network = nn.Sequential()
    network.add_module("network", nn.Sequential(*layers))
    return Explained(
        network=network,
        classes=("cat", "dog", "owl"),
        size=(20, 24),
        channels=1,
        fill=(0,),
        inside="network.",
    )


def split(count: int, shape: tuple[int, int] = (20, 24)) -> Split:
    numbers = np.random.default_rng(0)
    return Split(numbers.integers(0, 256, (count, 1, *shape), np.uint8), numbers.integers(0, 3, count))


def test_curves_worst_images_and_layers_are_measured_drawn_and_said(explained, tmp_path):
    outcome = measure_invariance(explained, "runs/x", split(12), tmp_path / "a.png", ignore, images=8)
    result = json.loads(json.dumps(outcome.result))
    assert result["invariance"]["images"] == 8
    assert len(result["invariance"]["curves"]) == len(outcome.rows) == 28
    assert [layer["name"] for layer in result["invariance"]["layers"]] == ["0", "1"]
    assert len(set(result["rows"])) == 8
    for path in result["out"]:
        with Image.open(path) as drawn:
            assert drawn.format == "PNG"
    assert result["out"][0] == str(tmp_path / "a.png")
    assert "8 images of runs/x" in outcome.lines[0]


def test_images_that_are_too_small_are_one_sentence(explained, tmp_path):
    with pytest.raises(AttackError, match="16 pixels"):
        measure_invariance(explained, "runs/x", split(4, (8, 8)), tmp_path / "a.png", ignore)
    assert not list(tmp_path.iterdir())
