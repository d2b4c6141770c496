"""Generators and discriminators of any family: their formulas, and what they refuse in one sentence."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.core.errors import LayerError, ShapeError
from striate.models import Discriminator, Generator


def generator(**changes: object) -> Generator:
    settings: dict = {"features": 12, "latent_size": 5, "size": 2, "channels": 3, **changes}
    return Generator(nn.Unflatten(1, (3, 2, 2)), **settings)


def discriminator(**changes: object) -> Discriminator:
    settings: dict = {
        "features": 12,
        "model": "dense-trunk",
        "width": 12,
        "size": 2,
        "channels": 3,
        **changes,
    }
    return Discriminator(nn.Sequential(nn.Flatten()), **settings)


def test_images_are_the_tangent_of_what_the_body_makes_of_the_first_layer() -> None:
    network, latents = generator(), torch.randn(4, 5)
    wanted = torch.tanh(latents @ network.first.weight.T + network.first.bias).view(4, 3, 2, 2)
    assert torch.allclose(network(latents), wanted, atol=1e-6)
    assert (network.latent_size, network.size, network.channels, network.classes) == (5, 2, 3, None)


def test_a_conditional_generator_is_given_the_vector_of_the_class() -> None:
    network, latents, labels = generator(classes=4), torch.randn(3, 5), torch.tensor([2, 0, 2])
    assert network.embedding is not None
    given = torch.cat([latents, network.embedding.weight[labels]], dim=1)
    wanted = torch.tanh(given @ network.first.weight.T + network.first.bias).view(3, 3, 2, 2)
    assert torch.allclose(network(latents, labels), wanted, atol=1e-6)
    assert network.first.in_features == 10


def test_scores_are_a_projection_on_a_direction_and_on_that_of_the_class() -> None:
    images, labels = torch.randn(4, 3, 2, 2), torch.tensor([1, 0, 1, 2])
    plain = discriminator()
    wanted = images.flatten(1) @ plain.score.weight[0] + plain.score.bias
    assert torch.allclose(plain(images), wanted, atol=1e-6)
    told = discriminator(classes=3)
    assert told.embedding is not None
    wanted = images.flatten(1) @ told.score.weight[0] + told.score.bias
    wanted = wanted + (images.flatten(1) * told.embedding.weight[labels]).sum(dim=1)
    assert torch.allclose(told(images, labels), wanted, atol=1e-6)


def test_images_and_scores_stay_in_float32_where_layers_compute_in_half_of_it() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        images = generator()(torch.randn(4, 5))
        scores = discriminator()(images)
    assert images.dtype == scores.dtype == torch.float32
    assert generator().double()(torch.randn(1, 5).double()).dtype == torch.float64


def test_vectors_of_classes_begin_as_latents_are_and_as_directions_of_length_1() -> None:
    torch.manual_seed(0)
    network = generator(classes=500, latent_size=64)
    assert network.embedding is not None
    assert network.embedding.weight.std().item() == pytest.approx(1, abs=0.02)
    told = discriminator(classes=200, features=400)
    assert told.embedding is not None
    assert told.embedding.weight.norm(dim=1).mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("latents", "error", "message"),
    [
        (torch.zeros(2, 4), ShapeError, "takes latents of N x 5 numbers, and got 2x4"),
        (torch.zeros(5), ShapeError, "takes latents of N x 5 numbers, and got 5"),
        (torch.zeros(2, 5, 1), ShapeError, "and got 2x5x1"),
        (torch.zeros(2, 5, dtype=torch.int64), LayerError, r"floating-point latents, and got torch\.int64"),
    ],
)
def test_latents_that_are_none_are_refused(latents, error, message) -> None:
    with pytest.raises(error, match=message):
        generator()(latents)


@pytest.mark.parametrize(
    ("classes", "labels", "error", "message"),
    [
        (None, torch.tensor([0, 1]), LayerError, "was built without classes, and got labels; leave them out"),
        (3, None, LayerError, "was built for 3 classes, and got no labels"),
        (3, torch.tensor([0.0, 1.0]), LayerError, r"takes labels of int64, and got torch\.float32"),
        (3, torch.tensor([0, 1, 2]), ShapeError, "takes one label for each of 2, and got 3"),
        (3, torch.tensor(0), ShapeError, "takes one label for each of 2, and got one number"),
        (3, torch.tensor([0, 3]), LayerError, "knows classes 0 to 2, and got 3"),
        (3, torch.tensor([-1, 1]), LayerError, "knows classes 0 to 2, and got -1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(classes, labels, error, message) -> None:
    with pytest.raises(error, match=f"the generator {message}"):
        generator(classes=classes)(torch.zeros(2, 5), labels)
    with pytest.raises(error, match=f"the discriminator {message}"):
        discriminator(classes=classes)(torch.zeros(2, 3, 2, 2), labels)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3, 4, 4), "got images of 4x4, and the network was built for 2x2"),
        ((2, 1, 2, 2), "was made for 3 channels and got 1"),
        ((3, 2, 2), "and got 3x2x2: 3 axes instead of 4"),
    ],
)
def test_images_of_another_kind_are_refused(shape, message) -> None:
    with pytest.raises(ShapeError, match=f"the discriminator.* {message}"):
        discriminator()(torch.zeros(shape))


@pytest.mark.parametrize("change", [{"latent_size": 0}, {"classes": 0}, {"size": 2.0}, {"channels": -1}])
def test_wrong_numbers_are_refused(change) -> None:
    with pytest.raises(LayerError, match=f"{next(iter(change))} is .*, where a whole number of at least 1"):
        generator(**change)


def test_no_images_give_no_images_and_no_scores() -> None:
    labels = torch.zeros(0, dtype=torch.int64)
    images = generator(classes=2)(torch.zeros(0, 5), labels)
    assert images.shape == (0, 3, 2, 2)
    assert discriminator(classes=2)(images, labels).shape == (0,)
