"""The losses that attacks ascend: larger, the less a model believes in a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.attack.goals import Goal

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Gives N losses of N x classes logits and N classes."""

_SMALLEST = 1e-12


def aimed(loss: Loss, goal: Goal, logits: Tensor, labels: Tensor) -> Tensor:
    """Compute what an attack ascends for a goal: the loss of the label, or less that of the target.

    Args:
        loss: such as `cross_entropy`.
        goal: aligned with the images.
        logits: N x classes.
        labels: N int64, the true classes.

    Returns:
        N.

    >>> from striate.attack.goals import Targeted
    >>> aimed(margin, Targeted(1), torch.tensor([[3.0, 1.0]]), torch.tensor([0])).item()
    -2.0
    """
    return goal.sign * loss(logits, goal.classes(labels))


def cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """Compute the logarithm of the probability of a class, less than zero turned round: ``-log p``.

    Args:
        logits: N x classes.
        classes: N int64.

    Returns:
        N.

    >>> cross_entropy(torch.zeros(1, 2), torch.tensor([0])).exp().item()
    2.0
    """
    return F.cross_entropy(logits, classes, reduction="none")


def log_odds(logits: Tensor, classes: Tensor) -> Tensor:
    """Compute the logarithm of the odds against a class: ``log((1 - p) / p)``.

    It rises where the cross entropy does, and its gradient is that of the cross entropy times a number above
    0: steps of a given length are the same. But it saturates nowhere: of a model that is sure by more than
    17 units of its logits the cross entropy is 0 in float32, and by more than 100 its gradient is.

    Args:
        logits: N x classes, of two classes or more.
        classes: N int64.

    Returns:
        N.

    >>> log_odds(torch.tensor([[1e4, 0.0]]), torch.tensor([0])).item()
    -10000.0
    """
    others = logits.scatter(1, classes[:, None], -torch.inf)
    return others.logsumexp(dim=1) - _of(logits, classes)


def margin(logits: Tensor, classes: Tensor) -> Tensor:
    """Compute by how much the largest other logit exceeds that of a class: above 0 where another wins.

    Args:
        logits: N x classes, of two classes or more.
        classes: N int64.

    Returns:
        N.

    Source: Carlini and Wagner, Towards evaluating the robustness of neural networks (2017), section V.A,
    f6 with its sign turned and without its floor.

    >>> margin(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0])).item()
    -1.0
    """
    return _largest_other(logits, classes) - _of(logits, classes)


def dlr(logits: Tensor, classes: Tensor) -> Tensor:
    """Compute the difference of logits ratio: the margin over the distance from the first to the third logit.

    Scaling or shifting all logits changes nothing. Two classes have no third: the margin is given.

    Args:
        logits: N x classes, of two classes or more.
        classes: N int64.

    Returns:
        N.

    Source: Croce and Hein, Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks (2020), section 4.

    >>> dlr(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0])).item()
    -0.5
    """
    if logits.shape[1] < 3:
        return margin(logits, classes)
    ordered = logits.topk(3, dim=1).values
    return margin(logits, classes) / (ordered[:, 0] - ordered[:, 2] + _SMALLEST)


def targeted_dlr(logits: Tensor, classes: Tensor, targets: Tensor) -> Tensor:
    """Compute the targeted difference of logits ratio: how far a target's logit is above that of a class.

    It is ``(z_t - z_y) / (z_1 - (z_3 + z_4) / 2)`` with the logits in order below. Fewer than four classes
    have no such distance: the difference alone is given.

    Args:
        logits: N x classes, of two classes or more.
        classes: N int64, to be left.
        targets: N int64, to be reached.

    Returns:
        N.

    Source: Croce and Hein (2020), as for `dlr`, section 4.

    >>> targeted_dlr(torch.tensor([[4.0, 3.0, 2.0, 0.0]]), torch.tensor([0]), torch.tensor([1])).item()
    -0.3333333432674408
    """
    difference = _of(logits, targets) - _of(logits, classes)
    if logits.shape[1] < 4:
        return difference
    ordered = logits.topk(4, dim=1).values
    return difference / (ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2 + _SMALLEST)


def _of(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None]).squeeze(1)


def _largest_other(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.scatter(1, classes[:, None], -torch.inf).amax(dim=1)
