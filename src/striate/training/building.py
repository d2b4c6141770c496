"""A new classifier for a dataset: the network that a recipe names, with its preprocessing and first layer."""

from __future__ import annotations

import numpy as np
import torch

from striate.classifier import Classifier, Preprocessing
from striate.core.device import Policy
from striate.core.recipe import Recipe
from striate.core.seeds import derive
from striate.data import Dataset
from striate.models import LearnsFirstLayer, build

SAMPLE = 5000
"""From how many images, at most, mean, deviation and the first layer are computed."""


def new_classifier(dataset: Dataset, recipe: Recipe, policy: Policy) -> Classifier:
    """Build the untrained classifier that a recipe asks for.

    Args:
        dataset: its training part gives the normalisation and, where the network wants it, the
            first layer.
        recipe: names the network and the seed of its weights.
        policy: where and how it computes.

    Returns:
        The classifier, on its device, in its memory format.
    """
    arguments = {"classes": len(dataset.classes), "channels": dataset.channels, "size": list(dataset.size)}
    torch.manual_seed(derive(recipe.seed, "weights"))
    network = build(
        recipe.model or "", classes=len(dataset.classes), channels=dataset.channels, size=dataset.size
    )
    mean, std = _moments(dataset)
    classifier = Classifier(
        network,
        model=recipe.model or "",
        arguments=arguments,
        classes=dataset.classes,
        preprocessing=Preprocessing(
            size=dataset.size,
            channels=dataset.channels,
            mean=mean,
            std=std,
            fit=dataset.fit,
            fill=dataset.fill,
            mirror=bool(recipe.mirror),
        ),
        policy=policy,
        details={
            "recipe": recipe.to_dict(),
            "source": dataset.source,
            "fingerprint": dataset.fingerprint,
        },
    )
    sample = _sample(dataset)
    if isinstance(network, LearnsFirstLayer):
        # On the CPU, since it takes float64, which not every device has.
        scaled = torch.from_numpy(sample).float().div_(255)
        network.learn_first_layer((scaled - classifier.mean.cpu()) / classifier.std.cpu())
    if policy.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return classifier


def _sample(dataset: Dataset) -> np.ndarray:
    count = len(dataset.train)
    chosen = np.linspace(0, count - 1, min(SAMPLE, count)).astype(int)
    return np.ascontiguousarray(dataset.train.images[chosen])


def _moments(dataset: Dataset) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel in [0, 1], over a sample large enough to be exact to 1 %."""
    pixels = _sample(dataset).astype(np.float64) / 255
    mean = pixels.mean(axis=(0, 2, 3))
    # A channel that never changes would be divided by nothing.
    std = np.maximum(pixels.std(axis=(0, 2, 3)), 1 / 255)
    return tuple(mean.tolist()), tuple(std.tolist())
