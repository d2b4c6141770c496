"""The part of the image that a unit sees is the one that autograd says, for any layer and any unit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.explain import layer_field
from striate.explain.layers import find_layer


def seen_by_gradient(network: nn.Module, images: Tensor, layer: str, position: list[int]) -> list[slice]:
    """From the first to the last element along each axis with a gradient, all weights being positive."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(0.1)
    kept: list[Tensor] = []
    handle = find_layer(network, layer).register_forward_hook(lambda _, __, output: kept.append(output))
    leaf = torch.ones_like(images).requires_grad_()
    network(leaf)
    handle.remove()
    (gradient,) = torch.autograd.grad(kept[-1][0, :, *position].sum(), leaf)
    moved = gradient[0].abs().sum(dim=0) > 0
    found = []
    for axis in range(moved.ndim):
        along = moved.movedim(axis, 0).reshape(len(moved), -1).any(dim=1).nonzero()
        found.append(slice(int(along.min()), int(along.max()) + 1))
    return found


CONVOLUTIONS = st.tuples(st.integers(1, 4), st.integers(1, 2), st.integers(0, 2), st.integers(1, 2))


@given(layers=st.lists(CONVOLUTIONS, min_size=1, max_size=3), dims=st.integers(1, 2), data=st.data())
@settings(max_examples=40)
def test_every_unit_sees_what_its_gradient_reaches(layers, dims, data) -> None:
    kind = (nn.Conv1d, nn.Conv2d)[dims - 1]
    network = nn.Sequential(
        *(
            kind(1, 1, kernel, stride=stride, padding=min(padding, kernel // 2), dilation=dilation)
            for kernel, stride, padding, dilation in layers
        )
    )
    images = torch.zeros(1, 1, *[64] * dims)  # enough for any three of them
    layer = str(data.draw(st.integers(0, len(layers) - 1)))
    field = layer_field(network, images, layer)
    position = [data.draw(st.integers(0, size - 1)) for size in field.size]
    seen = seen_by_gradient(network, images, layer, position)
    window = field.window(position)
    for part, reached, along in zip(window, seen, field.fields, strict=True):
        assert part.start <= reached.start
        assert reached.stop <= part.stop
        if part.stop - part.start == along.size:  # at borders a gap of a dilated window may lie inside
            assert part == reached


class Block(nn.Module):
    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 1, 3, stride=stride, padding=1), nn.Conv2d(1, 1, 3, padding=1))
        self.skip = nn.Conv2d(1, 1, 1, stride=stride)
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        return self.relu(self.body(self.relu(images)) + self.skip(images))


@pytest.mark.parametrize("layer", ["1", "2", "1.body", "2.skip", "1.relu (2)", "2.relu", "0.0"])
def test_whole_stages_and_second_calls_have_a_field(layer) -> None:
    network = nn.Sequential(nn.Sequential(nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1)), Block(), Block(2)).eval()
    images = torch.zeros(1, 1, 20, 20)
    field = layer_field(network, images, layer)
    assert field.note == ""
    if layer != "2.relu":  # whose first call is meant, and the hook of the test keeps the last
        position = [size // 2 for size in field.size]
        plain = layer.removesuffix(" (2)")
        assert list(field.window(position)) == seen_by_gradient(network, images, plain, position)


def test_what_lies_in_the_padding_is_left_out_and_places_align() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 5, padding=2), nn.MaxPool2d(2))
    field = layer_field(network, torch.zeros(1, 1, 12, 12), "1")
    assert (field.extent, field.size, field.channels) == ((6, 6), (6, 6), 2)
    assert field.window([0, 3]) == (slice(0, 4), slice(4, 10))
    assert field.offset([0, 3]) == (2, 0)
    assert field.offset([5, 5]) == (0, 0)
    for row in range(6):
        window, offset = field.window([row, 0])[0], field.offset([row, 0])[0]
        assert window.start - offset == 2 * row - 2


def test_a_field_larger_than_the_image_is_the_image() -> None:
    network = nn.Sequential(*(nn.Conv1d(1, 1, 5, padding=2) for _ in range(5)))
    field = layer_field(network, torch.zeros(1, 1, 8), "4")
    assert field.extent == (8,)
    assert field.window([0]) == (slice(0, 8),)
    assert field.offset([0]) == (0,)


class Choosing(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images * 2 if images.mean().item() > 0 else images


def test_where_it_cannot_be_followed_all_of_the_image_is_seen_and_the_reason_said() -> None:
    network = nn.Sequential(Choosing(), nn.Conv2d(1, 1, 3))
    field = layer_field(network, torch.ones(1, 1, 6, 6), "1")
    assert field.window([0, 0]) == (slice(0, 6), slice(0, 6))
    assert "unknown" in field.note
    assert field.to_dict()["fields"] == [None, None]


def test_what_is_no_map_or_out_of_range_is_refused() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 3))
    images = torch.zeros(1, 1, 6, 6)
    with pytest.raises(LayerError, match=r"layer '2' gives 3 values.*'0' is the last that gives maps"):
        layer_field(network, images, "2")
    field = layer_field(network, images, "0")
    with pytest.raises(LayerError, match=r"no position \(4, 0\): its map is 4x4"):
        field.window([4, 0])
    with pytest.raises(LayerError, match="no position"):
        field.window([0])
    with pytest.raises(LayerError, match="has no channel 2: it has 2, which are 0 to 1"):
        field.check_channel(2)
