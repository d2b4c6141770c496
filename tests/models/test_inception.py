"""Inception-v3: published counts and names, every kind of block by its formula, and its refusals."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.models import inception_v3
from striate.models.inception import (
    ConvNorm,
    _average,
    _coarse,
    _fine,
    _first_reduction,
    _second_reduction,
    _wide,
)

ENTRIES = 566
"""Of the published file."""


@pytest.fixture(scope="module")
def on_meta() -> nn.Module:
    with torch.device("meta"):
        return inception_v3().eval()


def test_counts_are_the_published_ones(on_meta) -> None:
    # 21,802,784 values without head are stated for the network whose norms have no scale (17,216 channels).
    head = 2048 * 1008 + 1008
    assert sum(parameter.numel() for parameter in on_meta.parameters()) == 21_802_784 - 17_216 + head
    assert len(on_meta.state_dict()) == ENTRIES
    assert sum(isinstance(part, nn.Conv2d) for part in on_meta.modules()) == 94


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("Conv2d_1a_3x3.conv.weight", (32, 3, 3, 3)),
        ("Conv2d_3b_1x1.bn.running_var", (80,)),
        ("Mixed_5b.branch5x5_2.conv.weight", (64, 48, 5, 5)),
        ("Mixed_5d.branch_pool.bn.weight", (64,)),
        ("Mixed_6a.branch3x3.conv.weight", (384, 288, 3, 3)),
        ("Mixed_6c.branch7x7_2.conv.weight", (160, 160, 1, 7)),
        ("Mixed_6e.branch7x7dbl_4.conv.weight", (192, 192, 7, 1)),
        ("Mixed_7a.branch7x7x3_4.conv.weight", (192, 192, 3, 3)),
        ("Mixed_7c.branch3x3_2b.conv.weight", (384, 384, 3, 1)),
        ("Mixed_7c.branch3x3dbl_3a.conv.weight", (384, 384, 1, 3)),
        ("Mixed_7b.branch3x3dbl_1.bn.num_batches_tracked", ()),
        ("fc.weight", (1008, 2048)),
    ],
)
def test_names_and_shapes_are_those_of_the_published_file(on_meta, name, shape) -> None:
    assert tuple(on_meta.state_dict()[name].shape) == shape


def test_maps_have_the_published_sizes(on_meta) -> None:
    seen = {}
    handles = [
        part.register_forward_hook(lambda _, __, out, name=name: seen.update({name: tuple(out.shape[1:])}))
        for name, part in on_meta.named_children()
    ]
    try:
        assert on_meta(torch.empty(2, 3, 299, 299, device="meta")).shape == (2, 1008)
    finally:
        for handle in handles:
            handle.remove()
    assert seen["Conv2d_1a_3x3"] == (32, 149, 149)
    assert seen["Conv2d_2b_3x3"] == (64, 147, 147)
    assert seen["Conv2d_4a_3x3"] == (192, 71, 71)
    assert seen["Mixed_5b"] == (256, 35, 35)
    assert seen["Mixed_5d"] == (288, 35, 35)
    assert seen["Mixed_6e"] == (768, 17, 17)
    assert seen["Mixed_7a"] == (1280, 8, 8)
    assert seen["Mixed_7c"] == (2048, 8, 8)


def unlike_new(block: nn.Module) -> nn.Module:
    """Give the norms of a block figures that a new one does not have."""
    torch.manual_seed(0)
    for part in block.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias)
    return block.double().eval()


def applied(layer: ConvNorm, images: Tensor, *, stride: int = 1) -> Tensor:
    """Convolve, padded by half a window unless there is a stride, normalise and rectify, by the formulas."""
    weight, norm = layer.conv.weight, layer.bn
    padding = [side // 2 if stride == 1 else 0 for side in weight.shape[2:]]
    found = F.conv2d(images, weight, stride=stride, padding=padding)
    mean, variance, scale, offset = (
        values.view(1, -1, 1, 1) for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return ((found - mean) / (variance + 0.001).sqrt() * scale + offset).clamp(min=0)


def average(images: Tensor) -> Tensor:
    """Average over the 3x3 neighbours that there are."""
    ones = torch.ones_like(images[:, :1])
    kernel = torch.ones(1, 1, 3, 3, dtype=images.dtype)
    sums = F.conv2d(images.flatten(0, 1)[:, None], kernel, padding=1)[:, 0].view_as(images)
    return sums / F.conv2d(ones, kernel, padding=1)


@torch.no_grad()
def test_the_block_for_fine_maps_is_its_formula() -> None:
    block, images = unlike_new(_fine(6, pooled=5)), torch.randn(2, 6, 5, 7, dtype=torch.double)
    double = applied(block.branch3x3dbl_2, applied(block.branch3x3dbl_1, images))
    expected = [
        applied(block.branch1x1, images),
        applied(block.branch5x5_2, applied(block.branch5x5_1, images)),
        applied(block.branch3x3dbl_3, double),
        applied(block.branch_pool, average(images)),
    ]
    assert torch.allclose(block(images), torch.cat(expected, 1), atol=1e-10)


@torch.no_grad()
def test_the_reductions_are_their_formulas() -> None:
    images = torch.randn(2, 6, 7, 9, dtype=torch.double)
    pooled = F.max_pool2d(images, 3, stride=2)
    block = unlike_new(_first_reduction(6))
    double = applied(block.branch3x3dbl_2, applied(block.branch3x3dbl_1, images))
    expected = [
        applied(block.branch3x3, images, stride=2),
        applied(block.branch3x3dbl_3, double, stride=2),
        pooled,
    ]
    assert torch.allclose(block(images), torch.cat(expected, 1), atol=1e-10)
    block = unlike_new(_second_reduction(6))
    long = applied(block.branch7x7x3_3, applied(block.branch7x7x3_2, applied(block.branch7x7x3_1, images)))
    expected = [
        applied(block.branch3x3_2, applied(block.branch3x3_1, images), stride=2),
        applied(block.branch7x7x3_4, long, stride=2),
        pooled,
    ]
    assert torch.allclose(block(images), torch.cat(expected, 1), atol=1e-10)


@torch.no_grad()
def test_the_block_of_rows_and_columns_is_its_formula() -> None:
    block, images = unlike_new(_wide(6, inner=4)), torch.randn(2, 6, 5, 8, dtype=torch.double)
    short = applied(block.branch7x7_2, applied(block.branch7x7_1, images))
    long = images
    for number in range(1, 6):
        long = applied(block.get_submodule(f"branch7x7dbl_{number}"), long)
    expected = [
        applied(block.branch1x1, images),
        applied(block.branch7x7_3, short),
        long,
        applied(block.branch_pool, average(images)),
    ]
    assert torch.allclose(block(images), torch.cat(expected, 1), atol=1e-10)


@pytest.mark.parametrize("takes_maximum", [False, True])
@torch.no_grad()
def test_the_blocks_for_coarse_maps_fork_and_the_last_takes_the_maximum(takes_maximum) -> None:
    pooling = nn.MaxPool2d(3, stride=1, padding=1) if takes_maximum else _average()
    block, images = unlike_new(_coarse(6, pooling=pooling)), torch.randn(2, 6, 4, 5, dtype=torch.double)
    single = applied(block.branch3x3_1, images)
    double = applied(block.branch3x3dbl_2, applied(block.branch3x3dbl_1, images))
    pooled = F.max_pool2d(images, 3, stride=1, padding=1) if takes_maximum else average(images)
    expected = [
        applied(block.branch1x1, images),
        applied(block.branch3x3_2a, single),
        applied(block.branch3x3_2b, single),
        applied(block.branch3x3dbl_3a, double),
        applied(block.branch3x3dbl_3b, double),
        applied(block.branch_pool, pooled),
    ]
    assert torch.allclose(block(images), torch.cat(expected, 1), atol=1e-10)


def test_the_last_block_alone_takes_the_maximum(on_meta) -> None:
    pooling = {name: type(getattr(part, "_pooling", None)) for name, part in on_meta.named_children()}
    assert pooling["Mixed_7c"] is nn.MaxPool2d
    averaging = [name for name, kind in pooling.items() if kind is nn.AvgPool2d]
    assert averaging == [
        "Mixed_5b",
        "Mixed_5c",
        "Mixed_5d",
        "Mixed_6b",
        "Mixed_6c",
        "Mixed_6d",
        "Mixed_6e",
        "Mixed_7b",
    ]
    assert not any(on_meta.get_submodule(name)._pooling.count_include_pad for name in averaging)


def test_wrong_images_and_numbers_are_refused(on_meta) -> None:
    assert on_meta(torch.empty(1, 3, 75, 75, device="meta")).shape == (1, 1008)
    with pytest.raises(ShapeError, match="74x80, where 75x75 and larger fit"):
        on_meta(torch.empty(1, 3, 74, 80, device="meta"))
    with pytest.raises(ShapeError, match="Conv2d_1a_3x3"):
        on_meta(torch.empty(1, 1, 99, 99, device="meta"))
    with pytest.raises(LayerError, match="classes is 0"):
        inception_v3(classes=0)
