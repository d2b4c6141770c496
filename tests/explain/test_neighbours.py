"""The nearest images are those that comparing all pairs finds."""

from __future__ import annotations

import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from striate.core.errors import LayerError, ShapeError
from striate.explain import nearest_images, neighbours


def tables() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(7, 12, generator=generator), torch.randn(90, 12, generator=generator)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("at_once", [2**24, 100])
def test_they_are_scikit_learns(monkeypatch, metric, at_once) -> None:
    monkeypatch.setattr(neighbours, "_AT_ONCE", at_once)
    queries, features = tables()
    found = nearest_images(queries, features, count=6, metric=metric)
    oracle = NearestNeighbors(n_neighbors=6, metric=metric, algorithm="brute").fit(features.numpy())
    distances, images = oracle.kneighbors(queries.numpy())
    assert found.images.tolist() == images.tolist()
    assert found.distances.numpy() == pytest.approx(distances, abs=1e-5)


def test_a_duplicate_is_at_0_also_far_from_the_origin() -> None:
    queries, features = tables()
    found = nearest_images(features[5:6] + 1000, features + 1000, count=1, metric="euclidean")
    assert (found.images.tolist(), found.distances.tolist()) == ([[5]], [[0.0]])
    assert nearest_images(features[5:6] * 7, features).images[0, 0] == 5
    assert nearest_images(queries, features, count=500).images.shape == (7, 90)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"metric": "cosin"}, LayerError, "did you mean 'cosine'"),
        ({"count": 0}, LayerError, "0 neighbours"),
        ({"queries": torch.zeros(2, 5)}, ShapeError, "5 features and the images 12"),
        ({"queries": torch.zeros(12)}, ShapeError, r"\(12,\)"),
        ({"queries": torch.full((1, 12), torch.inf)}, LayerError, "inf or NaN"),
    ],
)
def test_what_cannot_be_compared_is_refused(options, error, sentence) -> None:
    queries, features = tables()
    given = {"queries": queries, **options}
    with pytest.raises(error, match=sentence):
        nearest_images(given.pop("queries"), features, **given)
