"""Principal components equal those of scikit-learn but for signs; other maps need their packages."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from striate.core.errors import LayerError, ShapeError
from striate.explain import principal_components, project


def table(count: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=generator) * (1 + torch.arange(width)) + 5


@given(count=st.integers(3, 30), width=st.integers(2, 30), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_they_are_scikit_learns_with_the_largest_entry_positive(count, width, seed) -> None:
    features = table(count, width, seed)
    found = principal_components(features, components=2)
    oracle = PCA(n_components=2, svd_solver="full").fit(features.double().numpy())
    assert found.shares.numpy() == pytest.approx(oracle.explained_variance_ratio_, abs=1e-5)
    turned = np.sign((found.directions.numpy() * oracle.components_).sum(axis=1))
    expected = oracle.transform(features.double().numpy()) * turned
    if count > 3:  # the second of three points' components may be of no variance
        assert found.points.numpy() == pytest.approx(expected, abs=1e-3)
    largest = found.directions.gather(1, found.directions.abs().argmax(dim=1, keepdim=True))
    assert (largest > 0).all()


def test_one_seed_gives_one_map_and_rotating_features_changes_none() -> None:
    features = table(40, 6)
    rotation = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(3)))[0]
    one, other = principal_components(features), principal_components(features @ rotation)
    assert one.points.abs().numpy() == pytest.approx(other.points.abs().numpy(), abs=1e-3)
    assert project(features).points.equal(one.points)


def test_features_that_are_all_alike_lie_at_one_point() -> None:
    found = principal_components(torch.ones(5, 3))
    assert found.points.abs().max() == 0
    assert found.shares.tolist() == [0.0, 0.0]


def test_t_sne_keeps_groups_apart_and_is_deterministic() -> None:
    features = torch.cat([table(15, 5, 1), table(15, 5, 2) + 200])
    one, other = (project(features, method="t-sne", seed=4) for _ in range(2))
    assert one.points.equal(other.points)
    assert (one.points.shape, one.shares) == ((30, 2), None)
    distances = torch.cdist(one.points, one.points).fill_diagonal_(torch.inf)
    nearest = distances.argmin(dim=1)
    assert ((nearest < 15) == (torch.arange(30) < 15)).all()


@pytest.mark.skipif(importlib.util.find_spec("umap") is not None, reason="umap-learn is installed")
def test_where_umap_is_not_installed_it_is_said() -> None:
    with pytest.raises(LayerError, match=r"needs the package umap-learn.*'pca' needs nothing"):
        project(table(20, 4), method="umap")


@pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="umap-learn is not installed")
def test_umap_keeps_groups_apart() -> None:
    features = torch.cat([table(20, 5, 1), table(20, 5, 2) + 200])
    points = project(features, method="umap").points
    nearest = torch.cdist(points, points).fill_diagonal_(torch.inf).argmin(dim=1)
    assert ((nearest < 20) == (torch.arange(40) < 20)).all()


@pytest.mark.parametrize(
    ("features", "options", "error", "sentence"),
    [
        (torch.zeros(5, 3), {"method": "tsne"}, LayerError, "did you mean 't-sne'"),
        (torch.zeros(1, 3), {}, ShapeError, "1 images are too few; 2"),
        (torch.zeros(5), {}, ShapeError, r"\(N, D\)"),
        (torch.zeros(5, 1), {}, LayerError, "2 principal components of 5 images of 1 features"),
        (torch.full((5, 3), torch.nan), {}, LayerError, "inf or NaN"),
        (torch.zeros(5, 3).long(), {}, LayerError, "int64"),
        (torch.zeros(4, 3), {"method": "t-sne"}, ShapeError, "too few; 5"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(features, options, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        project(features, **options)
