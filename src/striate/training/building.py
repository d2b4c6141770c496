"""A new classifier for a dataset: the network that a recipe names, with its preprocessing and first layer."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from striate.classifier import Classifier, Preprocessing
from striate.core.device import Policy
from striate.core.recipe import Recipe
from striate.core.seeds import derive
from striate.data import NAMES, Dataset
from striate.engine.randomness import seed_generators
from striate.engine.timings import Timings
from striate.models import LearnsFirstLayer, build

MOST_IMAGES = 5000
MOST_VALUES = 20_000_000
"""From how many images and pixel values, at most, mean, deviation and the first layer are computed."""


def new_classifier(
    dataset: Dataset, recipe: Recipe, policy: Policy, *, timings: Timings | None = None
) -> Classifier:
    """Build the untrained classifier that a recipe asks for.

    Args:
        dataset: its training part gives the normalisation and, where the network wants it, the
            first layer.
        recipe: names the network and the seed of its weights.
        policy: where and how it computes.
        timings: is told how long what is computed from the images took, as ``first layer``.

    Returns:
        The classifier, on its device, in its memory format.
    """
    arguments = {"classes": len(dataset.classes), "channels": dataset.channels, "size": list(dataset.size)}
    seed_generators(derive(recipe.seed, "weights"), policy.device)
    network = build(
        recipe.model or "", classes=len(dataset.classes), channels=dataset.channels, size=dataset.size
    )
    timings = timings or Timings(policy.device)
    # On the CPU where the device has no float64, which the first layer takes.
    sample = _sample(dataset).to(policy.device if policy.device.startswith("cuda") else "cpu")
    with timings.of("first layer"):
        mean, std = _moments(sample)
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
            average_mirrored=bool(recipe.average_mirrored),
            average_shifted=recipe.average_shifted,
        ),
        policy=policy,
        details={
            "recipe": recipe.to_dict(),
            # Paths are the user's own matter: a model file is given to others.
            "source": dataset.source if dataset.source in NAMES else None,
            "fingerprint": dataset.fingerprint,
        },
    )
    if isinstance(network, LearnsFirstLayer):
        with timings.of("first layer"):
            scaled = sample.float().div_(255)
            mean_there, std_there = classifier.mean.to(sample.device), classifier.std.to(sample.device)
            network.learn_first_layer((scaled - mean_there) / std_there)
    if policy.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return classifier


def _sample(dataset: Dataset) -> Tensor:
    images = dataset.train.images
    most = min(len(images), MOST_IMAGES, max(1, MOST_VALUES // math.prod(images.shape[1:])))
    chosen = np.linspace(0, len(images) - 1, most).astype(int)
    return torch.from_numpy(np.ascontiguousarray(images[chosen]))


def _moments(sample: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel in [0, 1], from how often each of the 256 values occurs."""
    levels = np.arange(256) / 255
    means, deviations = [], []
    for channel in range(sample.shape[1]):
        values = sample[:, channel].flatten()
        shares = torch.bincount(values, minlength=256).cpu().numpy() / len(values)
        mean = float(shares @ levels)
        means.append(mean)
        # A channel that never changes would be divided by nothing.
        deviations.append(max(math.sqrt(shares @ (levels - mean) ** 2), 1 / 255))
    return tuple(means), tuple(deviations)
