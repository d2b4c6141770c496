"""Receptive fields equal the exact support of the gradient, over the catalogue and over made-up networks."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from striate.core.errors import ShapeError
from striate.geometry import ReceptiveField, trace
from striate.models import CATALOGUE
from striate.models.cifar_resnet import AppendedChannels
from striate.models.sprint import OffsetNorm
from striate.nn import (
    AveragePool,
    BlurPool,
    Conv,
    L2Pool,
    LocallyConnected,
    MaxPool,
    MedianPool,
    MinPool,
    ModePool,
    PolyphaseSampling,
    Residual,
)

MOST_LAYERS = 5
"""How many layers of a network of the catalogue are compared, those that see more than the ones before."""


def thinned(network: nn.Module) -> nn.Module:
    """Leave one channel everywhere, which changes no receptive field and costs next to nothing."""
    for module in network.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            module.in_channels = module.out_channels = module.groups = 1
            module.weight = nn.Parameter(torch.ones(1, 1, *module.kernel_size))
            module.bias = None
        elif isinstance(module, Conv):
            module.inputs = module.outputs = module.groups = 1
            module.weight = nn.Parameter(torch.ones(1, 1, *module.kernel))
            module.bias = None
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            module.num_features = 1
            module.weight = nn.Parameter(torch.ones(1))
            module.bias = nn.Parameter(torch.zeros(1))
            module.running_mean, module.running_var = torch.zeros(1), torch.ones(1)
        elif isinstance(module, OffsetNorm):
            module.offset = nn.Parameter(torch.zeros(1, 1))
        elif isinstance(module, nn.Linear):
            module.weight = nn.Parameter(torch.ones(1, 1))  # never reached, and large
        elif isinstance(module, AppendedChannels):
            module.forward = nn.Identity().forward
    return network


def chosen_layers(network: nn.Module, shape: tuple[int, ...]) -> dict[str, tuple[int, int, int]]:
    """Choose layers of different fields, the last among them: size, jump and offset along the first axis."""
    found = {}
    for layer in trace(network, shape).layers:
        field = layer.fields[0] if layer.fields and layer.is_map else None
        if field is not None and not layer.functional and len(layer.output) == len(shape):
            found.setdefault((field.size, field.jump, field.offset), layer.name)
    by_size = sorted(found)
    step = max(1, math.ceil(len(by_size) / MOST_LAYERS))
    return {found[figures]: figures for figures in by_size[::-1][::step]}


def built(name: str, size: tuple[int, int]) -> nn.Module:
    """Build a network of the catalogue without memory, for images of one channel."""
    make = CATALOGUE[name]
    sized = {"size": size} if "size" in inspect.signature(make).parameters else {}
    with torch.device("meta"):
        return make(channels=1, **sized)


# Trunks take pixels as channels, of which a thinned network has only one.
BY_PLACES = [name for name in CATALOGUE if name != "mlp" and not name.endswith("-trunk")]


@pytest.mark.parametrize("name", BY_PLACES)
def test_fields_of_the_catalogue_are_the_support_of_the_gradient(name, oracle, record_property) -> None:
    size = 224 if name.startswith(("alexnet", "vgg", "resnet", "wide")) else 32
    layers = chosen_layers(built(name, (size, size)), (1, size, size))
    # High enough that what the middle unit sees ends before the border on both sides.
    height = max(extent + 4 * jump for extent, jump, _ in layers.values()) // 32 * 32 + 64
    # These have dense layers for one size; the compact ones choose their layers by the size.
    made_for = (height, 64) if name in ("lenet", "mnist-convnet") else (size, size)
    network = oracle.positive(thinned(built(name, made_for)).to_empty(device="cpu"))
    images = torch.rand(1, 1, height, 64, dtype=torch.float64, requires_grad=True)
    outputs = oracle.outputs_of(network, images, list(layers))
    assert outputs.keys() == layers.keys()
    for layer, (extent, jump, offset) in layers.items():
        unit = outputs[layer].shape[2] // 2
        (seen, _) = oracle.support(outputs[layer], images, (unit, outputs[layer].shape[3] // 2))
        assert seen == (offset + jump * unit, offset + jump * unit + extent - 1), layer
        assert 0 < seen[0] <= seen[1] < height - 1
    record_property("layers", len(layers))


class Pad(nn.Module):
    """Zeros before and after, as a function."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.amounts = (before, after)

    def forward(self, features: Tensor) -> Tensor:
        return F.pad(features, self.amounts)


