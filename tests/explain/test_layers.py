"""Layers are found by name, seen at the moment they run, and the network is as it was."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain.layers import (
    activations,
    find_layer,
    last_spatial_layer,
    layer_calls,
    spatial_layers,
)


class Small(nn.Module):
    """A rectifier that runs twice, in place, a part that holds others, and a layer that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.stage = nn.Sequential(nn.Conv2d(4, 5, 3, stride=2), nn.Dropout(0.5))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.unused = nn.Linear(5, 5)
        self.head = nn.Linear(5, 2)
        self.ran = 0

    def forward(self, images: Tensor) -> Tensor:
        values = self.relu(self.stage(self.relu(self.norm(self.stem(images)))))
        self.ran += 1
        return self.head(self.pool(values).flatten(1))


@pytest.fixture
def network() -> Small:
    torch.manual_seed(0)
    return Small()


IMAGES = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(1))


def hooks_of(network: nn.Module) -> list[int]:
    return [
        len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
        for module in network.modules()
    ]


def test_maps_are_listed_as_they_end_and_a_second_call_has_its_number(network) -> None:
    expected = ("stem", "norm", "relu", "stage.0", "stage.1", "stage", "relu (2)")
    assert spatial_layers(network, IMAGES) == expected
    assert last_spatial_layer(network, IMAGES) == "relu (2)"
    calls = {call.name: call.output for call in layer_calls(network, IMAGES)}
    assert calls["pool"] == (1, 5, 1, 1)
    assert calls["head"] == (1, 2)


def test_a_network_without_parts_is_a_layer_itself() -> None:
    assert spatial_layers(nn.Conv1d(1, 2, 3), torch.zeros(1, 1, 8)) == ("",)
    assert find_layer(nn.ReLU(), "").__class__ is nn.ReLU


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_any_number_of_axes_has_maps(dims) -> None:
    convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1](2, 3, 3)
    network = nn.Sequential(convolution, nn.Tanh(), nn.Flatten(), nn.LazyLinear(2))
    images = torch.rand(2, 2, *[6] * dims)
    network(images)
    assert spatial_layers(network, images) == ("0", "1")
    assert activations(network, images, ["1"])["1"].equal(torch.tanh(convolution(images)).detach())


def test_what_is_written_over_later_is_seen_as_it_was(network) -> None:
    network.eval()
    with torch.no_grad():
        normed = network.norm(network.stem(IMAGES))
        first = torch.relu(normed)
        second = torch.relu(network.stage(first))
    found = activations(network, IMAGES, ["relu (2)", "norm", "relu"])
    assert list(found) == ["relu (2)", "norm", "relu"]
    for name, expected in (("norm", normed), ("relu", first), ("relu (2)", second)):
        torch.testing.assert_close(found[name], expected)
        assert not found[name].requires_grad
    assert (found["norm"] < 0).any()


def test_the_pass_ends_when_all_is_seen(network) -> None:
    activations(network, IMAGES, ["norm"])
    assert network.ran == 0
    activations(network, IMAGES, ["norm", "relu (2)"])
    assert network.ran == 0
    activations(network, IMAGES, ["pool"])
    assert network.ran == 1


def test_batches_and_single_images_agree_in_any_layout(network) -> None:
    whole = activations(network, IMAGES, ["stage"])["stage"]
    single = torch.cat([activations(network, IMAGES[i : i + 1], ["stage"])["stage"] for i in range(2)])
    torch.testing.assert_close(whole, single)
    strided = torch.randn(2, 9, 9, 6)[..., ::2].permute(0, 3, 1, 2)
    given = activations(network, strided, ["stage"])["stage"]
    torch.testing.assert_close(given, activations(network, strided.contiguous(), ["stage"])["stage"])


