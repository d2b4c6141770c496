"""How far probabilities can be believed: likelihood, Brier score, calibration error, and temperature."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from striate.core.errors import ShapeError
from striate.metrics.inputs import checked

LOWEST_TEMPERATURE = 0.05
HIGHEST_TEMPERATURE = 20.0


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> float:
    """Give the mean of ``-log p(true class)``, in nats.

    Args:
        logits: (N, C), one row an image.
        labels: (N), the true classes, 0 to C - 1.

    Returns:
        At least 0; ``log C`` is what equal probabilities earn.

    Raises:
        ShapeError: where the shapes do not fit, there is no image, or a label names no class.
        TrainingError: where a logit is not a finite number.

    >>> round(negative_log_likelihood(torch.zeros(3, 2), torch.tensor([0, 1, 1])), 4)
    0.6931
    """
    logits, labels = checked(logits, labels)
    return float(torch.nn.functional.cross_entropy(logits, labels))


def brier_score(logits: Tensor, labels: Tensor) -> float:
    """Give the mean squared distance between probabilities and truth, summed over all classes.

    ``mean_n sum_c (p_nc - y_nc)^2`` with y the true class as a one among zeros.

    Args:
        logits: (N, C), one row an image.
        labels: (N), the true classes, 0 to C - 1.

    Returns:
        A figure in [0, 2]; ``1 - 1/C`` is what equal probabilities earn.

    Raises:
        ShapeError: where the shapes do not fit, there is no image, or a label names no class.
        TrainingError: where a logit is not a finite number.

    Source: Brier, Monthly Weather Review 78 (1950), the original form, over all classes.

    >>> brier_score(torch.zeros(1, 2), torch.tensor([0]))
    0.5
    """
    logits, labels = checked(logits, labels)
    distance = logits.softmax(dim=1)
    distance[torch.arange(len(labels)), labels] -= 1
    return float(distance.square().sum(dim=1).mean())


def expected_calibration_error(logits: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Give the mean gap between confidence and accuracy, in bins of equal width.

    ``sum_b (n_b / N) |accuracy_b - confidence_b|``, where confidence is the probability of the
    predicted class. Bin b holds confidences in ``[b/B, (b+1)/B)``; the last one holds 1 as well.

    Args:
        logits: (N, C), one row an image.
        labels: (N), the true classes, 0 to C - 1.
        bins: how many bins [0, 1] is cut into, at least 1.

    Returns:
        A figure in [0, 1].

    Raises:
        ShapeError: where the shapes do not fit, there is no image, a label names no class, or there
            is no bin.
        TrainingError: where a logit is not a finite number.

    Source: Naeini, Cooper and Hauskrecht, AAAI 2015; 15 bins as in Guo et al., ICML 2017.

    >>> expected_calibration_error(torch.zeros(4, 2), torch.tensor([0, 0, 0, 1]))
    0.25
    """
    if bins < 1:
        raise ShapeError(f"confidences cannot be put into {bins} bins; 15 is usual")
    logits, labels = checked(logits, labels)
    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    index = torch.bucketize(confidence, edges[1:-1], right=True)
    gap = (predicted == labels).double() - confidence
    return float(torch.zeros(bins, dtype=torch.float64).index_add(0, index, gap).abs().sum() / len(labels))


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Find the temperature by which to divide logits so that their probabilities can be believed.

    Minimises the negative log-likelihood of ``softmax(logits / T)`` in float64 by bisection over
    ``log T``: the likelihood is concave in ``1/T``, so its slope changes sign once. Each label gives
    ``1 / (N + 1)`` of itself to all classes alike. Without that, images that are all classified
    correctly have no best temperature (the likelihood grows until every prediction claims to be
    certain); with it, N images cannot earn more confidence than about ``N / (N + 1)``, and where N is
    large next to nothing changes.

    Args:
        logits: (N, C), one row an image, of images that were not trained on.
        labels: (N), the true classes, 0 to C - 1.

    Returns:
        A temperature in [0.05, 20], which is clipped where the best one lies beyond; 1 where none is
        better than another (one class, or equal logits throughout).

    Raises:
        ShapeError: where the shapes do not fit, there is no image, or a label names no class.
        TrainingError: where a logit is not a finite number.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2; the
    smoothing in the manner of Platt (1999), who did so for two classes.

    >>> logits = torch.tensor([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 0.0]]).repeat(100, 1)
    >>> round(fit_temperature(logits, torch.tensor([0, 0, 0, 1]).repeat(100)), 1)  # 4 / log 3 = 3.64
    3.7
    """
    logits, labels = checked(logits, labels)
    if bool((logits == logits[:, :1]).all()):
        return 1.0
    share = 1 / (len(labels) + 1)
    wanted = (1 - share) * logits.gather(1, labels[:, None]).mean() + share * logits.mean()
    low, high = math.log(LOWEST_TEMPERATURE), math.log(HIGHEST_TEMPERATURE)
    for _ in range(40):
        middle = (low + high) / 2
        expected = ((logits / math.exp(middle)).softmax(dim=1) * logits).sum(dim=1).mean()
        if expected > wanted:  # too sure of itself: hotter
            low = middle
        else:
            high = middle
    return min(max(math.exp((low + high) / 2), LOWEST_TEMPERATURE), HIGHEST_TEMPERATURE)
