"""The ImageNet residual networks: published counts, torchvision's names, and where the stride is."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.models import resnet18, resnet34, resnet50, resnet101, resnet152, wide_resnet50_2
from striate.models.layers import Layers
from striate.models.resnet import BasicBlock, Bottleneck

PUBLISHED = [
    # make, blocks a stage, convolutions a block, channels of the 3x3 in the first stage, parameters
    (resnet18, (2, 2, 2, 2), 2, 64, 11_689_512),
    (resnet34, (3, 4, 6, 3), 2, 64, 21_797_672),
    (resnet50, (3, 4, 6, 3), 3, 64, 25_557_032),
    (resnet101, (3, 4, 23, 3), 3, 64, 44_549_160),
    (resnet152, (3, 8, 36, 3), 3, 64, 60_192_808),
    (wide_resnet50_2, (3, 4, 6, 3), 3, 128, 68_883_240),
]


def norm_shapes(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    shapes = {f"{name}.{kind}": (channels,) for kind in ("weight", "bias", "running_mean", "running_var")}
    return {**shapes, f"{name}.num_batches_tracked": ()}


def checkpoint_shapes(depths: tuple[int, ...], convolutions: int, width: int) -> dict[str, tuple[int, ...]]:
    """Write out the tensors of torchvision's checkpoint by the rule of their names."""
    shapes = {"conv1.weight": (64, 3, 7, 7), **norm_shapes("bn1", 64)}
    inputs = 64
    for stage, depth in enumerate(depths):
        outputs = 64 * 2**stage * (1 if convolutions == 2 else 4)
        inner = width * 2**stage
        for block in range(depth):
            prefix = f"layer{stage + 1}.{block}"
            kernels = [(outputs, inputs, 3), (outputs, outputs, 3)]
            if convolutions == 3:
                kernels = [(inner, inputs, 1), (inner, inner, 3), (outputs, inner, 1)]
            for place, (out, into, side) in enumerate(kernels, 1):
                shapes[f"{prefix}.conv{place}.weight"] = (out, into, side, side)
                shapes |= norm_shapes(f"{prefix}.bn{place}", out)
            if inputs != outputs:
                shapes[f"{prefix}.downsample.0.weight"] = (outputs, inputs, 1, 1)
                shapes |= norm_shapes(f"{prefix}.downsample.1", outputs)
            inputs = outputs
    return {**shapes, "fc.weight": (1000, inputs), "fc.bias": (1000,)}


@pytest.mark.parametrize(("make", "depths", "convolutions", "width", "count"), PUBLISHED)
def test_counts_and_names_are_the_published_ones(make, depths, convolutions, width, count) -> None:
    shapes = checkpoint_shapes(depths, convolutions, width)
    with torch.device("meta"):
        network = make()
        checkpoint = {name: torch.empty(shape) for name, shape in shapes.items()}
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    trained = [shape for name, shape in shapes.items() if "running" not in name and "num_batches" not in name]
    assert sum(torch.Size(shape).numel() for shape in trained) == count
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == shapes
    network.load_state_dict(checkpoint, assign=True)
    # The older of these checkpoints do not count their batches.
    older = {name: tensor for name, tensor in checkpoint.items() if "num_batches_tracked" not in name}
    network.load_state_dict(older, assign=True)


def test_the_checkpoints_have_as_many_tensors_as_they_are_known_to_have() -> None:
    assert len(checkpoint_shapes((2, 2, 2, 2), 2, 64)) == 122
    assert len(checkpoint_shapes((3, 4, 6, 3), 3, 64)) == 320


@pytest.mark.parametrize("stride_in", ["3x3", "1x1"])
def test_the_stride_is_where_it_is_asked_for(stride_in) -> None:
    with torch.device("meta"):
        network = resnet50(stride_in=stride_in)
    for stage in (network.layer2, network.layer3, network.layer4):
        strides = [stage[0].conv1.stride[0], stage[0].conv2.stride[0], stage[0].conv3.stride[0]]
        assert strides == ([1, 2, 1] if stride_in == "3x3" else [2, 1, 1])
        assert stage[0].downsample[0].stride == (2, 2)
        assert all(part.stride == (1, 1) for part in stage[1:].modules() if isinstance(part, nn.Conv2d))


