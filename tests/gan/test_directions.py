"""Directions are the singular vectors of a linear layer, and what scikit-learn gives of another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.core.seeds import derive
from striate.gan import directions, draw_latents, find_directions
from striate.gan.directions import first_layer
from striate.models.adversarial import Generator


class Bent(Generator):
    """A generator whose first layer is linear, and whose second is not."""

    def __init__(self, features: int, classes: int | None = None) -> None:
        torch.manual_seed(0)
        body = nn.Sequential(nn.LeakyReLU(0.2), nn.Linear(12, features), nn.Tanh(), nn.Linear(features, 16))
        super().__init__(body, features=12, latent_size=5, size=4, channels=1, classes=classes)
        self.constant = nn.Parameter(torch.ones(1))
        self.still = nn.Identity()

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        self.still(self.constant.expand(len(latents)))
        given = latents
        if self.embedding is not None and labels is not None:
            given = torch.cat([latents, self.embedding(labels)], dim=1)
        return self.body(self.first(given)).tanh().view(-1, 1, 4, 4)


def test_a_linear_layer_gives_its_singular_vectors(linear_generator):
    network = linear_generator((0.1, 0.5, 0.3))
    found = find_directions(network, count=3)
    assert found.exact
    assert found.layer == "first"
    squares = torch.tensor([0.25, 0.09, 0.01])
    assert torch.allclose(found.latents, torch.eye(3)[[1, 2, 0]], atol=1e-4)
    assert torch.allclose(found.shares, squares / squares.sum(), atol=1e-5)
    # Images in [0, 1] change by half a row of A, spread over 36 pixels.
    assert torch.allclose(found.effects, squares.sqrt() / 2 / 6, atol=1e-4)
    assert found.chance[0] < found.effects[0]
    assert found.label is None


def test_the_first_layer_is_the_first_that_depends_on_the_latent():
    network = Bent(6, classes=3)
    assert first_layer(network, 1) == "first"
    found = find_directions(network, count=2, label=2)
    assert found.exact
    assert found.label == 2
    weights = network.first.weight.detach()[:, :5].double()
    vectors = torch.linalg.svd(weights).Vh[:2].float()
    assert torch.allclose(found.latents.abs(), vectors.abs(), atol=1e-4)


@pytest.mark.parametrize("features", [7, 150])
def test_a_bent_layer_gives_what_least_squares_say_of_its_components(features, monkeypatch):
    monkeypatch.setattr(directions, "SAMPLES", 120)
    network = Bent(features)
    found = find_directions(network, count=3, layer="body.2", seed=4)
    assert not found.exact
    latents = draw_latents(120, 5, seed=derive(4, "directions"))
    with torch.no_grad():
        outputs = network.body[:3](network.first(latents)).double().numpy()
    parts = PCA(3, svd_solver="full").fit(outputs)
    scores = parts.transform(outputs)
    scores = scores / scores.std(axis=0)
    wanted = LinearRegression().fit(scores, latents.double().numpy()).coef_.T
    assert np.allclose(found.latents.abs().numpy(), np.abs(wanted), atol=1e-4)
    assert np.allclose(found.shares, parts.explained_variance_ratio_, atol=1e-5)
    largest = found.latents.gather(1, found.latents.abs().argmax(dim=1, keepdim=True))
    assert (largest > 0).all()


def test_one_seed_gives_one_result_and_nothing_is_left_behind():
    network = Bent(6).train()
    first, again = (find_directions(network, count=3, layer="body.1", seed=1) for _ in range(2))
    assert torch.equal(first.latents, again.latents)
    assert torch.equal(first.effects, again.effects)
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
    assert first.to_dict()["layer"] == "body.1"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"count": 0}, "0 directions cannot be found; 1 to 5"),
        ({"count": 6}, "6 directions cannot be found; 1 to 5"),
        ({"layer": "nowhere"}, "no layer 'nowhere'"),
        ({"layer": "still"}, "does not depend on the latent"),
        ({"label": 0}, "0 classes, and not of 0"),
        ({"layer": "body.3.x"}, "no layer"),
    ],
)
def test_what_cannot_be_is_refused(options, sentence):
    with pytest.raises(LayerError, match=sentence):
        find_directions(Bent(6), **{"count": 2, **options})


def test_a_layer_of_few_outputs_has_few_directions():
    with pytest.raises(LayerError, match="gives 2 numbers"):
        find_directions(Bent(2), count=3, layer="body.1")


def test_a_generator_that_ignores_its_latents_is_refused(linear_generator):
    network = linear_generator((0.0, 0.0))
    with pytest.raises(LayerError, match="another output for another latent"):
        find_directions(network, count=1)
