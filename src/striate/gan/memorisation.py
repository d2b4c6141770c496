"""Memorisation: whether samples are nearer to images that a generator learnt from than to held-out ones."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.core.finding import Finding, Level
from striate.core.intervals import wilson
from striate.gan.shares import percent

MEMORISED = 0.7
"""Samples are copies where held-out images are nearest, against chance, less often than this."""

FEWEST_EXPECTED = 10.0
"""So many different held-out images must be nearest by chance for a figure to mean something."""

_BLOCK = 8192


def nearest(samples: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Find the nearest of many images to each sample.

    Args:
        samples: thumbnails, N x D.
        images: thumbnails, M x D.

    Returns:
        How far it is, as ``|image|^2 / 2 - sample . image``, (N): half the squared distance less half the
        squared length of the sample, which is the same whatever the images; infinite where there are none.
        And which it is, int64 (N).
    """
    distances = torch.full((len(samples),), torch.inf)
    rows = torch.zeros(len(samples), dtype=torch.int64)
    for number, block in enumerate(torch.split(images, _BLOCK) if len(images) else ()):
        found = torch.addmm(block.square().sum(dim=1) / 2, samples, block.T, alpha=-1).min(dim=1)
        nearer = found.values < distances
        distances = torch.where(nearer, found.values, distances)
        rows = torch.where(nearer, found.indices + number * _BLOCK, rows)
    return distances, rows


def judge_memorisation(
    samples: Tensor, training: Tensor, held_out: Tensor, *, mirrored: Tensor | None = None
) -> Finding | None:
    """Judge by which images are nearest to samples whether a generator repeats what it learnt from.

    For a generator that knows the data, but none of the images, training images and held-out ones are of one
    kind: the nearest of all is a held-out one for ``held-out / (training + held-out)`` of the samples,
    however smooth or odd these are. The more of them are copies, the rarer it gets; its share over that by
    chance is 1 less the share of copies.

    Some images are the nearest to many samples, and by chance they are all of one kind. With n samples of
    which ``n_j`` are nearest to image j, the interval is that of ``n^2 / sum n_j^2`` samples.

    Args:
        samples: thumbnails, N x D.
        training: thumbnails of the images that the generator learns from.
        held_out: thumbnails of images of the same kind, drawn at random, that it does not.
        mirrored: thumbnails of the samples mirrored, where mirrored images are learnt too.

    Returns:
        ``copies`` or ``healthy``, with the ratio; ``None`` where there are too few samples or held-out images
        for a figure, or too few images near any sample.

    Source: the question is that of Meehan, Chaudhuri and Dasgupta, A non-parametric test to detect
    data-copying in generative models (2020), who compare distances to the training images alone; that the
    nearest of both kinds is counted is ours.
    """
    if not len(held_out):
        return None
    found = [_nearest_of_both(each, training, held_out) for each in (samples, mirrored) if each is not None]
    distances = torch.stack([distance for distance, _ in found])
    rows = torch.stack([row for _, row in found]).gather(0, distances.argmin(dim=0)[None])[0]
    count, chance = len(samples), len(held_out) / (len(training) + len(held_out))
    repeats = torch.unique(rows, return_counts=True)[1].double()
    different = int(count**2 / float(repeats.square().sum()))
    if different * chance < FEWEST_EXPECTED:
        return None
    hits = int((rows >= len(training)).sum())
    low, high = (bound / chance for bound in wilson(hits / count * different, different))
    ratio = hits / count / chance
    verdict: str
    level: Level
    if high < MEMORISED:
        verdict, level = "copies", "warning"
        advice = (
            f"about {percent(max(0.0, 1 - ratio))} of the samples repeat training images: stop earlier, use "
            "more images, or augment them"
        )
    else:
        verdict, level, advice = "healthy", "note", ""
    return Finding(
        name="memorisation",
        verdict=verdict,
        level=level,
        message=(
            f"of {count} samples {hits} are nearest to one of {len(held_out):,} held-out images rather than "
            f"of {len(training):,} training images, {ratio:.2f} times ({low:.2f} to {high:.2f}) chance"
        ),
        advice=advice,
        value=ratio,
        interval=(low, high),
        images=count,
    )


def _nearest_of_both(samples: Tensor, training: Tensor, held_out: Tensor) -> tuple[Tensor, Tensor]:
    """Find the nearest image of all; held-out ones are counted behind the training images."""
    to_training, learnt = nearest(samples, training)
    to_held_out, other = nearest(samples, held_out)
    return torch.minimum(to_training, to_held_out), torch.where(
        to_held_out < to_training, other + len(training), learnt
    )
