"""The diagnosis of a generator by its samples: diverse, like the data, complete, and no copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from striate.core.errors import DataError, ShapeError
from striate.core.finding import Finding
from striate.core.seeds import derive
from striate.data.batches import as_tensor
from striate.data.dataset import Labels, Pixels
from striate.gan.class_shares import Judge, Jury, judge_classes, seen
from striate.gan.diversity import alike_radius, alike_share, judge_diversity
from striate.gan.embedded_networks import WATCHERS
from striate.gan.feature_networks import find_feature_network
from striate.gan.memorisation import judge_memorisation
from striate.gan.reach import judge_coverage, judge_resemblance
from striate.gan.thumbnails import thumbnails, thumbnails_of
from striate.metrics.neighbours import DENSITY_NEIGHBOURS, expected_coverage, neighbour_estimates

ANCHORS = 500
"""So many real images samples are looked for among, and as many others are what they are compared with."""

MOST_KEPT = 100_000
"""Of so many training images, and as many held-out ones, thumbnails are kept to look for copies."""

FEWEST_REAL = 20
FEWEST_SAMPLES = 32

OUTLYING = 0.1
"""So many of them, those that lie farthest from others, are not looked among: anything is near to them."""

TRUSTED = 0.8
"""The embedded network that names garments is asked only where it reads so many real images rightly."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What samples are compared with: real images, from afar. `of` makes it.

    Args:
        shape: channels, height and width of an image.
        training: thumbnails of the images that the generator learns from.
        held_out: thumbnails of images that it does not learn from; may have no row.
        anchors: thumbnails of some training images, drawn evenly.
        crowded: the anchors but for the outlying ones.
        radius: distance under which two images are alike.
        alike: the share of pairs of real images that are.
        resembling: the share of other real images that lie among the crowded ones.
        jury: what names the classes; ``None`` where nothing does.
        flip: whether mirrored images are learnt too.
    """

    shape: tuple[int, int, int]
    training: Tensor
    held_out: Tensor
    anchors: Tensor
    crowded: Tensor
    radius: float
    alike: float
    resembling: float
    jury: Jury | None
    flip: bool

    @classmethod
    def of(
        cls,
        real: Pixels,
        *,
        labels: Labels | None = None,
        held_out: Pixels | None = None,
        classifier: Judge | None = None,
        class_names: Sequence[str] = (),
        flip: bool = False,
        seed: int = 0,
    ) -> Reference:
        """Look at real images, once, so that samples can be compared with them.

        Args:
            real: the images that the generator learns from, uint8 of shape (N, C, H, W), perhaps on the disk.
            labels: their classes, (N). Where they are garments of 28 grey pixels, and the built-in watcher
                reads them, it names the classes of samples.
            held_out: images of the same kind that the generator does not learn from, drawn at random; without
                them copies are not looked for.
            classifier: names the classes of samples in its place: takes N x C x H x W in [0, 1] and gives
                N x classes.
            class_names: for the messages.
            flip: whether mirrored images are learnt too, so that copies are looked for among these.
            seed: which images are drawn.

        Returns:
            What `diagnose` needs.

        Raises:
            DataError: where there are too few images.
            ShapeError: where held-out images are of another shape, or the classifier's answers do not fit.
        """
        if len(real) < FEWEST_REAL:
            raise DataError(
                f"there are {len(real)} images; a diagnosis needs at least {FEWEST_REAL} to compare with"
            )
        shape = tuple(real.shape[1:])
        if held_out is not None and len(held_out) and tuple(held_out.shape[1:]) != shape:
            raise ShapeError(
                f"held-out images are of {_spelled(held_out.shape[1:])}, and the others {_spelled(shape)}"
            )
        training = thumbnails_of(real, _drawn(len(real), seed, "training"))
        order = np.random.default_rng(derive(seed, "anchors")).permutation(len(training))
        drawn = training[torch.from_numpy(order[: 2 * ANCHORS])]
        anchors, others = drawn.chunk(2)
        crowded = _crowded(anchors)
        radius = alike_radius(drawn)
        return cls(
            shape=shape,
            training=training,
            held_out=_held_out(held_out, training, seed),
            anchors=anchors,
            crowded=crowded,
            radius=radius,
            alike=alike_share(drawn, radius).value,
            resembling=neighbour_estimates(crowded, others).precision.value,
            jury=_jury(real, labels, classifier, class_names, seed),
            flip=flip,
        )


def diagnose(samples: Tensor, real: Reference) -> tuple[Finding, ...]:
    """Say what is wrong with a generator, by some hundred samples of it.

    Args:
        samples: N x C x H x W in [0, 1], N at least 32, drawn as the generator is meant to be used.
        real: from `Reference.of`.

    Returns:
        Findings named ``diversity``, ``resemblance``, ``coverage``, ``classes`` (where something names them)
        and ``memorisation`` (where there are held-out images); or one named ``samples`` where some are none.

    Raises:
        ShapeError: where samples are of another shape than real images, or too few.

    >>> images = np.random.default_rng(0).integers(0, 256, (200, 1, 8, 8)).astype(np.uint8)
    >>> white = torch.ones(40, 1, 8, 8)
    >>> [finding.verdict for finding in diagnose(white, Reference.of(images))]
    ['collapsed', 'unlike the data', 'parts missing']
    """
    count = len(samples)
    if tuple(samples.shape[1:]) != real.shape or count < FEWEST_SAMPLES:
        raise ShapeError(
            f"samples are of {_spelled(samples.shape)}; a diagnosis takes at least {FEWEST_SAMPLES} of "
            f"{_spelled(real.shape)}"
        )
    samples = samples.detach()
    broken = int((~samples.flatten(1).isfinite().all(dim=1)).sum())
    if broken:
        return (
            Finding(
                name="samples",
                verdict="not finite",
                level="error",
                message=f"{broken} of {count} samples hold values that are not finite numbers",
                advice="start again with lower learning rates, or go back to an earlier checkpoint",
                images=count,
            ),
        )
    small = thumbnails(samples)
    among, covered = neighbour_estimates(real.crowded, small), neighbour_estimates(real.anchors, small)
    expected = expected_coverage(len(real.anchors), count)
    findings = [
        judge_diversity(alike_share(small, real.radius), real.alike, count),
        judge_resemblance(among.precision, real.resembling, count),
        judge_coverage(covered.coverage, expected, len(real.anchors)),
    ]
    if real.jury is not None:
        findings.append(judge_classes(real.jury, samples.float().clamp(0, 1).cpu()))
    mirrored = thumbnails(samples.flip(3)) if real.flip else None
    copies = judge_memorisation(small, real.training, real.held_out, mirrored=mirrored)
    return (*findings, *([] if copies is None else [copies]))


def _drawn(count: int, seed: int, name: str) -> Labels:
    if count <= MOST_KEPT:
        return np.arange(count)
    return np.sort(np.random.default_rng(derive(seed, name)).choice(count, MOST_KEPT, replace=False))


def _crowded(anchors: Tensor) -> Tensor:
    fifth = torch.cdist(anchors, anchors).kthvalue(DENSITY_NEIGHBOURS + 1, dim=1).values
    return anchors[fifth.argsort()[: round((1 - OUTLYING) * len(anchors))]]


def _held_out(held_out: Pixels | None, training: Tensor, seed: int) -> Tensor:
    if held_out is None or not len(held_out):
        return training[:0]
    return thumbnails_of(held_out, _drawn(len(held_out), seed, "held out"))


def _jury(
    real: Pixels, labels: Labels | None, classifier: Judge | None, names: Sequence[str], seed: int
) -> Jury | None:
    order = np.random.default_rng(derive(seed, "jury")).permutation(len(real))
    rows = np.sort(order[:ANCHORS])
    images = as_tensor(real[rows]).float().div_(255)
    if classifier is not None:
        return Jury.instructed(classifier, images, names)
    if labels is None or tuple(images.shape[1:]) != (1, 28, 28):
        return None
    watcher = _watcher()
    found, classes = seen(watcher, images)
    if (found.numpy() == np.asarray(labels)[rows]).mean() < TRUSTED:
        return None
    return Jury.instructed(watcher, images, names if len(names) == classes else ())


def _watcher() -> Judge:
    network = find_feature_network(WATCHERS[0], device="cpu")

    def judge(images: Tensor) -> Tensor:
        probabilities = network.features(images).probabilities
        assert probabilities is not None
        return probabilities

    return judge


def _spelled(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
