"""What --dissect and --visualise measure, draw and say."""

import json

import numpy as np
import pytest
from PIL import Image

from striate.cli.explaining import Explained
from striate.cli.features import dissect_images, visualise_units
from striate.core.errors import LayerError
from striate.core.events import ignore


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


@pytest.fixture
def images() -> np.ndarray:
    from striate.explain import generated_patterns

    return (generated_patterns(30, (1, 20, 24))[0] * 255).byte().numpy()


def test_a_dissection_is_drawn_said_and_compared_with_an_untrained_twin(explained, images, tmp_path):
    outcome = dissect_images(explained, "runs/x", images, tmp_path / "found.png", ignore)
    assert json.loads(json.dumps(outcome.result))["dissection"]["layers"][0]["name"] == "1"
    assert outcome.lines[0].startswith("30 images, 27 concepts")
    assert outcome.lines[1].startswith("1: ")
    assert any("with untrained weights" in line for line in outcome.lines)
    for path in outcome.result["out"]:
        with Image.open(path) as drawn:
            assert drawn.format == "PNG"
    assert str(tmp_path / "found-concepts.png") in outcome.result["out"]


@pytest.mark.parametrize(("wanted", "units", "variants"), [("0", 6, 1), ("1:4", 1, 4), ("1:0,5", 2, 4)])
def test_channels_are_drawn_all_or_those_named(explained, images, tmp_path, wanted, units, variants):
    outcome = visualise_units(explained, wanted, images, tmp_path / "a.png", ignore)
    assert outcome.result["layer"] == wanted.partition(":")[0]
    assert [len(unit["reached"]) for unit in outcome.result["units"]] == [variants] * units
    assert "network." not in "".join(outcome.lines)
    with Image.open(tmp_path / "a.png") as drawn:
        assert min(drawn.size) > 100


@pytest.mark.parametrize(
    ("wanted", "match"),
    [("2:x", "names no channels of 2; such as 2:3"), ("nowhere", "no layer"), ("1:6", "no channel 6")],
)
def test_layers_and_channels_that_are_not_there_are_refused(explained, tmp_path, wanted, match):
    with pytest.raises(LayerError, match=match):
        visualise_units(explained, wanted, None, tmp_path / "a.png", ignore)
    assert not list(tmp_path.iterdir())