class Beside(nn.Module):
    """Two convolutions of the same stride, concatenated and added to each other."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.narrow = nn.Conv1d(1, 1, 1, stride=stride)
        self.wide = nn.Conv1d(1, 1, kernel, stride=stride, padding=kernel // 2)

    def forward(self, features: Tensor) -> Tensor:
        narrow, wide = self.narrow(features), self.wide(features)
        size = min(narrow.shape[-1], wide.shape[-1])
        both = torch.cat([narrow[..., :size], wide[..., :size]], dim=1)
        return both.sum(dim=1, keepdim=True) + narrow[..., :size]


class Windows(nn.Module):
    """A pooling written with unfold."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.window = (kernel, stride)

    def forward(self, features: Tensor) -> Tensor:
        return features.unfold(2, *self.window).mean(dim=-1)


WHOLE_STEPS = st.one_of(
    st.builds(
        lambda kernel, stride, padding, dilation: nn.Conv1d(
            1, 1, kernel, stride=stride, padding=padding, dilation=dilation
        ),
        st.integers(1, 4),
        st.integers(1, 3),
        st.integers(0, 2),
        st.integers(1, 2),
    ),
    st.builds(lambda kernel, stride: nn.MaxPool1d(kernel, stride), st.integers(1, 3), st.integers(1, 3)),
    st.builds(lambda kernel: nn.AvgPool1d(kernel, 1, kernel // 2, ceil_mode=True), st.integers(2, 3)),
    st.builds(Pad, st.integers(-1, 2), st.integers(0, 2)),
    st.builds(Beside, st.sampled_from([1, 3, 5]), st.integers(1, 2)),
    st.builds(Windows, st.integers(1, 3), st.integers(1, 2)),
    st.builds(lambda: nn.Sequential(nn.BatchNorm1d(1), nn.ReLU())),
    st.builds(lambda: Residual(nn.Conv1d(1, 1, 3, padding=1))),
)
FINER_STEPS = st.one_of(
    st.builds(
        lambda stride, more: nn.ConvTranspose1d(1, 1, stride + more, stride=stride, padding=more // 2),
        st.integers(1, 3),
        st.integers(0, 2),
    ),
    st.builds(lambda factor: nn.Upsample(scale_factor=factor), st.integers(1, 3)),
    st.builds(lambda factor: nn.Upsample(scale_factor=factor, mode="linear"), st.integers(2, 3)),
)
LENGTH = 331


def followed(steps: list[nn.Module]) -> tuple[ReceptiveField | None, float]:
    """Give the field of a chain, and how near to the border padding and crops can play a part."""
    fields = [layer.fields[0] for layer in trace(nn.Sequential(*steps), (1, LENGTH)).layers if layer.fields]
    if not fields or None in fields:
        return None, 0
    return fields[-1], 2 + 4 * max(abs(field.jump) for field in fields if field is not None)


@settings(max_examples=70)
@given(steps=st.lists(WHOLE_STEPS, min_size=1, max_size=4))
def test_fields_of_made_up_networks_are_the_support_of_the_gradient(steps, oracle) -> None:
    try:
        field, margin = followed(steps)
    except ShapeError:
        return  # too many strides for the input
    if field is None:
        return
    images = torch.rand(1, 1, LENGTH, dtype=torch.float64, requires_grad=True)
    with oracle.Smooth():
        output = oracle.positive(nn.Sequential(*steps))(images)
    for unit in range(output.shape[2]):
        (seen,) = oracle.support(output, images, (unit,))
        allowed = field.elements(unit, size=LENGTH)
        assert seen is None or (seen[0] in allowed and seen[1] in allowed)
        low, high = field.first + field.jump * unit, field.last + field.jump * unit
        if margin <= low <= high < LENGTH - margin:
            assert seen == (low, high)


@settings(max_examples=70)
@given(
    before=st.lists(WHOLE_STEPS, max_size=2),
    finer=FINER_STEPS,
    after=st.lists(st.one_of(WHOLE_STEPS, FINER_STEPS), max_size=2),
    smooth=st.booleans(),
)
def test_no_element_of_an_enlarged_map_sees_more_than_its_field_and_some_see_all(
    before, finer, after, smooth, oracle
) -> None:
    steps = [*before, finer, *([nn.Conv1d(1, 1, 3)] if smooth else after)]
    try:
        field, margin = followed(steps)
    except ShapeError:
        return
    if field is None:
        return
    images = torch.rand(1, 1, LENGTH, dtype=torch.float64, requires_grad=True)
    with oracle.Smooth():
        output = oracle.positive(nn.Sequential(*steps))(images)
    early, late = [], []
    middle = output.shape[2] // 2
    for unit in range(max(0, middle - 20), min(output.shape[2], middle + 20)):
        (seen,) = oracle.support(output, images, (unit,))
        low, high = field.first + field.jump * unit, field.last + field.jump * unit
        if seen is not None:
            assert max(low, 0) <= seen[0] <= seen[1] <= min(high, LENGTH - 1)
            if margin <= low <= high < LENGTH - margin:
                early.append(seen[0] - low)
                late.append(high - seen[1])
    # A stride behind can leave out the very places of the finer grid that see the most.
    if smooth and len(early) >= 18:
        assert min(early) < 1
        assert min(late) < 1


def select(kind: type[nn.Module]) -> nn.Module:
    return kind((3, 2), stride=2, padding=1)


@pytest.mark.parametrize(
    "layer",
    [
        Conv(2, 3, kernel=(5, 3), stride=2, padding="same-tf"),
        Conv(2, 3, kernel=3, padding="same", dilation=2),
        LocallyConnected(2, 3, size=(14, 12), kernel=(3, 2), stride=2, padding=1),
        BlurPool(2, kernel=4),
        BlurPool(2, kernel=3, padding_mode="circular"),
        PolyphaseSampling(),
        select(MaxPool),
        select(MinPool),
        select(AveragePool),
        select(L2Pool),
        select(MedianPool),
        ModePool((3, 2), stride=2, padding=1, bins=3),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_fields_of_our_layers_are_the_support_of_the_gradient_over_many_images(layer, oracle) -> None:
    network = oracle.positive(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), layer))
    (_, found) = trace(network, (2, 14, 12)).layers
    images = torch.rand(200, 2, 14, 12, dtype=torch.float64, requires_grad=True)
    output = network(images)
    unit = (output.shape[2] // 2, output.shape[3] // 2)
    # What is selected differs from image to image; together they see all that a window holds.
    seen = oracle.support(output, images, unit)
    for (first, last), field, index in zip(seen, found.fields, unit, strict=True):
        assert (first, last) == (field.first + field.jump * index, field.last + field.jump * index)


@pytest.mark.parametrize("downsample", ["blur", "polyphase"])
def test_other_ways_to_sample_are_followed(downsample) -> None:
    network = CATALOGUE["resnet20"](channels=1, downsample=downsample, padding_mode="circular")
    found = trace(network, (1, 64, 64))
    assert found.final_field is not None
    assert found.final_field[0] is not None
    plain = trace(CATALOGUE["resnet20"](channels=1), (1, 64, 64)).final_field
    assert plain is not None
    assert found.final_field[0].jump == plain[0].jump == 4
    assert found.final_field[0].size > plain[0].size
