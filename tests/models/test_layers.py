"""The three ways to downsample: sizes, parameters, and which of them a rolled image can be told from."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from striate.core.errors import LayerError, ShapeError
from striate.models import (
    CATALOGUE,
    alexnet,
    lenet,
    mnist_convnet,
    plain20,
    preactresnet18,
    resnet18,
    resnet20,
    resnet50,
    vgg11,
    wide_resnet16_4,
)
from striate.models.layers import Layers, he_initialise

FAMILIES = {
    "alexnet": 94,
    "alexnet-2012": 94,
    "lenet": 28,
    "mnist-convnet": 28,
    "plain20": 32,
    "preactresnet18": 64,
    "resnet18": 64,
    "resnet20": 32,
    "resnet50": 64,
    "vgg11": 32,
    "vgg11-bn": 64,
    "wide-resnet16-4": 32,
}
"""One network of each family, and a side of images that polyphase sampling divides at every stride."""

SHIFTS = [(1, 0), (0, 3), (5, 6), (13, 31), (-1, 16)]


def forms(name: str, **changes: object) -> nn.Module:
    make = CATALOGUE[name]
    sized = {"size": (FAMILIES[name],) * 2} if name in ("lenet", "mnist-convnet") else {}
    return make(classes=7, channels=3, **sized, **changes)


def rolled_apart(network: nn.Module, images: torch.Tensor, shifts: list[tuple[int, ...]]) -> float:
    """Give the largest change of a logit when images are rolled, as a share of the largest logit."""
    axes = tuple(range(2, images.ndim))
    with torch.no_grad():
        logits = network(images)
        changes = [(network(torch.roll(images, shift, axes)) - logits).abs().amax() for shift in shifts]
    return float(max(changes) / logits.abs().amax())


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("padding_mode", ["zeros", "circular"])
def test_no_form_changes_a_parameter_or_the_logits_shape(name, padding_mode) -> None:
    with torch.device("meta"):
        published = {key: value.shape for key, value in forms(name).state_dict().items()}
        for downsample in ("stride", "blur", "polyphase"):
            network = forms(name, downsample=downsample, padding_mode=padding_mode)
            assert {key: value.shape for key, value in network.state_dict().items()} == published
            assert network(torch.empty(2, 3, FAMILIES[name], FAMILIES[name])).shape == (2, 7)


@pytest.mark.parametrize(
    ("make", "side"),
    [(resnet18, 32), (resnet20, 16), (plain20, 16), (preactresnet18, 32), (wide_resnet16_4, 8)],
)
def test_circular_polyphase_networks_do_not_see_a_roll_and_all_others_do(make, side) -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 3, side, side, dtype=torch.double)
    weights = make(classes=5).state_dict()

    def change(downsample: str, padding_mode: str, shifts: list[tuple[int, ...]]) -> float:
        network = make(classes=5, downsample=downsample, padding_mode=padding_mode)
        network.load_state_dict(weights)
        return rolled_apart(network.double().eval(), images, shifts)

    assert change("polyphase", "circular", SHIFTS) < 1e-10
    for form in [("polyphase", "zeros"), ("stride", "circular"), ("stride", "zeros"), ("blur", "circular")]:
        assert change(*form, SHIFTS[:1]) > 1e-3, form


def test_blurring_brings_a_network_nearer_to_not_seeing_a_roll() -> None:
    torch.manual_seed(0)
    images = F.avg_pool2d(torch.rand(8, 3, 34, 34, dtype=torch.double), 3, stride=1)
    weights = resnet20().state_dict()
    changes = []
    for downsample in ("stride", "blur"):
        network = resnet20(downsample=downsample, padding_mode="circular")
        network.load_state_dict(weights)
        changes.append(rolled_apart(network.double().eval(), images, [(1, 0), (0, 1), (1, 1)]))
    assert changes[1] < changes[0] / 2


@pytest.mark.parametrize(("dims", "side"), [(1, 32), (3, 8)])
def test_signals_and_volumes_are_invariant_too(dims, side) -> None:
    torch.manual_seed(0)
    network = resnet20(channels=2, dims=dims, downsample="polyphase", padding_mode="circular").double().eval()
    images = torch.rand(2, 2, *(side,) * dims, dtype=torch.double)
    assert rolled_apart(network, images, [(1, 2, 5)[:dims], (3,) * dims]) < 1e-10


def test_invariance_holds_to_rounding_in_float32_and_in_training_mode() -> None:
    torch.manual_seed(0)
    network = resnet20(downsample="polyphase", padding_mode="circular").train()
    assert rolled_apart(network, torch.rand(4, 3, 16, 16), [(1, 1), (3, 10)]) < 1e-4


def test_sizes_that_the_strides_do_not_divide_are_refused_by_polyphase_networks_only() -> None:
    images = torch.rand(1, 3, 30, 30)
    for downsample in ("stride", "blur"):
        assert resnet20(downsample=downsample)(images).shape == (1, 10)
    with pytest.raises(ShapeError, match="15"):
        resnet20(downsample="polyphase")(images)


@pytest.mark.parametrize("dims", [1, 3])
@pytest.mark.parametrize("make", [resnet18, resnet50, resnet20, plain20, preactresnet18, wide_resnet16_4])
def test_networks_with_a_global_average_are_built_for_signals_and_volumes(make, dims) -> None:
    with torch.device("meta"):
        for downsample in ("stride", "polyphase") if dims == 1 else ("stride", "blur"):
            network = make(classes=4, channels=2, dims=dims, downsample=downsample)
            assert network(torch.empty(3, 2, *(32, 64, 32)[:dims])).shape == (3, 4)


@pytest.mark.parametrize("make", [lenet, mnist_convnet])
@pytest.mark.parametrize("size", [(28,), (28, 32), (16, 20, 12)])
def test_networks_of_one_size_take_their_dimensions_from_it(make, size) -> None:
    for downsample in ("stride", "blur", "polyphase"):
        network = make(classes=4, channels=2, size=size, downsample=downsample)
        assert network(torch.rand(3, 2, *size)).shape == (3, 4)


@pytest.mark.parametrize("make", [alexnet, lenet, mnist_convnet, plain20, resnet18, resnet50, vgg11])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"downsample": "pool"}, "there is no downsample 'pool'"),
        ({"downsample": None}, "there is no downsample 'None'"),
        ({"padding_mode": "same"}, "there is no padding_mode 'same'"),
        ({"padding_mode": "reflect"}, "zeros, circular"),
    ],
)
def test_unknown_forms_are_refused(make, wrong, message) -> None:
    with torch.device("meta"), pytest.raises(LayerError, match=message):
        make(**wrong)


@pytest.mark.parametrize("dims", [0, 4, "2", True])
def test_other_dimensions_are_refused(dims) -> None:
    with pytest.raises(LayerError, match="dims"):
        resnet20(dims=dims)


@pytest.mark.parametrize("size", [6, 7, 8, 13])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 2, 0)])
def test_blurred_poolings_give_the_sizes_of_strided_ones(size, kernel, stride, padding) -> None:
    features = torch.rand(1, 4, size, size + 2)
    strided = Layers().max_pool(4, kernel, stride=stride, padding=padding)
    blurred = Layers(downsample="blur").max_pool(4, kernel, stride=stride, padding=padding)
    assert blurred(features).shape == strided(features).shape


def test_a_strided_pooling_is_torch_s_and_circular_padding_wraps_it() -> None:
    features = torch.rand(2, 3, 8, 8) - 2
    plain = Layers().max_pool(3, 3, stride=2, padding=1)
    assert plain(features).equal(F.max_pool2d(features, 3, stride=2, padding=1))
    wrapped = Layers(padding_mode="circular").max_pool(3, 3, stride=2, padding=1)
    around = torch.cat([features[:, :, -1:], features, features[:, :, :1]], dim=2)
    around = torch.cat([around[..., -1:], around, around[..., :1]], dim=3)
    assert wrapped(features).equal(F.max_pool2d(around, 3, stride=2))


@pytest.mark.parametrize("padding_mode", ["zeros", "circular"])
def test_a_polyphase_pooling_takes_one_of_the_strided_poolings_of_the_shifted_image(padding_mode) -> None:
    features = torch.rand(1, 2, 6, 6)
    pooled = Layers(downsample="polyphase", padding_mode=padding_mode).max_pool(2, 2, stride=2)(features)
    mode = "circular" if padding_mode == "circular" else "replicate"
    dense = F.max_pool2d(F.pad(features, (0, 1, 0, 1), mode=mode), 2, stride=1)
    candidates = [dense[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    largest = max(candidates, key=lambda each: float(each.norm()))
    assert pooled.equal(largest)


def test_a_mean_at_the_border_counts_real_elements_only() -> None:
    features = torch.ones(1, 1, 4, 4)
    pooled = Layers(downsample="polyphase").average_pool(1, 2, stride=2)(features)
    assert pooled.equal(torch.ones(1, 1, 2, 2))


def test_subsampling_is_every_other_element() -> None:
    features = torch.rand(1, 2, 5, 6)
    assert Layers().subsampling(2)(features).equal(features[:, :, ::2, ::2])
    assert Layers().subsampling(1)(features) is features
    assert Layers(downsample="blur").subsampling(2)(features) is features


def test_the_gradient_keeps_its_size_from_layer_to_layer() -> None:
    torch.manual_seed(0)
    body = nn.Sequential(*(part for _ in range(8) for part in (nn.Conv2d(32, 32, 3, padding=1), nn.ReLU())))
    he_initialise(body)
    images = torch.randn(4, 32, 16, 16, requires_grad=True)
    out = body(images)
    out.backward(torch.randn_like(out))
    assert 0.25 < float(images.grad.square().mean()) < 1  # borders cost a little in each layer
    assert not any(part.bias.any() for part in body[::2])
