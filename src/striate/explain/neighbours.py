"""The images that are nearest to a query by their features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from striate.core.errors import LayerError, ShapeError, unknown_name
from striate.explain.projection import check_features

METRICS = ("cosine", "euclidean")
"""The ways to measure how far two images are: by the angle of their features, or by their distance."""

_AT_ONCE = 2**24  # values


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """The nearest images of queries.

    Args:
        metric: ``cosine`` or ``euclidean``.
        images: int64 (queries, count): numbers of images, the nearest first.
        distances: float32 (queries, count): ``1 - cosine``, from 0 to 2; or the Euclidean distance.
    """

    metric: str
    images: Tensor
    distances: Tensor


def nearest_images(
    queries: Tensor, features: Tensor, *, count: int = 9, metric: str = "cosine"
) -> Neighbours:
    """Find the images whose features are nearest to those of queries.

    All are compared, a part at a time, so that the memory needed is bounded; distances are computed anew from
    the differences, so that a duplicate is at exactly 0 by ``euclidean``.

    Args:
        queries: (Q, D) features of the queries.
        features: (N, D) features of the images, such as those that were trained on.
        count: neighbours of each, at least 1; all images where there are fewer.
        metric: ``cosine`` or ``euclidean``.

    Returns:
        Their numbers and distances; where distances tie, in no order that is promised.

    Raises:
        LayerError: for an unknown metric, a count under 1, or features that are not finite.
        ShapeError: where queries and images have other numbers of features.

    >>> images = torch.tensor([[0.0, 1.0], [1.0, 0.1], [2.0, 0.0]])
    >>> nearest_images(torch.tensor([[1.0, 0.0]]), images, count=2).images.tolist()
    [[2, 1]]
    """
    for each in (queries, features):
        check_features(each, least=1)
    if queries.shape[1] != features.shape[1]:
        raise ShapeError(
            f"queries have {queries.shape[1]} features and the images {features.shape[1]}; those of one "
            "layer can be compared"
        )
    if metric not in METRICS:
        raise LayerError(unknown_name("metric", metric, METRICS))
    if count < 1:
        raise LayerError(f"{count} neighbours cannot be found; 1 and more can")
    there, asked = features.detach().float(), queries.detach().to(features.device).float()
    if metric == "cosine":
        there, asked = (torch.nn.functional.normalize(each, dim=1) for each in (there, asked))
    squares = there.double().square().sum(dim=1).float()
    found: list[Tensor] = []
    distances: list[Tensor] = []
    for some in torch.split(asked, max(1, _AT_ONCE // max(len(there), count * there.shape[1]))):
        # |q - x|^2 is this but for |q|^2, which is the same for all images.
        order = (squares - 2 * some @ there.T).topk(min(count, len(there)), largest=False).indices
        apart = (there[order] - some[:, None]).double()
        exact, place = torch.linalg.vector_norm(apart, dim=2).sort(dim=1, stable=True)
        found.append(order.gather(1, place))
        # Of vectors of length 1 the squared distance is 2 - 2 cosine.
        distances.append((exact.square() / 2 if metric == "cosine" else exact).float())
    return Neighbours(metric=metric, images=torch.cat(found).cpu(), distances=torch.cat(distances).cpu())
