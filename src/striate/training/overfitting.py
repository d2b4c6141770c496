"""Measure at the end of a training whether it has overfitted, and say what to try."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from striate.core.recipe import Recipe
from striate.data import Dataset
from striate.engine.run_directory import Row
from striate.metrics import Overfitting, judge_gap
from striate.training.objective import Objective

EARLY = 0.6
"""Up to which share of its steps a training's best epoch came early."""

STRONG_DECAY = 0.005
"""What decay is advised, where there is less."""

LARGE = 64
"""From which side in pixels on, images in colour are taken for photos."""


def rows_measured(dataset: Dataset) -> np.ndarray:
    """Give the training images on which the gap is measured: as many as there are to validate on.

    Args:
        dataset: that was trained on.

    Returns:
        Their numbers, evenly through the training part, since files come sorted by class.
    """
    count = min(len(dataset.train), len(dataset.validation))
    return np.linspace(0, len(dataset.train) - 1, count).astype(np.int64)


def find_overfitting(
    dataset: Dataset,
    logits: Tensor,
    *,
    rows: Sequence[Row],
    best_epoch: int,
    recipe: Recipe,
    objective: Objective,
) -> Overfitting:
    """Judge the weights of the best epoch by the gap between training and validation, and advise.

    Args:
        dataset: that was trained on.
        logits: of the training images of `rows_measured`, as they are, by these weights.
        rows: the results of all epochs.
        best_epoch: the number of these weights' row, from 1.
        recipe: that was trained by, with everything decided.
        objective: says which images are predicted correctly.

    Returns:
        The judgement; advice where it is not that there is none.
    """
    labels = torch.as_tensor(dataset.train.labels[rows_measured(dataset)])
    right = int(objective.hits(logits, labels).sum())
    count = len(dataset.validation)
    validation_right = round(rows[best_epoch - 1]["validation_accuracy"] * count)
    found = judge_gap(right, len(labels), validation_right, count)
    if found.verdict == "none":
        return found
    return found.advised(*_advice(dataset, rows, best_epoch, recipe))


def _advice(dataset: Dataset, rows: Sequence[Row], best_epoch: int, recipe: Recipe) -> Iterator[str]:
    best, last = rows[best_epoch - 1], rows[-1]
    if best["step"] <= EARLY * last["step"]:
        yield (
            f"train for less long: epoch {best['epoch']:g} of {last['epoch']:g} was the best, and patience=5 "
            "ends what brings no gain"
        )
    images = dataset.dims == 2
    photos = images and dataset.channels == 3 and min(dataset.size) >= LARGE
    if photos and recipe.pretrained is None:
        yield "start from what was learnt of other photos: pretrained='efficientnet-lite0'"
    yield "collect more images, or try a smaller network: a learning curve tells which of them pays"
    if images and recipe.augment in (None, "none"):
        yield "let images change more from epoch to epoch: augment='trivial'"
    learns = recipe.freeze != "backbone"  # where only the head does, neither has anything to do
    if learns and not recipe.dropout:
        yield "let features drop out before the head: dropout=0.3"
    # Under Muon ten times the decay changed nothing that could be measured.
    if learns and recipe.optimizer != "muon" and (recipe.weight_decay or 0.0) < STRONG_DECAY:
        decay = recipe.weight_decay or 0.0
        yield f"draw weights towards 0: weight_decay={STRONG_DECAY:g}, where it was {decay:g}"
