"""The three ways to connect a layer cost what torch's and striate's own layers have as weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.core.errors import ShapeError
from striate.geometry import compare_connectivity, trace
from striate.nn import LocallyConnected


def test_the_lectures_figures() -> None:
    numbers, maps, local, shared = compare_connectivity((200, 200), kernel=3, outputs=100)
    assert numbers.weights == 4_000_000
    assert maps.weights == pytest.approx(1.57e11, rel=2e-3)
    assert local.weights == pytest.approx(35.3e6, rel=1e-3)
    assert shared.weights == 900
    assert maps.output == local.output == shared.output == (100, 198, 198)
    assert local.multiply_adds == shared.multiply_adds == local.weights
    assert shared.to_dict()["output"] == [100, 198, 198]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [((9,), 3, 2, 1), ((8, 7), (3, 2), (2, 1), 0), ((4, 5, 6), 2, 1, 1)],
)
def test_the_figures_are_those_of_the_layers(size, kernel, stride, padding) -> None:
    _, maps, local, shared = compare_connectivity(
        size, kernel=kernel, inputs=2, outputs=3, stride=stride, padding=padding
    )
    dims = len(size)
    convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1](2, 3, kernel, stride, padding, bias=False)
    found = trace(convolution, (2, *size))
    assert (found.parameters, found.multiply_adds) == (shared.weights, shared.multiply_adds)
    assert found.layers[0].output == shared.output
    unshared = LocallyConnected(2, 3, size=size, kernel=kernel, dims=dims, stride=stride, padding=padding)
    assert unshared.weight.numel() == local.weights
    assert trace(unshared, (2, *size)).multiply_adds == local.multiply_adds
    dense = nn.Linear(
        torch.Size((2, *size)).numel(), torch.Size(maps.output).numel(), bias=False, device="meta"
    )
    assert dense.weight.numel() == maps.weights == maps.multiply_adds


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ShapeError, match="larger than its input of 2"):
        compare_connectivity((2, 2), kernel=3)
    with pytest.raises(ShapeError, match="0 input and 1 output channels cannot be"):
        compare_connectivity((4, 4), kernel=3, inputs=0)
