"""The goals of attacks: any wrong class, or one that is named."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from striate.core.errors import AttackError


class Goal(ABC):
    """What a model shall be brought to answer; `Untargeted` and `Targeted` are all there are.

    An attack ascends ``sign * loss(logits, classes(labels))``, where a loss is larger the less the model
    believes in the class: away from the label, or towards the target.
    """

    sign: ClassVar[int]

    @abstractmethod
    def classes(self, labels: Tensor) -> Tensor:
        """Give the class that each image is pushed away from, or drawn to.

        Args:
            labels: N int64, the true classes.

        Returns:
            N int64.
        """

    @abstractmethod
    def rows(self, index: Tensor) -> Goal:
        """Give the goal of some of the images.

        Args:
            index: int64, which images; or N booleans.

        Returns:
            A goal that is aligned with these.
        """

    @abstractmethod
    def _answered(self, answers: Tensor, labels: Tensor) -> Tensor:
        """Say where an answer (N int64) is what is wanted."""

    def is_met(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Say which images have what is wanted. A NaN among the logits is no answer, and meets no goal.

        Args:
            logits: N x classes.
            labels: N int64, the true classes.

        Returns:
            N booleans.
        """
        return self._answered(logits.argmax(dim=1), labels) & ~logits.isnan().any(dim=1)


@dataclass(frozen=True)
class Untargeted(Goal):
    """Aim at any class but the true one.

    >>> Untargeted().is_met(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([0, 0])).tolist()
    [True, False]
    """

    sign: ClassVar[int] = 1

    def classes(self, labels: Tensor) -> Tensor:
        """Give the labels, which each image is pushed away from.

        Args:
            labels: N int64.

        Returns:
            The same.
        """
        return labels

    def rows(self, index: Tensor) -> Untargeted:
        """Give the goal of some of the images, which is the same.

        Args:
            index: which images.

        Returns:
            This goal.
        """
        del index
        return self

    def _answered(self, answers: Tensor, labels: Tensor) -> Tensor:
        return answers != labels


@dataclass(frozen=True, eq=False)
class Targeted(Goal):
    """Aim at a class that is named.

    Args:
        label: the class wanted, from 0: one for all images, or N int64 with one for each.

    Raises:
        AttackError: where it is below 0 or not whole.

    >>> Targeted(1).is_met(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([0, 0])).tolist()
    [True, False]
    """

    sign: ClassVar[int] = -1

    label: int | Tensor

    def __post_init__(self) -> None:
        label = torch.as_tensor(self.label)
        if label.is_floating_point() or label.is_complex() or label.dtype == torch.bool or label.ndim > 1:
            raise AttackError(
                f"a target is the number of a class, or one for each image, and not {self.label!r}"
            )
        if label.numel() and int(label.min()) < 0:
            raise AttackError(f"a target is the number of a class, from 0, and not {int(label.min())}")

    def classes(self, labels: Tensor) -> Tensor:
        """Give the targets, which the images are drawn to.

        Args:
            labels: N int64.

        Returns:
            N int64, on the device of the labels.

        Raises:
            AttackError: where there are not as many targets as images.
        """
        targets = torch.as_tensor(self.label).to(labels)
        if targets.ndim and targets.shape != labels.shape:
            raise AttackError(
                f"there are {len(targets)} targets for {len(labels)} images; give one for each, or one"
            )
        return targets.expand_as(labels)

    def rows(self, index: Tensor) -> Targeted:
        """Give the goal of some of the images.

        Args:
            index: int64, which images; or N booleans.

        Returns:
            Their targets.
        """
        if isinstance(self.label, Tensor) and self.label.ndim:
            return Targeted(self.label[index.to(self.label.device)])
        return self

    def _answered(self, answers: Tensor, labels: Tensor) -> Tensor:
        return answers == self.classes(labels)
