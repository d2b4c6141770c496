"""Networks spelled out in a text: what they compute, their sizes, their file, and images that do not fit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import striate
from striate.core.errors import LayerError, RecipeError, ShapeError
from striate.core.events import ignore
from striate.core.recipe import Recipe
from striate.models import LearnsFirstLayer, Stacked, build, compact_medium, stacked

COMPACT = "whitek4s2,conv32,conv64,max2,conv64,conv128,max2,conv128,max"


def test_the_compact_network_can_be_spelled_out() -> None:
    compact = compact_medium(classes=7, channels=1, size=(28, 28))
    spelled = stacked(classes=7, channels=1, size=(28, 28), layers=COMPACT)
    own, other = compact.state_dict(), spelled.state_dict()
    assert [tensor.shape for tensor in own.values()] == [tensor.shape for tensor in other.values()]
    spelled.load_state_dict(dict(zip(other, own.values(), strict=True)))
    images = torch.rand(5, 1, 28, 28)
    for network in (compact, spelled):
        network.learn_first_layer(images)
    for mode in (True, False):
        assert torch.equal(compact.train(mode)(images), spelled.train(mode)(images))


def test_every_word_is_a_layer_where_it_stands() -> None:
    network = stacked(
        channels=2, size=(9, 11), layers="conv4k5s2,drop0.5,mean2,conv6,max2,dense8,drop0.2,dense5"
    )
    assert [type(layer).__name__ for layer in network.features] == [
        *("Conv2d", "BatchNorm2d", "ReLU", "Dropout", "AvgPool2d"),
        *("Conv2d", "MaxPool2d", "BatchNorm2d", "ReLU"),
    ]
    assert [type(layer).__name__ for layer in network.dense] == [
        "Linear",
        "ReLU",
        "Dropout",
        "Linear",
        "ReLU",
    ]
    assert network.features[0].padding == (2, 2)
    assert network.features[3].p == 0.5
    # (9 + 4 - 5)/2 + 1 = 5 and (11 + 4 - 5)/2 + 1 = 6 places, then 2 x 3, then 1 x 1.
    assert network.dense[0].in_features == 6
    assert network.head.in_features == 5
    assert network(torch.rand(3, 2, 9, 11)).shape == (3, 10)


def test_norms_behind_a_maximum_see_a_quarter_of_the_values() -> None:
    network = stacked(channels=1, size=(8, 8), layers="conv4,max2,mean").eval()
    images = torch.rand(2, 1, 8, 8)
    convolution, norm = network.features[0], network.features[2]
    norm.running_var.fill_(2.0)
    assert convolution.bias is None
    pooled = nn.functional.max_pool2d(nn.functional.conv2d(images, convolution.weight, padding=1), 2)
    expected = (pooled / (2 + norm.eps) ** 0.5).relu().mean(dim=(2, 3))
    assert torch.allclose(network.pooling(network.features(images)).flatten(1), expected, atol=1e-6)


@pytest.mark.parametrize("end", ["max", "mean"])
def test_behind_a_global_pooling_images_of_any_size_work(end) -> None:
    network = stacked(channels=1, size=(8, 8), layers=f"conv4,max2,{end}").eval()
    assert network(torch.rand(2, 1, 13, 30)).shape == (2, 10)
    features = network.features(torch.rand(2, 1, 12, 6))
    wanted = features.amax(dim=(2, 3)) if end == "max" else features.mean(dim=(2, 3))
    assert torch.allclose(network.pooling(features).flatten(1), wanted)


def test_without_one_images_of_another_size_are_refused() -> None:
    network = stacked(channels=1, size=(8, 8), layers="conv4,dense3")
    with pytest.raises(ShapeError, match="got images of 9x8, and the network was built for 8x8"):
        network(torch.rand(2, 1, 9, 8))
    with pytest.raises(ShapeError, match="channels"):
        network(torch.rand(2, 3, 8, 8))


def test_whitened_patches_are_computed_and_do_not_learn() -> None:
    network = stacked(channels=3, size=(12, 12), layers="whitek4s2,conv8,mean")
    assert isinstance(network, LearnsFirstLayer)
    images = torch.rand(50, 3, 12, 12)
    network.learn_first_layer(images)
    stem = network.features[0]
    assert stem.weight.shape == (48, 3, 4, 4)
    assert not stem.weight.requires_grad
    assert stem.weight[:24].equal(-stem.weight[24:])
    # A network without them has nothing to compute, and keeps what it has.
    other = stacked(channels=3, size=(12, 12), layers="conv8,mean")
    before = other.features[0].weight.clone()
    other.learn_first_layer(images)
    assert other.features[0].weight.equal(before)
    assert other.features[0].weight.requires_grad


@pytest.mark.parametrize(
    ("size", "layers", "sentence"),
    [
        (
            (3, 9),
            "max2,max2",
            "3x9 pixels are too small for these layers: max2 leaves 1 of 3, max2 takes at least 2",
        ),
        (
            (5, 5),
            "whitek8s4,max",
            "5x5 pixels are too small for whitek8s4, whose patches have 8x8; 8x8 and larger",
        ),
    ],
)
def test_images_that_are_too_small_are_refused_with_the_arithmetic(size, layers, sentence) -> None:
    with pytest.raises(ShapeError, match=sentence):
        build("stacked", classes=2, channels=1, size=size, layers=layers)


def test_a_network_without_the_choice_refuses_layers() -> None:
    with pytest.raises(RecipeError, match="'resnet18' has no choice of layers"):
        build("resnet18", classes=2, channels=1, size=(8, 8), layers="conv8")
    with pytest.raises(
        RecipeError, match="layers are a choice of 'stacked' and of trunks, and the model is 'lenet'"
    ):
        striate.train("digits", model="lenet", layers="conv8", epochs=1, on_event=ignore)
    with pytest.raises(LayerError, match="did you mean 'conv'"):
        striate.train("digits", layers="cov8", epochs=1, on_event=ignore)


WORDS = st.lists(
    st.sampled_from(["conv4", "conv3k5", "conv5k2", "conv4s2", "max2", "mean2", "drop0.3"]),
    min_size=0,
    max_size=5,
)


@settings(max_examples=40)
@given(
    words=WORDS,
    stem=st.sampled_from([[], ["white"], ["whitek4s2"]]),
    end=st.sampled_from([[], ["max"], ["mean"], ["dense5"], ["mean", "dense3", "drop0.5", "dense4"]]),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_any_network_that_fits_trains_and_comes_back_from_its_text(words, stem, end, size) -> None:
    layers = ",".join([*stem, *words, *end])
    if not layers:
        return
    refusal = ""
    try:
        network = stacked(classes=3, channels=2, size=size, layers=layers)
    except ShapeError as error:
        refusal = str(error)
    if refusal:
        assert "larger fit" in refusal
        return
    assert isinstance(network, Stacked)
    network.learn_first_layer(torch.rand(20, 2, *size))
    logits = network(torch.rand(4, 2, *size))
    assert logits.shape == (4, 3)
    logits.square().mean().backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)
    again = stacked(classes=3, channels=2, size=list(size), layers=layers)
    again.load_state_dict(network.state_dict())


def test_a_recipe_of_layers_trains_and_its_model_file_rebuilds_the_network(tmp_path) -> None:
    Recipe(layers="conv8,max2,mean,dense16", epochs=1).save(tmp_path / "recipe.toml")
    recipe = Recipe.load(tmp_path / "recipe.toml")
    run = striate.train("digits", recipe=recipe, out=tmp_path / "run", on_event=ignore)
    assert run.recipe.model == "stacked"
    assert run.recipe.layers == recipe.layers
    classifier = striate.load(tmp_path / "run")
    assert classifier.arguments["layers"] == recipe.layers
    assert classifier.network.head.in_features == 16
    assert striate.Recipe.from_dict(classifier.details["recipe"]).layers == recipe.layers