def test_the_placements_have_the_same_weights_and_differ() -> None:
    torch.manual_seed(0)
    block = Bottleneck(8, 16, stride=2, layers=Layers(), stride_in="3x3").eval()
    other = Bottleneck(8, 16, stride=2, layers=Layers(), stride_in="1x1").eval()
    other.load_state_dict(block.state_dict())
    features = torch.rand(2, 8, 6, 6)
    assert block(features).shape == other(features).shape == (2, 16, 3, 3)
    assert not torch.allclose(block(features), other(features), atol=1e-3)


def test_another_place_for_the_stride_is_refused() -> None:
    with torch.device("meta"), pytest.raises(LayerError, match="stride_in is '5x5', where '3x3' or '1x1'"):
        resnet50(stride_in="5x5")


def test_the_basic_block_is_its_formula() -> None:
    torch.manual_seed(0)
    block = BasicBlock(4, 6, stride=2, layers=Layers()).eval()
    for norm in (block.bn1, block.bn2, block.downsample[1]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    images = torch.randn(2, 4, 7, 8)
    main = normed(F.conv2d(images, block.conv1.weight, stride=2, padding=1), block.bn1).clamp(min=0)
    main = normed(F.conv2d(main, block.conv2.weight, padding=1), block.bn2)
    skip = normed(F.conv2d(images, block.downsample[0].weight, stride=2), block.downsample[1])
    assert torch.allclose(block(images), (main + skip).clamp(min=0), atol=1e-5)


def test_the_bottleneck_is_its_formula_and_keeps_its_input() -> None:
    torch.manual_seed(0)
    block = Bottleneck(16, 16, stride=1, layers=Layers(), widening=2).eval()
    images = torch.randn(2, 16, 5, 5)
    before = images.clone()
    main = F.conv2d(images, block.conv1.weight).div((1 + 1e-5) ** 0.5).clamp(min=0)
    main = F.conv2d(main, block.conv2.weight, padding=1).div((1 + 1e-5) ** 0.5).clamp(min=0)
    main = F.conv2d(main, block.conv3.weight).div((1 + 1e-5) ** 0.5)
    assert block.conv2.out_channels == 8
    assert torch.allclose(block(images), (main + images).clamp(min=0), atol=1e-5)
    assert images.equal(before)


def normed(features: Tensor, norm: nn.Module) -> Tensor:
    mean, variance, weight, bias = (
        values.view(1, -1, 1, 1) for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (features - mean) / (variance + 1e-5).sqrt() * weight + bias


def test_the_stages_halve_the_image_five_times() -> None:
    seen: dict[str, tuple[int, ...]] = {}
    with torch.device("meta"):
        network = resnet50()
        for name in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool"):
            keep = partial(remember, seen, name)
            getattr(network, name).register_forward_hook(keep)
        network(torch.empty(1, 3, 224, 224))
    assert seen == {
        "conv1": (64, 112, 112),
        "maxpool": (64, 56, 56),
        "layer1": (256, 56, 56),
        "layer2": (512, 28, 28),
        "layer3": (1024, 14, 14),
        "layer4": (2048, 7, 7),
        "avgpool": (2048, 1, 1),
    }


def remember(seen: dict[str, tuple[int, ...]], name: str, *called: Tensor) -> None:
    out = called[-1]  # after the module and its inputs
    seen[name] = tuple(out.shape[1:])


def test_circular_padding_refuses_images_it_would_go_round_twice() -> None:
    network = resnet18(classes=2, padding_mode="circular").eval()
    assert network(torch.rand(1, 3, 3, 3)).shape == (1, 2)
    with pytest.raises(ShapeError, match="conv1 got images of 2x9, where 3x3 and larger fit"):
        network(torch.rand(1, 3, 2, 9))
