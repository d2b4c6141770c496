"""VGG: published counts, torchvision's names with and without norm, and its first weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.core.errors import ShapeError
from striate.models import vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn

PUBLISHED = [
    # make, places of the convolutions in torchvision's features, whether norms follow, parameters
    (vgg11, [0, 3, 6, 8, 11, 13, 16, 18], False, 132_863_336),
    (vgg13, [0, 2, 5, 7, 10, 12, 15, 17, 20, 22], False, 133_047_848),
    (vgg16, [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28], False, 138_357_544),
    (vgg19, [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34], False, 143_667_240),
    (vgg11_bn, [0, 4, 8, 11, 15, 18, 22, 25], True, 132_868_840),
    (vgg13_bn, [0, 3, 7, 10, 14, 17, 21, 24, 28, 31], True, 133_053_736),
    (vgg16_bn, [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40], True, 138_365_992),
    (vgg19_bn, [0, 3, 7, 10, 14, 17, 20, 23, 27, 30, 33, 36, 40, 43, 46, 49], True, 143_678_248),
]

WIDTHS = {
    8: [64, 128, 256, 256, 512, 512, 512, 512],
    10: [64, 64, 128, 128, 256, 256, 512, 512, 512, 512],
    13: [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512],
    16: [64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512, 512, 512, 512],
}
"""Number of convolutions -> channels of each, as in the columns of the paper's table 1."""


def checkpoint_shapes(places: list[int], norm: bool) -> dict[str, tuple[int, ...]]:
    """Write out the tensors of torchvision's checkpoint by the rule of their names."""
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = 3
    for place, outputs in zip(places, WIDTHS[len(places)], strict=True):
        shapes[f"features.{place}.weight"] = (outputs, inputs, 3, 3)
        shapes[f"features.{place}.bias"] = (outputs,)
        if norm:
            kinds = ("weight", "bias", "running_mean", "running_var")
            shapes |= {f"features.{place + 1}.{kind}": (outputs,) for kind in kinds}
            shapes[f"features.{place + 1}.num_batches_tracked"] = ()
        inputs = outputs
    for place, (outputs, inputs) in {0: (4096, 512 * 7 * 7), 3: (4096, 4096), 6: (1000, 4096)}.items():
        shapes[f"classifier.{place}.weight"] = (outputs, inputs)
        shapes[f"classifier.{place}.bias"] = (outputs,)
    return shapes


@pytest.mark.parametrize(("make", "places", "norm", "count"), PUBLISHED)
def test_counts_and_names_are_the_published_ones(make, places, norm, count) -> None:
    shapes = checkpoint_shapes(places, norm)
    with torch.device("meta"):
        network = make()
        checkpoint = {name: torch.empty(shape) for name, shape in shapes.items()}
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    trained = [shape for name, shape in shapes.items() if "running" not in name and "num_batches" not in name]
    assert sum(torch.Size(shape).numel() for shape in trained) == count
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == shapes
    network.load_state_dict(checkpoint, assign=True)
    assert f"{count:,} parameters" in make.__doc__


def test_the_name_counts_the_layers_with_weights() -> None:
    for make, places, _, _ in PUBLISHED:
        assert make.__name__.removesuffix("_bn") == f"vgg{len(places) + 3}"


def test_224_pixels_are_halved_five_times() -> None:
    with torch.device("meta"):
        features, sizes = torch.empty(1, 3, 224, 224), []
        for part in vgg16().features:
            features = part(features)
            sizes.append(features.shape[2])
    assert list(dict.fromkeys(sizes)) == [224, 112, 56, 28, 14, 7]
    assert features.shape == (1, 512, 7, 7)


def test_weights_begin_as_torchvision_s(monkeypatch) -> None:
    # Room for 119 million weights of the first dense layers would be all that this test spends time on.
    monkeypatch.setattr("striate.models.vgg.HIDDEN", 64)
    torch.manual_seed(0)
    network = vgg11_bn(classes=50)
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            deviation = (2 / (part.out_channels * 9)) ** 0.5
            assert part.weight.std().item() == pytest.approx(deviation, rel=0.06)
            assert not part.bias.any()
        elif isinstance(part, nn.Linear):
            assert part.weight.std().item() == pytest.approx(0.01, rel=0.06)
            assert not part.bias.any()


def test_too_small_images_are_refused_when_given_afterwards_too() -> None:
    with torch.device("meta"):
        network = vgg11(classes=2, size=(32, 32))
        assert network(torch.empty(1, 3, 200, 33)).shape == (1, 2)
        with pytest.raises(ShapeError, match=r"features\.0 got images of 31x64, where 32x32 and larger fit"):
            network(torch.empty(1, 3, 31, 64))
