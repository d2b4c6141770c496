"""The sum that a unit is said to be is its value, for every kind of convolution; of others it is said."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain import explain_unit
from striate.nn import Conv

KINDS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def last_unit(layer: nn.Module, images: Tensor) -> tuple[Tensor, int, list[int]]:
    with torch.no_grad():
        maps = layer(images)
    return maps[0], maps.shape[1] - 1, [size - 1 for size in maps.shape[2:]]


@given(
    dims=st.integers(1, 3),
    groups=st.sampled_from([1, 2, 4]),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    apart=st.sampled_from([(0, 1), (1, 1), (2, 1), (1, 2), (2, 2)]),
    bias=st.booleans(),
    mode=st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
    data=st.data(),
)
@settings(max_examples=60)
def test_the_total_is_the_value_and_the_terms_are_those_of_the_window(
    dims, groups, kernel, stride, apart, bias, mode, data
) -> None:
    torch.manual_seed(0)
    layer = KINDS[dims - 1](
        4,
        8,
        kernel,
        stride=stride,
        padding=apart[0],
        dilation=apart[1],
        groups=groups,
        bias=bias,
        padding_mode=mode,
    )
    network = nn.Sequential(nn.Tanh(), layer)
    images = torch.randn(1, 4, *[7] * dims)
    with torch.no_grad():
        maps = network(images)
    channel = data.draw(st.integers(0, 7))
    position = [data.draw(st.integers(0, size - 1)) for size in maps.shape[2:]]
    unit = explain_unit(network, images, "1", channel=channel, position=position)
    assert unit.value == maps[0, channel, *position].item()
    assert unit.sum.total == pytest.approx(unit.value, rel=1e-5, abs=1e-5)
    assert unit.sum.products.sum() + unit.sum.bias == pytest.approx(unit.sum.total)
    assert len(unit.sum.inputs) == 4 // groups
    assert unit.sum.kernel.tolist() == layer.weight[channel].tolist()
    assert bool(unit.note) == (mode != "zeros")


@pytest.mark.parametrize("kernel", [2, 3, 4])
def test_the_padding_called_same(kernel) -> None:
    torch.manual_seed(0)
    layer, images = nn.Conv2d(2, 3, kernel, padding="same"), torch.randn(1, 2, 6, 6)
    maps, channel, position = last_unit(layer, images)
    unit = explain_unit(nn.Sequential(layer), images, "0", channel=channel, position=position)
    assert unit.sum.total == pytest.approx(maps[-1, -1, -1].item(), rel=1e-5)
    assert ("before" in unit.note) == (kernel % 2 == 0)
    assert unit.sum.border.any() == (kernel == 3)


@pytest.mark.parametrize("padding", ["same-tf", "same", "valid", 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_own_convolutions(padding, stride) -> None:
    torch.manual_seed(0)
    layer = Conv(2, 3, kernel=3, stride=stride, padding=padding, dims=1)
    images = torch.randn(1, 2, 8)
    maps, channel, position = last_unit(layer, images)
    unit = explain_unit(layer, images, "", channel=channel, position=position)
    assert unit.sum.total == pytest.approx(maps[-1, -1].item(), rel=1e-5)


class Standardised(nn.Conv2d):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images - images.mean())


def test_what_is_not_one_sum_says_so_and_names_the_sum_before_it() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3),
        nn.BatchNorm2d(2),
        nn.ReLU(),
        nn.Sequential(nn.Conv2d(2, 2, 1)),
        Standardised(2, 2, 3),
    )
    images = torch.randn(1, 1, 9, 9)
    for layer, named in (("1", "'0'"), ("2", "'0'"), ("3", "'3.0'")):
        unit = explain_unit(network, images, layer, channel=1, position=[0, 0])
        assert unit.sum is None
        assert "not one sum" in unit.note
        assert named in unit.note
    unit = explain_unit(network, images, "4", channel=0, position=[0, 0])
    assert unit.sum is None
    assert "does more than a convolution" in unit.note
    alone = explain_unit(nn.ReLU(), images, "", channel=0, position=[1, 1])
    assert (alone.sum, alone.value) == (None, max(0.0, images[0, 0, 1, 1].item()))


def test_bfloat16_sums_are_the_value_but_for_rounding() -> None:
    torch.manual_seed(0)
    network, images = nn.Sequential(nn.Conv2d(3, 4, 3)).bfloat16(), torch.randn(1, 3, 6, 6)
    unit = explain_unit(network, images, "0", channel=0, position=[1, 2])
    assert unit.sum.total == pytest.approx(unit.value, rel=0.02, abs=0.02)


def test_the_text_says_what_it_sees_and_the_sum() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1))
    unit = explain_unit(network, torch.ones(1, 1, 5, 5), "0", channel=0, position=[0, 4])
    assert unit.window == (slice(0, 2), slice(3, 5))
    said = unit.text()
    assert "elements 0 to 1, 3 to 4" in said
    assert "5 of the window's 9 places lie in the zero border" in said


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"channel": 2}, LayerError, "has no channel 2: it has 2, which are 0 to 1"),
        ({"channel": -1}, LayerError, "has no channel -1"),
        ({"position": [4, 0]}, LayerError, "its map is 4x4"),
        ({"position": [0]}, LayerError, "its map is 4x4"),
        ({"layer": "9"}, LayerError, "no layer '9'"),
        ({"layer": "2"}, LayerError, "no places"),
        ({"image": torch.zeros(2, 1, 6, 6)}, ShapeError, "these are 2"),
        ({"image": torch.zeros(1, 3, 6, 6)}, ShapeError, "takes 1 channels"),
    ],
)
def test_what_there_is_not_is_refused(options, error, sentence) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 3))
    given = {"image": torch.zeros(1, 1, 6, 6), "layer": "0", "channel": 0, "position": [0, 0], **options}
    image, layer = given.pop("image"), given.pop("layer")
    with pytest.raises(error, match=sentence):
        explain_unit(network, image, layer, **given)
