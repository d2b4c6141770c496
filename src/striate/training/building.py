"""A new classifier for a dataset: the network that a recipe names, with its preprocessing and first layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from striate.classifier import PUBLISHED, Classifier, Preprocessing, Pretrained, load_backbone
from striate.core.device import Policy
from striate.core.errors import DataError
from striate.core.recipe import Recipe
from striate.core.seeds import derive
from striate.data import NAMES, Dataset
from striate.data.batches import as_numbers
from striate.data.dataset import Pixels
from striate.engine.randomness import seed_generators
from striate.engine.timings import Timings
from striate.models import LearnsFirstLayer, build
from striate.models.hub import is_of_hub

MOST_IMAGES = 5000
MOST_VALUES = 20_000_000
"""From how many images and pixel values, at most, mean, deviation and the first layer are computed."""

FEWEST_VOLUMES = 64
"""From how many series or volumes, at least, however large they are."""


def new_classifier(
    dataset: Dataset,
    recipe: Recipe,
    policy: Policy,
    *,
    timings: Timings | None = None,
    pretrained: Pretrained | None = None,
    tensors: Mapping[str, Tensor] | None = None,
) -> Classifier:
    """Build the untrained classifier that a recipe asks for.

    Args:
        dataset: its training part gives the normalisation and, where the network wants it, the
            first layer.
        recipe: names the network and the seed of its weights.
        policy: where and how it computes.
        timings: is told how long what is computed from the images took, as ``first layer``.
        pretrained: what the network starts from; ``None``: chance.
        tensors: the weights of that; ``None``: they will be set afterwards, from a checkpoint.

    Returns:
        The classifier, on its device, in its memory format.

    Raises:
        DataError: where the images have other channels than the network was trained for.
        ModelFileError: where the weights are those of another architecture.
    """
    options = {} if recipe.layers is None else {"layers": recipe.layers}
    arguments = {
        "classes": len(dataset.classes),
        "channels": dataset.channels,
        "size": list(dataset.size),
        **options,
    }
    seed_generators(derive(recipe.seed, "weights"), policy.device)
    network = build(
        recipe.model or "",
        classes=len(dataset.classes),
        channels=dataset.channels,
        size=dataset.size,
        **options,
    )
    if pretrained is not None and tensors is not None:
        load_backbone(network, tensors, name=pretrained.name, model=pretrained.model)
    timings = timings or Timings(policy.device)
    if pretrained is not None and pretrained.mean is not None and pretrained.std is not None:
        _check_channels(dataset, pretrained)
        mean, std = pretrained.mean, pretrained.std
    else:
        # On the CPU where the device has no float64, which the first layer takes.
        sample = _sample(dataset).to(policy.device if policy.device.startswith("cuda") else "cpu")
        with timings.of("first layer"):
            mean, std = _moments(sample)
    classifier = Classifier(
        network,
        model=recipe.model or "",
        arguments=arguments,
        classes=dataset.classes,
        preprocessing=_preprocessing(dataset, recipe, mean=mean, std=std),
        policy=policy,
        details={
            "recipe": _without_paths(recipe).to_dict(),
            # Paths are the user's own matter: a model file is given to others.
            "source": dataset.source if dataset.source in NAMES else None,
            "fingerprint": dataset.fingerprint,
        },
    )
    if dataset.multi_label:
        classifier.thresholds = (0.5,) * len(dataset.classes)
    if isinstance(network, LearnsFirstLayer) and pretrained is None and dataset.dims == 2:
        with timings.of("first layer"):
            scaled = as_numbers(sample)
            mean_there, std_there = classifier.mean.to(sample.device), classifier.std.to(sample.device)
            network.learn_first_layer((scaled - mean_there) / std_there)
    if policy.channels_last and dataset.dims > 1:
        network.to(memory_format=policy.memory_format_of(dataset.dims))  # type: ignore[call-overload]
    return classifier


def _preprocessing(
    dataset: Dataset, recipe: Recipe, *, mean: tuple[float, ...], std: tuple[float, ...]
) -> Preprocessing:
    return Preprocessing(
        size=dataset.size,
        channels=dataset.channels,
        mean=mean,
        std=std,
        fit=dataset.fit,
        fill=dataset.fill,
        average_mirrored=bool(recipe.average_mirrored),
        average_shifted=recipe.average_shifted or 0,
        numbers=dataset.train.images.dtype != np.uint8,
    )


def _check_channels(dataset: Dataset, pretrained: Pretrained) -> None:
    if dataset.channels != pretrained.channels:
        raise DataError(
            f"the images have {dataset.channels} channels, and {pretrained.name} was trained with "
            f"{pretrained.channels}; open them with channels={pretrained.channels}"
        )


def _without_paths(recipe: Recipe) -> Recipe:
    start = recipe.pretrained
    named = start is None or start in PUBLISHED or is_of_hub(start)
    return recipe if named else recipe.changed(pretrained=Path(str(start)).name)


def _sample(dataset: Dataset) -> Tensor:
    images = dataset.train.images
    if dataset.dims != 2:
        return _sample_of_numbers(images)
    most = min(len(images), MOST_IMAGES, max(1, MOST_VALUES // math.prod(images.shape[1:])))
    chosen = np.linspace(0, len(images) - 1, most).astype(int)
    return torch.from_numpy(np.ascontiguousarray(images[chosen]))


def _sample_of_numbers(images: Pixels) -> Tensor:
    """Give values of each channel, N x C x some: of large volumes some, so that there are many volumes."""
    each = math.prod(images.shape[1:])
    count = min(len(images), MOST_IMAGES, max(FEWEST_VOLUMES, MOST_VALUES // each))
    step = math.ceil(count * each / MOST_VALUES) | 1  # odd, so that it goes through all columns of most sizes
    chosen = np.linspace(0, len(images) - 1, count).astype(int)
    rows = [np.asarray(images[row]).reshape(images.shape[1], -1)[:, ::step] for row in chosen.tolist()]
    return torch.from_numpy(np.stack(rows))


def _moments(sample: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel; of pixels in [0, 1], from how often each value occurs."""
    if sample.dtype != torch.uint8:
        return _moments_of_numbers(sample)
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


def _moments_of_numbers(sample: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel of any numbers."""
    means, deviations = [], []
    for channel in range(sample.shape[1]):
        values = sample[:, channel].double()
        mean, deviation = values.mean().item(), values.std(correction=0).item()
        means.append(mean)
        # Rounding is all that is left of a channel that never changes.
        deviations.append(deviation if deviation > 1e-6 * abs(mean) else 1.0)
    return tuple(means), tuple(deviations)
