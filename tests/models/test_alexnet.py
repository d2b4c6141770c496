"""AlexNet in both forms: published counts, torchvision's names, towers, norms and first weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.core.errors import ShapeError
from striate.models import alexnet, alexnet_2012

SINGLE_TOWER = {
    "features.0": (64, 3, 11, 11),
    "features.3": (192, 64, 5, 5),
    "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3),
    "features.10": (256, 256, 3, 3),
    "classifier.1": (4096, 9216),
    "classifier.4": (4096, 4096),
    "classifier.6": (1000, 4096),
}
"""The layers of torchvision's checkpoint and the shapes of their weights."""

TWO_TOWERS = [
    (96, 3, 11, 11),
    (256, 48, 5, 5),
    (384, 256, 3, 3),
    (384, 192, 3, 3),
    (256, 192, 3, 3),
    (4096, 9216),
    (4096, 4096),
    (1000, 4096),
]
"""The weights of the paper's layers: 48 and 192 inputs are one tower's half."""


def numbers(shapes: list[tuple[int, ...]]) -> int:
    return sum(torch.Size(shape).numel() + shape[0] for shape in shapes)


def small(make, *, towers: bool) -> nn.Module:
    """Build without the costly dense layers, with weights that are not tiny."""
    with torch.device("meta"):
        network = make(classes=3)
        network.classifier = nn.Linear(9216, 3)
    network.to_empty(device="cpu")
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.05)
    assert any(getattr(part, "groups", 1) == 2 for part in network.modules()) == towers
    return network.eval()


def test_the_single_tower_has_the_published_count_and_names() -> None:
    with torch.device("meta"):
        network = alexnet()
    shapes = {f"{name}.weight": shape for name, shape in SINGLE_TOWER.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in SINGLE_TOWER.items()}
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == shapes
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == numbers(list(SINGLE_TOWER.values())) == 61_100_840


def test_the_two_towers_have_the_count_of_the_paper_s_layers() -> None:
    with torch.device("meta"):
        network = alexnet_2012()
    weights = [tuple(parameter.shape) for parameter in network.parameters() if parameter.ndim > 1]
    assert weights == TWO_TOWERS
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == numbers(TWO_TOWERS) == 60_965_224


def test_the_towers_are_apart_in_the_second_fourth_and_fifth_convolution() -> None:
    network = small(alexnet_2012, towers=True)
    second, fourth, fifth = network.features[4], network.features[10], network.features[12]
    for convolution in (second, fourth, fifth):
        features = torch.rand(1, convolution.in_channels, 7, 7)
        before = convolution(features)
        features[:, convolution.in_channels // 2 :] += 1
        changed = (convolution(features) - before).abs().amax(dim=(0, 2, 3)) > 1e-4
        half = convolution.out_channels // 2
        assert not changed[:half].any()
        assert changed[half:].all()
    assert network.features[8].groups == 1


def test_the_response_norm_is_the_paper_s() -> None:
    with torch.device("meta"):
        network = alexnet_2012()
    torch.manual_seed(0)
    features = torch.rand(2, 96, 3, 4, dtype=torch.double) * 100
    expected = torch.empty_like(features)
    for channel in range(96):
        near = features[:, max(0, channel - 2) : channel + 3].square().sum(dim=1)
        expected[:, channel] = features[:, channel] / (2 + 1e-4 * near) ** 0.75
    assert torch.allclose(network.features[2](features), expected, rtol=1e-12)


def test_weights_begin_as_the_paper_says(monkeypatch) -> None:
    def draw_nothing(layer: nn.Module) -> None:
        del layer  # spares what is drawn over anyway

    monkeypatch.setattr(nn.Linear, "reset_parameters", draw_nothing)
    torch.manual_seed(0)
    network = alexnet_2012(classes=2)
    layers = [part for part in network.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    assert [part.bias.mean().item() for part in layers] == [0, 1, 0, 1, 1, 1, 1, 0]
    assert all(part.bias.std().item() == 0 for part in layers)
    assert all(part.weight.std().item() == pytest.approx(0.01, rel=0.03) for part in layers)


@pytest.mark.parametrize("make", [alexnet, alexnet_2012])
def test_224_pixels_leave_55_27_13_and_6(make) -> None:
    with torch.device("meta"):
        network = make()
        features, sizes = torch.empty(1, 3, 224, 224), []
        for part in network.features:
            features = part(features)
            sizes.append(features.shape[2])
    assert list(dict.fromkeys(sizes)) == [55, 27, 13, 6]
    assert features.shape == (1, 256, 6, 6)


@pytest.mark.parametrize("side", [63, 64, 100])
def test_other_sizes_can_be_given_afterwards_and_too_small_ones_are_refused(side) -> None:
    network = small(alexnet, towers=False)
    assert network(torch.rand(1, 3, side, side + 1)).shape == (1, 3)
    with pytest.raises(ShapeError, match=r"features\.0 got images of 62x80, where 63x63 and larger fit"):
        network(torch.rand(1, 3, 62, 80))


@pytest.mark.parametrize("make", [alexnet, alexnet_2012])
def test_polyphase_sampling_takes_the_sizes_told_and_refuses_others(make) -> None:
    with torch.device("meta"):
        network = make(classes=2, downsample="polyphase")
        for side in (94, 222, 254):
            assert network(torch.empty(1, 3, side, side)).shape == (1, 2)
        with pytest.raises(ShapeError):
            network(torch.empty(1, 3, 224, 224))


def test_a_size_of_other_axes_is_refused_before_anything_is_built() -> None:
    for size in [(224,), (64, 64, 64), (0, 64)]:
        with pytest.raises(ShapeError, match="where 2 whole numbers of at least 1 are wanted"):
            alexnet(size=size)
