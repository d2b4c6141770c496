"""What a training minimises, what it tells of its steps, and the figure that chooses its best epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.core.recipe import Recipe
from striate.data import Dataset
from striate.metrics import confusion_matrix, macro_f1


@dataclass(frozen=True, eq=False)
class Objective:
    """The objective where every image is of one class: cross entropy.

    Labels are N int64; while images are mixed in training, N x classes, float32: how much of each.

    Args:
        chosen_by: the figure by which the best epoch is chosen: ``accuracy``, ``macro-f1`` or ``loss``.
        label_smoothing: share of each label spread over all classes, in [0, 1).
        class_weights: how much an image of each class counts, on the training's device; ``None``: alike.

    >>> objective = Objective(class_weights=torch.tensor([0.5, 2.0]))
    >>> objective.loss(torch.zeros(2, 2), torch.tensor([0, 1]))  # log 2 (0.5 + 2)/2
    tensor(0.8664)
    """

    chosen_by: str = "accuracy"
    label_smoothing: float = 0.0
    class_weights: Tensor | None = None
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"loss"})

    @property
    def column(self) -> str:
        """The column of the results that holds the figure by which the best epoch is chosen."""
        return f"validation_{self.chosen_by.replace('-', '_')}"

    def loss(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """Give what a step minimises: the mean of the images' smoothed losses, each times what it counts.

        Args:
            logits: N x classes.
            labels: of these images.
            weights: how much each image counts besides what its class does, N; ``None``: alike.

        Returns:
            One number.
        """
        if weights is None and self.class_weights is None:
            return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        losses = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing, reduction="none")
        if self.class_weights is not None:
            mixed = labels.is_floating_point()
            losses = losses * (labels @ self.class_weights if mixed else self.class_weights[labels])
        return (losses if weights is None else losses * weights).mean()

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Give each image's own loss, neither smoothed nor weighted: what is told and compared.

        Args:
            logits: N x classes.
            labels: of these images.

        Returns:
            N numbers.
        """
        return F.cross_entropy(logits, labels, reduction="none")

    def hits(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Say which images are predicted rightly.

        Args:
            logits: N x classes.
            labels: of these images; of mixed ones the class that they have most of.

        Returns:
            N booleans.
        """
        true = labels.argmax(dim=1) if labels.is_floating_point() else labels
        return logits.argmax(dim=1) == true

    def figures(self, logits: Tensor, labels: Tensor) -> dict[str, float]:
        """Measure what a validation's row holds.

        Args:
            logits: N x classes, on the CPU.
            labels: of these images.

        Returns:
            ``validation_loss``, ``validation_accuracy``, and the `column` where it is another.
        """
        row = {
            "validation_loss": F.cross_entropy(logits, labels).item(),
            "validation_accuracy": self.hits(logits, labels).double().mean().item(),
        }
        if self.chosen_by == "macro-f1":
            confusion = confusion_matrix(logits.argmax(dim=1), labels, logits.shape[1])
            row[self.column] = macro_f1(confusion)
        return row

    def signed(self, value: float) -> float:
        """Turn the sign of a figure that is better where it is lower.

        Args:
            value: of the figure by which the best epoch is chosen.

        Returns:
            What is higher where it is better.
        """
        return -value if self.chosen_by in self.lower_is_better else value


def objective_of(recipe: Recipe, dataset: Dataset, *, device: str) -> Objective:
    """Give the objective of a training.

    Args:
        recipe: with everything decided.
        dataset: what is trained on.
        device: where the training computes.

    Returns:
        The objective.
    """
    if dataset.multi_label:
        from striate.training.multi_label_objective import multi_label_objective_of  # which is built on this

        return multi_label_objective_of(recipe, torch.as_tensor(dataset.train.labels), device=device)
    weights = None
    if recipe.balance == "weights":
        weights = class_weights(torch.as_tensor(dataset.train.labels), len(dataset.classes)).to(device)
    return Objective(recipe.choose_by or "accuracy", recipe.label_smoothing or 0.0, weights)


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """Give what an image of each class counts, so that all classes that occur count alike: N / (K n_c).

    Args:
        labels: N int64, each in [0, classes).
        classes: how many there are.

    Returns:
        A weight for each class, float32: 0 where it does not occur; the mean over all images is 1.

    >>> class_weights(torch.tensor([0, 0, 0, 2]), 3)
    tensor([0.6667, 0.0000, 2.0000])
    """
    counts = torch.bincount(labels.long(), minlength=classes).double()
    there = counts > 0
    weights = torch.where(there, len(labels) / (there.sum() * counts.clamp(min=1)), 0.0)
    return weights.float()
