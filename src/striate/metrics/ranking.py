"""Average precision: how far the images that have a label stand before those that have not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from striate.core.errors import ShapeError, TrainingError
from striate.core.intervals import wilson


def average_precision(scores: Tensor, labels: Tensor) -> Tensor:
    """Give the average precision of each label.

    ``sum_n (R_n - R_(n-1)) P_n`` over the distinct scores, from the highest down, with precision ``P_n`` and
    recall ``R_n`` of taking all images of at least this score: the mean over the images that have the label
    of the precision at their score.

    Args:
        scores: (N, K), a column a label: logits or probabilities.
        labels: (N, K), 1 where the image has the label, else 0.

    Returns:
        float64 (K) in [0, 1]: the share of the images that have a label is what chance earns. Not a number
        where no image has it.

    Raises:
        ShapeError: where the shapes do not fit, there is no image, or a label is neither 0 nor 1.
        TrainingError: where a score is not a finite number.

    Source: the definition of the TREC conferences, without interpolation; images of one score count together.

    >>> average_precision(torch.tensor([[3.0], [2.0], [1.0]]), torch.tensor([[1], [0], [1]]))
    tensor([0.8333], dtype=torch.float64)
    """
    scores, labels = checked_tables(scores, labels)
    ranking = Ranking.of(scores, labels)
    return (ranking.hits * ranking.precision).sum(dim=0) / labels.sum(dim=0)


@dataclass(frozen=True, eq=False)
class Ranking:
    """The images of each label from the highest score down, those of one score together; each (N, K).

    Args:
        order: the number of the image at each place.
        hits: 1 where it has the label, else 0, float64.
        found: how many images of at least its score have the label, float64.
        counted: how many images of at least its score there are, float64.
        first: the first place of those of its score.
    """

    order: Tensor
    hits: Tensor
    found: Tensor
    counted: Tensor
    first: Tensor

    @classmethod
    def of(cls, scores: Tensor, labels: Tensor) -> Ranking:
        """Rank images.

        Args:
            scores: (N, K).
            labels: (N, K), 0 or 1.

        Returns:
            The ranking.
        """
        ordered, order = scores.sort(dim=0, descending=True)
        hits = labels.double().gather(0, order)
        begins, ends = (torch.ones_like(ordered, dtype=torch.bool) for _ in range(2))
        begins[1:] = ends[:-1] = ordered[:-1] != ordered[1:]
        places = torch.arange(len(scores))[:, None].expand_as(ordered)
        first = torch.where(begins, places, 0).cummax(dim=0).values
        last = torch.where(ends, places, len(scores)).flip(0).cummin(dim=0).values.flip(0)
        return cls(order, hits, hits.cumsum(dim=0).gather(0, last), (last + 1).double(), first)

    @property
    def precision(self) -> Tensor:
        """The share of the images of at least this score that have the label."""
        return self.found / self.counted


def influences(scores: Tensor, labels: Tensor) -> Tensor:
    """Give by how much each image moves the average precision of each label, if it counts more.

    ``dAP/dw_j = (y_j (P_j - AP) + sum_(i: y_i = 1, s_i <= s_j) (y_j - P_i) / B_i) / n`` for images that count
    w, with B_i images of at least the score of image i, of which the share P_i has the label, and n in all.

    Args:
        scores: (N, K).
        labels: (N, K), 0 or 1; each label on at least one image.

    Returns:
        float64 (N, K); each column adds up to 0.

    Raises:
        ShapeError: as `average_precision`.
        TrainingError: as `average_precision`.
    """
    scores, labels = checked_tables(scores, labels)
    ranking = Ranking.of(scores, labels)
    hits, precision, images = ranking.hits, ranking.precision, labels.sum(dim=0)
    mean = (hits * precision).sum(dim=0) / images
    # Sums over the images with the label from this place's score down.
    shares = hits / ranking.counted
    below = [
        each.flip(0).cumsum(dim=0).flip(0).gather(0, ranking.first) for each in (shares, shares * precision)
    ]
    moved = (hits * (precision - mean + below[0]) - below[1]) / images
    return torch.empty_like(moved).scatter_(0, ranking.order, moved)


def mean_average_precision(scores: Tensor, labels: Tensor) -> float:
    """Give the mean of the average precision over the labels that tell images apart.

    Args:
        scores: (N, K).
        labels: (N, K), 0 or 1.

    Returns:
        A figure in [0, 1]. Labels that no image has, or all have, are left out: the one has no average
        precision, the other has 1 whatever the scores; 0 where there is no other.

    Raises:
        ShapeError: as `average_precision`.
        TrainingError: as `average_precision`.

    >>> mean_average_precision(torch.tensor([[3.0, 0], [2.0, 1]]), torch.tensor([[1, 0], [1, 1]]))
    1.0
    """
    found = average_precision(scores, labels)[telling(labels)]
    return float(found.mean()) if len(found) else 0.0


def telling(labels: Tensor) -> Tensor:
    """Say which labels some images have and others have not.

    Args:
        labels: (N, K), 0 or 1.

    Returns:
        K booleans, on the CPU.
    """
    counts = labels.detach().to("cpu").long().sum(dim=0)
    return (counts > 0) & (counts < len(labels))


def precision_interval(precision: float, images: float) -> tuple[float, float]:
    """Give the 95 % interval of an average precision.

    The Wilson interval of a mean over the images that have the label: an average precision is the mean of
    their precisions, and means of numbers in [0, 1] vary at most as shares do.

    Args:
        precision: in [0, 1].
        images: how many have the label, at least 1.

    Returns:
        Lower and upper bound.

    Source: Boyd, Eng and Page, Area under the precision-recall curve, ECML PKDD 2013, section 4.1, the
    binomial interval; here by Wilson's form, which holds near 1 too.

    >>> low, high = precision_interval(0.9, 100)
    >>> round(low, 4), round(high, 4)
    (0.8256, 0.9448)
    """
    return wilson(min(precision, 1.0) * images, images)


def mean_interval(scores: Tensor, labels: Tensor) -> tuple[float, float]:
    """Give the 95 % interval of a mean average precision.

    The Wilson interval of a share that was measured on as many images as give it the same variance: that of
    the mean over labels, to which an image adds what it moves all of them by (the infinitesimal jackknife),
    so that images that are hard for several labels count as what they are. It is not narrower than if the
    labels were measured on images of their own and varied at most: ``K^2 / sum_k 1/n_k`` of them.

    Args:
        scores: (N, K).
        labels: (N, K), 0 or 1.

    Returns:
        Lower and upper bound; 0 and 1 where no label tells images apart.

    Raises:
        ShapeError: as `average_precision`.
        TrainingError: as `average_precision`.

    Source: Efron, Jackknife-after-bootstrap standard errors and influence functions, JRSS B 54 (1992), for
    the infinitesimal jackknife.

    >>> mean_interval(torch.tensor([[1.0], [0.0]]), torch.tensor([[1], [0]])) == precision_interval(1.0, 1)
    True
    """
    scores, labels = checked_tables(scores, labels)
    tells = telling(labels)
    if not tells.any():
        return 0.0, 1.0
    scores, labels = scores[:, tells], labels[:, tells]
    mean = mean_average_precision(scores, labels)
    apart = labels.shape[1] ** 2 / float((1 / labels.sum(dim=0).double()).sum())
    variance = float(influences(scores, labels).mean(dim=1).square().sum())
    together = mean * (1 - mean) / variance if variance > 0 else apart
    return precision_interval(mean, max(1.0, min(apart, together)))


def checked_tables(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Check that scores and tables of labels belong together, and bring them to the CPU at full precision.

    Args:
        scores: (N, K), any floating type on any device.
        labels: (N, K), 0 or 1, of any type.

    Returns:
        The scores as float64 and the labels as int64, both (N, K) on the CPU.

    Raises:
        ShapeError: where the shapes do not fit, there is no image, or a label is neither 0 nor 1.
        TrainingError: where a score is not a finite number.
    """
    if scores.ndim != 2 or not scores.is_floating_point() or not scores.numel():
        raise ShapeError(
            f"scores are {str(scores.dtype).removeprefix('torch.')} of the shape {tuple(scores.shape)}, "
            "where floats of the shape (N, K), of at least one image and label, are wanted"
        )
    if labels.shape != scores.shape:
        raise ShapeError(
            f"labels have the shape {tuple(labels.shape)}; to scores {tuple(scores.shape)} fits the same"
        )
    labels = labels.detach().to("cpu")
    if not ((labels == 0) | (labels == 1)).all():
        odd = labels[(labels != 0) & (labels != 1)][0].item()
        raise ShapeError(f"a label is {odd}, where 1 (the image has it) or 0 is wanted")
    scores = scores.detach().to("cpu").double()
    broken = int((~torch.isfinite(scores).all(dim=1)).sum())
    if broken:
        raise TrainingError(
            f"the network's outputs for {broken} of {len(scores)} images are not finite numbers, as after a "
            "training that diverged; a lower learning rate usually cures it"
        )
    return scores, labels.long()
