"""A map of many images in the plane: where their features lie, by principal components, UMAP or t-SNE."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from striate.core.errors import LayerError, ShapeError, unknown_name

METHODS_OF_PROJECTION = ("pca", "t-sne", "umap")
"""The ways to lay features out in a plane; the last two need packages of others."""

_PACKAGES = {"t-sne": ("sklearn.manifold", "scikit-learn"), "umap": ("umap", "umap-learn")}
_NEIGHBOURS = 15  # UMAP's own default
_PERPLEXITY = 30.0  # t-SNE's


@dataclass(frozen=True, kw_only=True, eq=False)
class Projection:
    """Features laid out with few numbers each.

    Args:
        method: ``pca``, ``t-sne`` or ``umap``.
        points: float32 (N, components).
        shares: of the variance of the features the part along each component; ``None`` where the method has
            no such figure, as its distances have no scale.
        directions: float32 (components, features), of length 1; ``None`` likewise.
    """

    method: str
    points: Tensor
    shares: Tensor | None = None
    directions: Tensor | None = None


def principal_components(features: Tensor, *, components: int = 2) -> Projection:
    """Lay features out along the directions in which they vary most.

    The points are ``(X - mean) V``, where V are the first eigenvectors of the covariance of X, each turned so
    that its largest entry is positive. Computed in double precision from the smaller one of ``X'X`` and
    ``XX'``, X centred.

    Args:
        features: (N, D), at least 2 images.
        components: how many directions, from 1 to the smaller one of N and D.

    Returns:
        The points, the shares of variance and the directions; of fewer images than D, a direction without
        variance is 0.

    Raises:
        LayerError: where they are not finite, or more components are asked for than there are.
        ShapeError: where they are not (N, D) with N from 2.

    Source: Pearson, On lines and planes of closest fit (1901).

    >>> found = principal_components(torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]))
    >>> found.points[:, 0].tolist(), found.shares[0].item()
    ([-5.0, 0.0, 5.0], 1.0)
    """
    check_features(features, least=2)
    count, width = features.shape
    if not 1 <= components <= min(count, width):
        raise LayerError(
            f"{components} principal components of {count} images of {width} features cannot be; 1 to "
            f"{min(count, width)} can"
        )
    centred = features.detach().cpu().double()
    centred = centred - centred.mean(dim=0)
    if width <= count:
        variances, vectors = torch.linalg.eigh(centred.T @ centred)
    else:
        variances, sides = torch.linalg.eigh(centred @ centred.T)
        # Where nothing varies there is no direction, and what rounding leaves is none either.
        lengths = torch.where(variances > 1e-12 * variances.max(), variances, torch.inf).sqrt()
        vectors = centred.T @ sides / lengths
    variances = variances.clamp_min(0).flip(0)
    directions = vectors.flip(1)[:, :components].T
    largest = directions.gather(1, directions.abs().argmax(dim=1, keepdim=True))
    directions = directions * torch.where(largest < 0, -1.0, 1.0).double()
    total = variances.sum()
    shares = variances[:components] / total if total > 0 else torch.zeros(components).double()
    points = centred @ directions.T
    return Projection(
        method="pca", points=points.float(), shares=shares.float(), directions=directions.float()
    )


def project(features: Tensor, *, method: str = "pca", seed: int = 0) -> Projection:
    """Lay features out in a plane.

    Principal components keep distances as far as a plane can, and axes mean something. t-SNE and UMAP keep
    neighbours together: neither distances between groups nor their sizes mean anything there. What they are
    given are the first 50 principal components.

    Args:
        features: (N, D).
        method: ``pca``; ``t-sne`` where scikit-learn is installed; ``umap`` where umap-learn is.
        seed: of t-SNE and UMAP; one seed gives one map on one machine.

    Returns:
        Two numbers for each image.

    Raises:
        LayerError: for an unknown method, one whose package is not installed, or features not finite.
        ShapeError: where there are fewer than 2 features or images, or too few for t-SNE or UMAP.

    Source: van der Maaten and Hinton, Visualizing Data using t-SNE (2008); McInnes et al., UMAP (2018).

    >>> project(torch.eye(4)).points.shape
    torch.Size([4, 2])
    """
    if method not in METHODS_OF_PROJECTION:
        raise LayerError(unknown_name("method", method, METHODS_OF_PROJECTION))
    if method == "pca":
        return principal_components(features)
    check_features(features, least=5)
    found = _maker(method)
    reduced = principal_components(features, components=max(2, min(50, *features.shape))).points.numpy()
    if method == "t-sne":
        near = min(_PERPLEXITY, (len(reduced) - 1) / 3)
        maker = found.TSNE(n_components=2, perplexity=near, init="pca", random_state=seed % 2**32)
    else:
        near = min(_NEIGHBOURS, len(reduced) - 1)
        # With a seed UMAP computes on one core, and warns where it is not told so.
        maker = found.UMAP(n_components=2, n_neighbors=near, random_state=seed % 2**32, n_jobs=1)
    return Projection(
        method=method, points=torch.from_numpy(np.asarray(maker.fit_transform(reduced), np.float32))
    )


def check_features(features: Tensor, *, least: int) -> None:
    """Refuse what is no table of features.

    Args:
        features: to be checked.
        least: images that are needed.

    Raises:
        LayerError: where it is no tensor of floats, or holds inf or NaN.
        ShapeError: where it is not (N, D), or N is too small.
    """
    if not isinstance(features, Tensor) or not features.is_floating_point():
        kind = features.dtype if isinstance(features, Tensor) else type(features).__name__
        raise LayerError(f"features are {kind}, where a tensor of floats is wanted")
    if features.ndim != 2 or 0 in features.shape:
        raise ShapeError(
            f"features have the shape {tuple(features.shape)}, where (N, D) is wanted, each from 1"
        )
    if len(features) < least:
        raise ShapeError(f"features of {len(features)} images are too few; {least} are needed")
    if not torch.isfinite(features).all():
        raise LayerError("some features are inf or NaN; leave these images out")


def _maker(method: str) -> Any:
    module, package = _PACKAGES[method]
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        raise LayerError(
            f"the method '{method}' needs the package {package}, which is not installed; 'pip install "
            f"{package}' installs it, and the method 'pca' needs nothing"
        )
    return importlib.import_module(module)
