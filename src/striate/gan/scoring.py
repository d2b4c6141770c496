"""Score a generator: generate images, open the real ones as its training did, and compare them.

The network that scores takes no part in training: nothing in here is called by what trains a generator.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from striate.core.errors import DataError, ShapeError, TrainingError, unknown_name
from striate.core.events import Event, OnEvent, ignore
from striate.core.seeds import derive
from striate.data import Dataset, Split
from striate.data.dataset import PARTS
from striate.data.progress import Progress
from striate.gan.comparing import check_count, check_judge, score_images
from striate.gan.feature_networks import INCEPTION, FeatureNetwork, find_feature_network
from striate.gan.generator_file import TrainedGenerator, load_generator
from striate.gan.opening import open_images
from striate.gan.recipe import GanRecipe
from striate.gan.run import GanRun
from striate.gan.scores import Scores

SAMPLES = 10_000
"""So many images are generated and compared, unless another number is asked for."""

AT_ONCE = 500
"""So many images are generated between one telling of the progress and the next."""

OWN_NETWORKS = {"digits": "striate-digits-v1", "fashion-mnist": "striate-fashion-v1"}
"""Named set -> the feature network that was trained for it."""


def score(
    generator: TrainedGenerator | Path | str,
    data: Any = None,
    *,
    samples: int = SAMPLES,
    features: str | Path | nn.Module | FeatureNetwork | None = None,
    part: str = "train",
    seed: int = 0,
    device: str | None = None,
    on_event: OnEvent = ignore,
) -> Scores:
    """Score a generator against real images.

    Args:
        generator: it, or the path of its file or of its run.
        data: the real images: what `striate.gan.train_gan` takes; ``None``: those that it learnt from, where
            its file knows them.
        samples: how many images to generate, at least 10; and real ones to compare them with, where there
            are so many.
        features: by which network, as for `find_feature_network`; ``None``: that of the data where there is
            one, else inception-v3.
        part: of the data: ``train``, as is usual, ``validation`` or ``test``. Against the images that it
            learnt from a generator that copies them scores best; against others it does not.
        seed: what the latents and the choice of real images follow from.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        on_event: is told of the progress.

    Returns:
        The scores.

    Raises:
        DataError: where the data cannot be used, or have no such part.
        ModelFileError: where the generator or the feature network cannot be had.
        ShapeError: where there are too few images, or they are of another size or other channels.
        LayerError: where the network is one that watches trainings.
        TrainingError: where the generator gives no numbers, as after a training that diverged.
    """
    began = time.perf_counter()
    check_count(samples)
    if part not in PARTS:
        raise DataError(unknown_name("part", part, PARTS))
    if not isinstance(generator, TrainedGenerator):
        if data is None and Path(generator).is_dir():
            data = GanRun(Path(generator)).source
        generator = load_generator(generator, device=device)
    dataset = _opened(generator, data, on_event)
    split = _part(dataset, part)
    name = features if features is not None else OWN_NETWORKS.get(dataset.source or "", INCEPTION)
    network = find_feature_network(name, device=device, on_event=on_event)
    check_judge(network)
    if len(split) < samples:
        there = f"the {part} part of {dataset.name} has {len(split):,} images"
        on_event(Event("note", {"message": f"{there}, with which {samples:,} generated ones are compared"}))
    generated = generated_images(generator, samples, seed=seed, on_event=on_event)
    rows = np.random.default_rng(derive(seed, "real images")).permutation(len(split))[:samples]
    found = score_images(split.images[np.sort(rows)], generated, network, seed=seed, on_event=on_event)
    return replace(found, seconds=time.perf_counter() - began)


def generated_images(
    generator: TrainedGenerator, count: int, *, seed: int = 0, on_event: OnEvent = ignore
) -> Tensor:
    """Generate images as they would be kept: rounded to uint8, as real ones are.

    Args:
        generator: what makes them; where it is told classes, they are drawn as often as it learnt them.
        count: how many, at least 1.
        seed: what latents and classes follow from.
        on_event: is told of the progress.

    Returns:
        count x C x S x S, uint8 on the CPU.

    Raises:
        TrainingError: where an image holds what is no number, as after a training that diverged.
    """
    latents = generator.latents(count, seed=derive(seed, "scored"))
    labels = generator.labels(count, seed=derive(seed, "scored"))
    images = torch.empty(count, generator.channels, generator.size, generator.size, dtype=torch.uint8)
    progress = Progress(on_event, "generating images", count, "images")
    for start in range(0, count, AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        made = generator.images(latents[rows], None if labels is None else labels[rows]).cpu()
        broken = int((~torch.isfinite(made).flatten(1).all(dim=1)).sum())
        if broken:
            raise TrainingError(
                f"{broken} of {len(made)} generated images hold what is no number, as after a training that "
                "diverged; lower learning rates usually cure it"
            )
        images[rows] = (made * 255).round().to(torch.uint8)
        progress.advance(len(made))
    progress.finish()
    return images


def _opened(generator: TrainedGenerator, data: Any, on_event: OnEvent) -> Dataset:
    """Open the data as the training did, so that its parts are those of the training."""
    source = generator.details.get("source") if data is None else data
    if source is None:
        raise DataError("what this generator learnt from is not known here; name the data to compare with")
    recipe = GanRecipe.from_dict(generator.details.get("recipe", {})).changed(size=generator.size)
    dataset = open_images(source, recipe, on_event=on_event)
    if dataset.channels != generator.channels or dataset.size != (generator.size, generator.size):
        height, width = dataset.size
        raise ShapeError(
            f"{dataset.name} has images of {height}x{width} pixels and {dataset.channels} channels, and the "
            f"generator makes {generator.size}x{generator.size} and {generator.channels}; these cannot be "
            "compared"
        )
    return dataset


def _part(dataset: Dataset, part: str) -> Split:
    split: Split | None = getattr(dataset, part)
    if split is None:
        raise DataError(f"{dataset.name} has no {part} part; train and validation are there")
    return split
