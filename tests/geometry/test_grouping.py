"""Rows hold every layer once, add up, and are few enough to be read."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.core.errors import LayerError
from striate.geometry import Trace, grouped, trace
from striate.geometry.grouping import MOST_ROWS
from striate.models import CATALOGUE


def traced(name: str) -> Trace:
    with torch.device("meta"):
        network = CATALOGUE[name](channels=3)
    return trace(network, (3, 224, 224))


@pytest.mark.parametrize("depth", [None, 0, 1, 2, 3, 9])
@pytest.mark.parametrize("name", ["resnet50", "vgg16"])
def test_every_layer_is_in_one_row_and_the_figures_add_up(name, depth) -> None:
    found = traced(name)
    groups = grouped(found, depth=depth)
    assert [number for group in groups for number in group.layers] == list(range(len(found.layers)))
    for figure in ("parameters", "multiply_adds", "activation_bytes"):
        total = sum(getattr(layer, figure) for layer in found.layers)
        assert sum(getattr(group, figure) for group in groups) == total
    assert groups[-1].output == (1000,)


@pytest.mark.parametrize("name", ["lenet", "vgg19-bn", "resnet18", "resnet152", "resnet110"])
def test_a_network_of_any_depth_is_read_on_one_page(name) -> None:
    size = 28 if name == "lenet" else 224
    with torch.device("meta"):
        network = CATALOGUE[name]()
    rows = grouped(trace(network, (1 if name == "lenet" else 3, size, size)))
    assert 5 <= len(rows) <= MOST_ROWS


def test_equal_blocks_are_one_row() -> None:
    groups = grouped(traced("resnet152"), depth=2)
    names = [group.name for group in groups]
    assert "layer3.1 to layer3.35" in names
    run = groups[names.index("layer3.1 to layer3.35")]
    assert (run.times, run.kind, run.joins) == (35, "Bottleneck", True)
    assert run.output == (1024, 14, 14)
    assert run.to_dict()["times"] == 35


def test_functions_of_the_network_stand_by_themselves_and_those_of_parts_with_the_part() -> None:
    groups = grouped(traced("resnet18"), depth=1)
    names = [(group.name, group.kind) for group in groups]
    assert ("layer1", "Sequential") in names
    assert ("", "flatten") in names
    assert [group.is_module for group in groups].count(True) == 4


def test_a_negative_depth_is_refused() -> None:
    with pytest.raises(LayerError, match="depth -1"):
        grouped(trace(nn.Linear(3, 2), (3,)), depth=-1)
