"""Compare generated images with real ones by the features of a network: every score, and what biases it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from striate.core.errors import LayerError, ShapeError
from striate.core.events import OnEvent, ignore
from striate.core.seeds import derive
from striate.data.progress import Progress
from striate.data.stored import Images
from striate.gan.embedded_networks import EMBEDDED, WATCHERS
from striate.gan.feature_networks import INCEPTION, FeatureNetwork, Features
from striate.gan.scores import Score, Scores
from striate.metrics import (
    Estimate,
    expected_coverage,
    frechet_estimates,
    inception_estimate,
    kernel_estimate,
    neighbour_estimates,
)

LEAST = 10
"""Fewer images are not compared at all."""

LEAST_FOR_FRECHET = 2_000
LEAST_PER_FEATURE = 4
"""Of fewer images, or fewer a feature, what is said of the Fréchet distance is mostly its bias."""

SPLIT = 5_000
"""So many images are in a split of the Inception Score, as in published ones; of fewer it is too low."""

MANY_FEATURES, FEW_RESAMPLES = 512, 20
"""Of more features a distance takes seconds, and its interval comes from fewer resamples."""

_Found: TypeAlias = tuple[dict[str, Score], list[str]]
"""Scores by their short names, and warnings."""

_Measure: TypeAlias = Callable[[FeatureNetwork, Features, Features, int], _Found]


def score_images(
    real: Images | Tensor,
    generated: Images | Tensor,
    network: FeatureNetwork,
    *,
    seed: int = 0,
    on_event: OnEvent = ignore,
) -> Scores:
    """Score generated images against real ones, wherever they come from.

    Args:
        real: N x C x H x W, uint8 or in [0, 1], at least 10.
        generated: M x C x H x W, the same, in random order.
        network: that gives the features.
        seed: what resamples follow from.
        on_event: is told of the progress.

    Returns:
        The scores. FID is left out where there are no more images than features, the Inception Score where
        the network names no classes or there are fewer images than classes; the warnings say so.

    Raises:
        ShapeError: where there are too few images, or the network does not take them.
        LayerError: where the network is one that watches trainings.
        TrainingError: where a feature is not a finite number.
    """
    began = time.perf_counter()
    check_judge(network)
    check_count(min(len(real), len(generated)))
    ours = network.features(real, on_event=on_event)
    theirs = network.features(generated, on_event=on_event)
    measures: tuple[_Measure, ...] = (_frechet, _kernel, _inception, _neighbours)
    progress = Progress(on_event, f"comparing by {network.name}", len(measures), "measures")
    scores: dict[str, Score] = {}
    warnings: list[str] = []
    for measure in measures:
        found, said = measure(network, ours, theirs, seed)
        scores |= found
        warnings += said
        progress.advance()
    progress.finish()
    return Scores(
        network=network.name,
        features=ours.features.shape[1],
        real=len(real),
        generated=len(generated),
        scores=scores,
        class_shares=_class_shares(network, theirs),
        warnings=tuple(warnings),
        seconds=time.perf_counter() - began,
    )


def check_judge(network: FeatureNetwork) -> None:
    """Refuse a network that takes part in training.

    Args:
        network: that is to judge.

    Raises:
        LayerError: where it is one of `striate.gan.embedded_networks.WATCHERS`.
    """
    if network.name in WATCHERS:
        judges = ", ".join(name for name in EMBEDDED if name not in WATCHERS)
        raise LayerError(
            f"{network.name} watches trainings and may stop them, so it cannot judge what they made; "
            f"{judges} and {INCEPTION} can"
        )


def check_count(images: int) -> None:
    """Refuse to compare too few images.

    Args:
        images: how many there are of either kind.

    Raises:
        ShapeError: where there are fewer than 10.
    """
    if images < LEAST:
        raise ShapeError(f"{images} images are too few to be scored; {LEAST} work, and 10,000 are usual")


def _frechet(network: FeatureNetwork, ours: Features, theirs: Features, seed: int) -> _Found:
    images, width = min(len(ours.features), len(theirs.features)), ours.features.shape[1]
    enough = max(LEAST_FOR_FRECHET, LEAST_PER_FEATURE * width)
    if images <= width:
        return {}, [
            f"no FID: {images:,} images are no more than the {width:,} features of {network.name}, so that "
            f"the distance would be mostly bias; {enough:,} and more give one, and KID needs no such number"
        ]
    resamples = {"resamples": FEW_RESAMPLES} if width > MANY_FEATURES else {}
    distance, infinite = frechet_estimates(ours.features, theirs.features, seed=seed, **resamples)
    if infinite is None:
        bias = "too high for so few images, by how much cannot be told"
    elif distance.value > infinite.value:
        bias = f"too high by about {distance.value - infinite.value:.2g} for being of {images:,} images"
    else:
        bias = f"too high for being of {images:,} images, by less than can be told"
    scores = {"fid": _score(network, "FID", distance, better="lower", bias=bias)}
    if infinite is not None:
        scores["fid_infinite"] = _score(network, "FID∞", infinite, better="lower", bias="none: extrapolated")
    if images >= enough:
        return scores, []
    return scores, [f"FID of {images:,} images and {width:,} features is {bias}; KID has no bias"]


def _kernel(network: FeatureNetwork, ours: Features, theirs: Features, seed: int) -> _Found:
    estimate = kernel_estimate(ours.features, theirs.features, seed=seed)
    return {"kid": _score(network, "KID", estimate, better="lower", bias="none at any number of images")}, []


def _inception(network: FeatureNetwork, _: Features, theirs: Features, seed: int) -> _Found:
    if theirs.probabilities is None:
        return {}, [f"no Inception Score: {network.name} names no classes"]
    images, classes = theirs.probabilities.shape
    if images < classes:
        return {}, [
            f"no Inception Score: {images:,} images cannot show the {classes:,} classes of {network.name}; "
            f"{SPLIT:,} and more give one"
        ]
    splits = max(1, images // SPLIT)
    estimate = inception_estimate(theirs.probabilities, splits=splits, seed=seed)
    bias = f"too low, the more so the fewer images a split has: {images // splits:,}"
    scores = {"inception_score": _score(network, "IS", estimate, better="higher", bias=bias)}
    if images >= SPLIT:
        return scores, []
    return scores, [
        f"the Inception Score of {images:,} images is too low; published ones have {SPLIT:,} and more a split"
    ]


def _neighbours(network: FeatureNetwork, ours: Features, theirs: Features, seed: int) -> _Found:
    images = min(len(ours.features), len(theirs.features))
    found = neighbour_estimates(_some(ours.features, images, seed), _some(theirs.features, images, seed))
    same_number = f"changes with the number of images: {images:,} of each"
    biases = {
        "precision": same_number,
        "recall": same_number,
        "density": "none; 1 where both are alike",
        "coverage": f"about {expected_coverage(images, images):.3f} where both are alike",
    }
    return {
        name: _score(network, name, getattr(found, name), better="higher", bias=bias)
        for name, bias in biases.items()
    }, []


def _score(
    network: FeatureNetwork, what: str, estimate: Estimate, *, better: Literal["lower", "higher"], bias: str
) -> Score:
    name = f"{what}[{network.name}]"
    return Score(name=name, value=estimate.value, interval=estimate.interval, better=better, bias=bias)


def _some(features: Tensor, count: int, seed: int) -> Tensor:
    if len(features) == count:
        return features
    chosen = torch.Generator().manual_seed(derive(seed, "as many"))
    return features[torch.randperm(len(features), generator=chosen)[:count]]


def _class_shares(network: FeatureNetwork, found: Features) -> dict[str, float]:
    if found.probabilities is None or not network.classes:
        return {}
    counts = found.probabilities.argmax(dim=1).bincount(minlength=len(network.classes))
    shares = (counts.double() / len(found.probabilities)).tolist()
    return dict(zip(network.classes, shares, strict=True))
