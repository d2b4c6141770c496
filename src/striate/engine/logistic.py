"""Logistic regression on features, fitted by L-BFGS and regularised by cross-validation.

Multinomial where an image is of one class; where it may have several labels, one regression for each of them,
all of one strength.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.core.errors import ShapeError
from striate.engine.uncompiled import uncompiled

STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
"""The strengths that are tried, strongest first: each fit begins where the one before it ended."""

FOLDS = 5
MOST_IN_FOLDS = 5000
"""Up to how many images all folds are fitted; of more, one fold is left out once, which says as much."""

MOST_ITERATIONS = 200
MOST_DOUBLE = 2**25
"""Up to how many values features are fitted in double precision: 256 MB."""


@dataclass(frozen=True, eq=False)
class LinearHead:
    """A dense layer: logits are ``weight @ features + bias``.

    Args:
        weight: classes x D, float32.
        bias: classes, float32.
        strength: of the regularisation that it was fitted with.
        iterations: of L-BFGS that the last fit took.
        error: the share of images for which fits that had not seen them are wrong, where the strength was
            chosen by such fits and each image is of one class; ``None``: not known.
    """

    weight: Tensor
    bias: Tensor
    strength: float
    iterations: int
    error: float | None = None

    def __call__(self, features: Tensor) -> Tensor:
        """Give the logits, N x classes, of features, N x D."""
        return F.linear(features, self.weight, self.bias)


def fit_logistic(
    features: Tensor,
    labels: Tensor,
    *,
    classes: int,
    strength: float,
    biased: bool = True,
    weights: Tensor | None = None,
) -> LinearHead:
    """Fit logistic regression: least mean cross entropy + strength/2 times the squared norm of the weights.

    Where images may have several labels, cross entropy is the sum of the binary ones of all labels, so that
    each label is fitted as if it were alone.

    Features are first centred and divided by the root of their mean variance, all by one number, so that a
    strength means the same for every backbone; the bias is not regularised. What is given back takes the
    features as they are.

    Args:
        features: N x D.
        labels: N, each in [0, classes); or N x classes, 1 for each label that an image has, else 0.
        classes: how many there are.
        strength: over 0.
        biased: whether there is a bias; without one, features are not centred either.
        weights: what each image counts in the mean, N, of mean 1; ``None``: all alike.

    Returns:
        The layer.

    Raises:
        ShapeError: where there are no features, or another number of labels.

    >>> head = fit_logistic(torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1]), classes=2, strength=0.01)
    >>> head(torch.tensor([[-1.0], [2.0]])).argmax(dim=1)
    tensor([0, 1])
    """
    _check(features, labels)
    scaled = _Scaled(features, centred=biased)
    everything = _counts(weights, labels, scaled.values.dtype)[None]
    problem = _Problem(scaled.values, labels, classes, everything, biased=biased)
    iterations = problem.descend(strength)
    weight, bias = problem.solution()
    return scaled.unscaled(weight[0], bias[0], strength=strength, iterations=iterations)


def fit_chosen(
    features: Tensor,
    labels: Tensor,
    *,
    classes: int,
    seed: int = 0,
    biased: bool = True,
    weights: Tensor | None = None,
) -> LinearHead:
    """Fit logistic regression with the strength whose cross-validated cross entropy is least.

    Args:
        features: N x D.
        labels: N, each in [0, classes); or N x classes, 1 for each label that an image has, else 0.
        classes: how many there are.
        seed: divides the images into folds.
        biased, weights: as for `fit_logistic`.

    Returns:
        The layer, fitted to all of them.

    Raises:
        ShapeError: where there are no features, or another number of labels.
    """
    _check(features, labels)
    strength, error = _chosen(features, labels, classes=classes, seed=seed, biased=biased, weights=weights)
    head = fit_logistic(features, labels, classes=classes, strength=strength, biased=biased, weights=weights)
    return replace(head, error=error)


def held_out_logits(
    features: Tensor, labels: Tensor, *, classes: int, strength: float, seed: int = 0
) -> Tensor:
    """Give each image's logits from a fit that has not seen it.

    Args:
        features: N x D.
        labels: N, each in [0, classes); or N x classes, 1 for each label that an image has, else 0.
        classes: how many there are.
        strength: of the regularisation, over 0.
        seed: divides the images into folds.

    Returns:
        N x classes, float32.

    Raises:
        ShapeError: where there are no features, or another number of labels.
    """
    _check(features, labels)
    scaled = _Scaled(features, centred=True)
    fold = stratified_folds(labels, folds=FOLDS, seed=seed)
    counts = _counts(None, labels, scaled.values.dtype)
    weights = _training_weights(fold, FOLDS, counts)
    problem = _Problem(scaled.values, labels, classes, weights, biased=True)
    problem.descend(strength)
    logits = problem.logits()
    return logits[fold, torch.arange(len(labels))].float()


def stratified_folds(labels: Tensor, *, folds: int, seed: int) -> Tensor:
    """Divide images into folds in which every class is as frequent as it can be made.

    Args:
        labels: N, from 0 on; or N x classes, where images with the same labels are a class.
        folds: how many, at least 2.
        seed: decides which image comes into which.

    Returns:
        N, the number of each image's fold.

    >>> stratified_folds(torch.tensor([0, 0, 1, 1]), folds=2, seed=0).sum()
    tensor(2)
    """
    if labels.ndim == 2:
        labels = torch.unique(labels, dim=0, return_inverse=True)[1]
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    by_class = order[torch.argsort(labels[order], stable=True)]
    found = torch.empty(len(labels), dtype=torch.long)
    found[by_class] = torch.arange(len(labels)) % folds
    return found


def _chosen(
    features: Tensor, labels: Tensor, *, classes: int, seed: int, biased: bool, weights: Tensor | None
) -> tuple[float, float | None]:
    if len(labels) < FOLDS:
        return STRENGTHS[len(STRENGTHS) // 2], None
    scaled = _Scaled(features, centred=biased)
    fold = stratified_folds(labels, folds=FOLDS, seed=seed)
    fitted = FOLDS if len(labels) <= MOST_IN_FOLDS else 1
    counts = _counts(weights, labels, scaled.values.dtype)
    training = _training_weights(fold, fitted, counts)
    problem = _Problem(scaled.values, labels, classes, training, biased=biased)
    held_out = torch.stack([fold == number for number in range(fitted)])
    losses: list[float] = []
    errors: list[float | None] = []
    for strength in STRENGTHS:
        problem.descend(strength)
        losses.append((problem.losses() * counts)[held_out].mean().item())
        errors.append(None if labels.ndim == 2 else problem.wrong()[held_out].double().mean().item())
        if len(losses) > 2 and losses[-1] > losses[-2] > losses[-3]:
            break  # weaker ones only learn more by heart
    best = losses.index(min(losses))
    return STRENGTHS[best], errors[best]


def _training_weights(fold: Tensor, fitted: int, counts: Tensor) -> Tensor:
    """Give, for each fold that is left out, the weight of every image in the mean over the others."""
    kept = torch.stack([fold != number for number in range(fitted)]) * counts
    return kept / kept.sum(dim=1, keepdim=True) * len(fold)


def _counts(weights: Tensor | None, labels: Tensor, kind: torch.dtype) -> Tensor:
    return torch.ones(len(labels), dtype=kind) if weights is None else weights.to(kind)


class _Scaled:
    """Features about 0, of a mean variance of 1."""

    def __init__(self, features: Tensor, *, centred: bool) -> None:
        kind = torch.float64 if features.numel() <= MOST_DOUBLE else torch.float32
        wide = features.to(kind)
        self._mean = wide.mean(dim=0) * centred
        self.values = wide - self._mean
        self._scale = self.values.square().mean().sqrt().clamp(min=1e-12)
        self.values /= self._scale

    def unscaled(self, weight: Tensor, bias: Tensor, *, strength: float, iterations: int) -> LinearHead:
        """Give the layer that takes the features as they are."""
        weight = weight / self._scale
        return LinearHead(weight.float(), (bias - weight @ self._mean).float(), strength, iterations)


class _Problem:
    """Several fits to the same features at once, each with other weights of the images: the folds.

    Their sum is minimised, in which they do not meet, so that every product is over all of them.
    """

    def __init__(
        self, features: Tensor, labels: Tensor, classes: int, weights: Tensor, *, biased: bool
    ) -> None:
        self._features, self._weights = features, weights
        self._labels = labels.to(features) if labels.ndim == 2 else labels
        self._fits, self._classes, self._biased = len(weights), classes, biased
        width = features.shape[1]
        self._parameters = features.new_zeros(self._fits * classes, width + 1).requires_grad_()

    def solution(self) -> tuple[Tensor, Tensor]:
        """Give weights, fits x classes x D, and biases, fits x classes."""
        shaped = self._parameters.detach().view(self._fits, self._classes, -1)
        return shaped[..., :-1], shaped[..., -1]

    def logits(self) -> Tensor:
        """Give the logits of all images under each fit, fits x N x classes."""
        flat = F.linear(self._features, self._parameters[:, :-1], self._parameters[:, -1] * self._biased)
        return flat.view(-1, self._fits, self._classes).transpose(0, 1)

    def losses(self) -> Tensor:
        """Give the cross entropy of every image under each fit, fits x N."""
        with torch.no_grad():
            return self._cross_entropies()

    def wrong(self) -> Tensor:
        """Say of which images each fit gives another class, fits x N."""
        with torch.no_grad():
            return self.logits().argmax(dim=2) != self._labels

    def descend(self, strength: float) -> int:
        """Minimise from where the last descent ended, and give the number of iterations."""
        optimizer = uncompiled(torch.optim.LBFGS)(
            [self._parameters],
            max_iter=MOST_ITERATIONS,
            tolerance_grad=1e-6,
            tolerance_change=1e-9,
            history_size=10,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            fitted = (self._cross_entropies() * self._weights).mean(dim=1).sum()
            loss = fitted + strength / 2 * self._parameters[:, :-1].square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        return int(optimizer.state[self._parameters]["n_iter"])

    def _cross_entropies(self) -> Tensor:
        logits = self.logits()
        if self._labels.ndim == 2:
            table = self._labels.expand_as(logits)
            return F.binary_cross_entropy_with_logits(logits, table, reduction="none").sum(dim=2)
        labels = self._labels.expand(self._fits, -1)
        flat = F.cross_entropy(logits.reshape(-1, self._classes), labels.reshape(-1), reduction="none")
        return flat.view(self._fits, -1)


def _check(features: Tensor, labels: Tensor) -> None:
    if features.ndim != 2 or not len(features) or len(features) != len(labels):
        shape = "x".join(map(str, features.shape))
        raise ShapeError(
            f"{len(labels)} labels do not fit features of {shape}, where a label a row is wanted"
        )
