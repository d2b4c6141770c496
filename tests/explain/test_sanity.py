"""Sanity puts the checks together, says how many images each figure is of, and finds what is planted."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Generator, nn

from striate.core.errors import LayerError
from striate.explain import METHODS, cascade, deletion, insertion, sanity
from striate.explain.attribution import Attribution
from striate.explain.planted import PlantedNetwork, edges_of_image

REGION = (slice(1, 4), slice(2, 6))


def planted() -> tuple[nn.Module, torch.Tensor]:
    images = torch.rand(5, 1, 8, 8, generator=Generator().manual_seed(0))
    return PlantedNetwork(REGION, size=(8, 8)), images


def test_its_figures_are_those_of_the_checks() -> None:
    network, images = planted()
    made = METHODS["gradient-x-input"](network, images)
    found = sanity(network, images, METHODS["gradient-x-input"])
    assert found.deletion == deletion(network, images, made.heat(), made.targets)
    assert found.insertion == insertion(network, images, made.heat(), made.targets)
    assert (found.method, found.images, found.layer, found.gap) == ("gradient_times_input", 5, None, None)
    assert found.cascade.images == found.deletion.images == 5
    alone = cascade(network, images, METHODS["gradient-x-input"], targets=made.targets)
    assert found.cascade.layers == alone.layers == ("head", "second", "first")


def test_the_right_map_beats_chance_and_one_without_weights_is_caught() -> None:
    network, images = planted()
    right = sanity(network, images, METHODS["occlusion"])
    assert right.deletion.area < right.random_deletion
    assert right.insertion.area > right.random_insertion
    assert "better than chance does" in right.finding
    wrong = sanity(network, images, edges_of_image)
    assert wrong.cascade.verdict == "does not depend"
    assert "its map does not depend on the weights (similarity 1.00" in wrong.finding
    assert "5 images" in wrong.finding


def test_the_gap_and_the_layer_are_passed_on_and_json_takes_all() -> None:
    network, images = planted()
    found = sanity(network, images, METHODS["integrated-gradients"], points=2)
    assert found.gap == pytest.approx(0, abs=1e-4)
    said = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert said["cascade"]["verdict"] == found.cascade.verdict
    assert said["deletion"]["area"] == found.deletion.area
    assert said["finding"] == found.finding
    assert sanity(network, images, METHODS["gradcam"], points=1).layer == "second_active"


def test_one_generator_gives_one_result() -> None:
    network, images = planted()
    one, other = (
        sanity(network, images, METHODS["smoothgrad"], generator=Generator().manual_seed(3)) for _ in range(2)
    )
    assert one == other


def test_maps_of_another_size_are_refused() -> None:
    def small(network, images, targets=None, *, generator=None) -> Attribution:
        del network, images, generator
        return Attribution("small", torch.zeros(5, 2, 2), targets)

    with pytest.raises(LayerError, match=r"small gives maps of \(5, 2, 2\), where \(5, 8, 8\) is wanted"):
        sanity(*planted(), small)