def test_a_bfloat16_network_takes_float32_images(network) -> None:
    found = activations(network.bfloat16(), IMAGES, ["stem"])["stem"]
    assert found.dtype == torch.bfloat16


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("crashes", [True, False])
def test_the_network_is_as_it_was_also_after_a_crash(network, training, crashes) -> None:
    network.train(training)
    network.norm.eval()
    network.head.weight.requires_grad_(False)
    if crashes:
        network.pool.register_forward_hook(lambda *_: 1 / 0)
    modes = [module.training for module in network.modules()]
    trained = [weight.requires_grad for weight in network.parameters()]
    state = {name: value.clone() for name, value in network.state_dict().items()}
    hooks = hooks_of(network)
    for run in (lambda: activations(network, IMAGES, ["pool"]), lambda: spatial_layers(network, IMAGES)):
        if crashes:
            with pytest.raises(ZeroDivisionError):
                run()
        else:
            run()
        assert modes == [module.training for module in network.modules()]
        assert trained == [weight.requires_grad for weight in network.parameters()]
        assert hooks == hooks_of(network)
        assert all(value.equal(state[name]) for name, value in network.state_dict().items())


def test_a_module_under_two_names_is_found_by_both() -> None:
    layer = nn.Conv2d(1, 1, 1)
    network = nn.Sequential(layer, layer)
    assert find_layer(network, "1") is layer
    assert spatial_layers(network, torch.zeros(1, 1, 3, 3)) == ("0", "0 (2)")
    found = activations(network, torch.ones(1, 1, 1, 1), ["0", "0 (2)"])
    torch.testing.assert_close(found["0 (2)"], layer(found["0"]).detach())


def test_weights_that_are_computed_are_no_layers() -> None:
    network = nn.Sequential(torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 2, 3)))
    assert spatial_layers(network, torch.zeros(1, 1, 5, 5)) == ("0",)


def test_what_is_put_around_a_network_is_taken_off(network) -> None:
    assert find_layer(nn.DataParallel(network), "stem") is network.stem
    compiled = nn.Module()
    compiled._orig_mod = network  # as torch.compile has it
    assert spatial_layers(compiled, IMAGES)[0] == "stem"


def test_unknown_layers_name_the_nearest(network) -> None:
    with pytest.raises(LayerError, match=r"there is no layer 'stage\.3'; did you mean 'stage"):
        find_layer(network, "stage.3")
    many = nn.Sequential(*(nn.ReLU() for _ in range(200)))
    with pytest.raises(LayerError) as caught:
        find_layer(many, "1x7")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ("unused", "does not call its layer 'unused'"),
        ("stem (2)", r"does not call its layer 'stem \(2\)'"),
        ("stem (0)", "there is no layer"),
    ],
)
def test_layers_that_do_not_run_are_said(network, layer, sentence) -> None:
    with pytest.raises(LayerError, match=sentence):
        activations(network, IMAGES, [layer])


class Words(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.argmax(dim=1)


@pytest.mark.parametrize(
    ("images", "error", "sentence"),
    [
        (IMAGES[:, :1], ShapeError, r"'stem' \(Conv2d\): it takes 3 channels, and got 1"),
        (IMAGES[..., :1, :1], ShapeError, "'stage.0'"),
        (IMAGES.byte(), LayerError, "images are uint8"),
        (IMAGES[:0], ShapeError, r"\(0, 3, 9, 9\)"),
        (IMAGES[0, 0], ShapeError, "N x C x spatial"),
        (torch.full_like(IMAGES, torch.nan), LayerError, "486 of 486 values"),
        ([1], LayerError, "type list"),
    ],
)
def test_images_that_do_not_fit_are_refused_in_a_sentence(network, images, error, sentence) -> None:
    with pytest.raises(error, match=sentence) as caught:
        spatial_layers(network, images)
    assert "\n" not in str(caught.value)


def test_what_has_no_place_in_the_image_is_said() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    with pytest.raises(LayerError, match="no layer of the network"):
        last_spatial_layer(flat, torch.zeros(1, 1, 3, 3))
    with pytest.raises(LayerError, match="gives no floating-point tensor"):
        activations(nn.Sequential(Words()), IMAGES, ["0"])
    with pytest.raises(LayerError, match="of type function"):
        find_layer(F.relu, "x")
