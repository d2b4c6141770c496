"""EfficientNet-Lite: published counts, the published files' names, the block's formula, and known photos."""

from __future__ import annotations

import importlib.util
import math
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from striate.classifier import PUBLISHED, load_backbone, published_weights
from striate.core.errors import LayerError, ShapeError
from striate.data import decode_image
from striate.models import efficientnet_lite0, efficientnet_lite1, efficientnet_lite2
from striate.models.efficientnet_lite import InvertedBlock, rounded_channels

MAKE = {
    "efficientnet-lite0": efficientnet_lite0,
    "efficientnet-lite1": efficientnet_lite1,
    "efficientnet-lite2": efficientnet_lite2,
}
PARAMETERS = {
    "efficientnet-lite0": 4_652_008,
    "efficientnet-lite1": 5_416_680,
    "efficientnet-lite2": 6_092_072,
}
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
BEE, ANT = 309, 310
"""Places of these among ImageNet's 1,000 classes."""


@pytest.fixture(scope="module")
def lite0() -> nn.Module:
    network = efficientnet_lite0().eval()
    network.load_state_dict(published_weights("efficientnet-lite0"))
    return network


@pytest.mark.parametrize("name", MAKE)
def test_counts_and_names_are_the_published_ones(name) -> None:
    with torch.device("meta"):
        network = MAKE[name]()
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]
    if importlib.util.find_spec(str(PUBLISHED[name].package)) is None:
        pytest.skip(f"{PUBLISHED[name].package} is not installed")
    network.load_state_dict(published_weights(name), assign=True)  # strictly: all names, no others


@pytest.mark.parametrize(("name", "sides"), [("efficientnet-lite0", [112, 112, 56, 28, 14, 14, 7, 7])])
def test_the_stages_halve_the_image_five_times(name, sides) -> None:
    seen: list[int] = []
    with torch.device("meta"):
        network = MAKE[name]()
        for part in (network._conv_stem, *(network._blocks[place] for place in (0, 2, 4, 7, 10, 14, 15))):
            part.register_forward_hook(lambda _, __, out: seen.append(out.shape[-1]))
        assert network(torch.empty(1, 3, 224, 224)).shape == (1, 1000)
    assert seen == sides


def normed(features: Tensor, norm: nn.Module) -> Tensor:
    mean, variance, weight, bias = (
        values.view(1, -1, 1, 1) for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (features - mean) / (variance + 1e-3).sqrt() * weight + bias


@pytest.mark.parametrize(("kernel", "stride", "outputs"), [(3, 1, 4), (5, 1, 6), (3, 2, 4), (5, 2, 6)])
@pytest.mark.parametrize("side", [8, 9])
def test_the_block_is_its_formula(kernel, stride, outputs, side) -> None:
    torch.manual_seed(0)
    block = InvertedBlock(4, outputs, kernel=kernel, stride=stride, widening=3).eval()
    for norm in (block._bn0, block._bn1, block._bn2):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    images = torch.randn(2, 4, side, side)
    features = normed(F.conv2d(images, block._expand_conv.weight), block._bn0).clamp(0, 6)
    # TensorFlow's padding: what is odd goes to the end.
    total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
    before, after = total // 2, total - total // 2
    features = F.pad(features, (before, after, before, after))
    features = F.conv2d(features, block._depthwise_conv.weight, stride=stride, groups=12)
    features = F.conv2d(normed(features, block._bn1).clamp(0, 6), block._project_conv.weight)
    expected = normed(features, block._bn2) + (images if stride == 1 and outputs == 4 else 0)
    before_it = images.clone()
    with torch.no_grad():
        assert torch.allclose(block(images), expected, atol=1e-5)
    assert images.equal(before_it)


def test_a_first_block_does_not_widen() -> None:
    block = InvertedBlock(4, 8, kernel=3, stride=1, widening=1)
    assert not hasattr(block, "_expand_conv")
    assert block._depthwise_conv.weight.shape == (4, 1, 3, 3)


@given(channels=st.integers(1, 5000), width=st.floats(0.1, 4))
def test_rounding_loses_at_most_a_tenth(channels, width) -> None:
    wanted = channels * width
    found = rounded_channels(wanted)
    assert found % 8 == 0
    assert found >= max(8, 0.9 * wanted)
    assert found <= max(8, wanted + 8)


def test_wrong_images_and_numbers_are_refused() -> None:
    with torch.device("meta"):
        with pytest.raises(LayerError, match="classes is 0"):
            efficientnet_lite0(classes=0)
        network = efficientnet_lite0(classes=2)
        with pytest.raises(ShapeError, match="_conv_stem"):
            network(torch.empty(2, 1, 64, 64))


def test_its_gradient_comes_to_every_parameter() -> None:
    torch.manual_seed(0)
    network = efficientnet_lite0(classes=3)
    network(torch.rand(2, 3, 32, 32)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.skipif(
    not (SHARED / "hymenoptera.tar").is_file(), reason="hymenoptera.tar is not beside the repository"
)
def test_it_knows_ants_and_bees(lite0) -> None:
    right, names = 0, {"ants": ANT, "bees": BEE}
    with tarfile.open(SHARED / "hymenoptera.tar") as archive:
        photos = [each for each in archive.getmembers() if each.name.endswith(".jpg")][::40]
        for photo in photos:
            content = archive.extractfile(photo)
            assert content is not None
            pixels = decode_image(content, size=(224, 224), channels=3, fit="crop")
            image = (torch.from_numpy(pixels.astype(np.float32)) - 127) / 128
            with torch.no_grad():
                likeliest = lite0(image[None]).topk(5).indices[0].tolist()
            right += names[Path(photo.name).parent.name] in likeliest
    # By chance it would be one in 200.
    assert right >= 0.8 * len(photos) > 5


def test_a_smaller_head_takes_the_backbone(lite0) -> None:
    network = efficientnet_lite0(classes=3).eval()
    head = network._fc.weight.clone()
    load_backbone(network, lite0.state_dict(), name="it", model="efficientnet-lite0")
    assert network._fc.weight.equal(head)
    for name, tensor in network.state_dict().items():
        if not name.startswith("_fc"):
            assert tensor.equal(lite0.state_dict()[name]), name
