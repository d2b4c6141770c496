"""Class shares: which classes of the data a generator makes, as a classifier sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from striate.core.errors import ShapeError
from striate.core.finding import Finding, Level
from striate.core.intervals import wilson
from striate.gan.diversity import AGAINST_COLLAPSE
from striate.gan.shares import percent

MISSING = 0.25
"""A class is missing where samples surely have it under this many times as often as real images."""

FLOODING = 3.0
"""A class floods the samples where they surely have it more than this many times as often."""

COLLAPSED = 0.5
"""A generator has collapsed where the missing classes are so much of the real images, or more."""

Judge: TypeAlias = Callable[[Tensor], Tensor]
"""Takes images in [0, 1] and gives logits or probabilities, N x classes."""


@dataclass(frozen=True, eq=False)
class Jury:
    """A classifier that looks at samples, and what it saw in real images.

    Args:
        judge: the classifier.
        real: the share of each class in real images, by the same classifier.
        names: of the classes.
    """

    judge: Judge
    real: Tensor
    names: tuple[str, ...]

    @classmethod
    def instructed(cls, judge: Judge, images: Tensor, names: Sequence[str]) -> Jury:
        """Let a classifier look at real images.

        Args:
            judge: the classifier.
            images: real ones, N x C x H x W in [0, 1].
            names: of the classes; where there are none, they are called by number.

        Returns:
            The jury.

        Raises:
            ShapeError: where the classifier does not give one row of classes an image, or as many as names.
        """
        classes, count = seen(judge, images)
        if names and len(names) != count:
            raise ShapeError(f"the classifier that watches knows {count} classes, and {len(names)} are named")
        shares = classes.bincount(minlength=count).double() / len(images)
        return cls(judge, shares, tuple(names) or tuple(f"class {number}" for number in range(count)))


def seen(judge: Judge, images: Tensor) -> tuple[Tensor, int]:
    """Ask a classifier what images show.

    Args:
        judge: the classifier.
        images: N x C x H x W in [0, 1].

    Returns:
        The class of each, int64 (N) on the CPU, and how many classes it knows.

    Raises:
        ShapeError: where the answer is not one row of at least two classes an image.
    """
    with torch.no_grad():
        answers = judge(images)
    if answers.ndim != 2 or len(answers) != len(images) or answers.shape[1] < 2:
        raise ShapeError(
            f"the classifier that watches gives {tuple(answers.shape)} for {len(images)} images, where "
            f"({len(images)}, classes) is wanted"
        )
    return answers.argmax(dim=1).cpu(), answers.shape[1]


def judge_classes(jury: Jury, images: Tensor) -> Finding:
    """Judge whether samples show the classes that real images show, about as often.

    Args:
        jury: what looks at them.
        images: samples, N x C x H x W in [0, 1].

    Returns:
        ``collapsed``, ``missing``, ``uneven`` or ``healthy``; the value is how many
        classes are missing.
    """
    count = len(images)
    hits = seen(jury.judge, images)[0].bincount(minlength=len(jury.real)).tolist()
    real = jury.real.tolist()
    bounds = [wilson(hit, count) for hit in hits]
    missing = [at for at, (_, high) in enumerate(bounds) if high < MISSING * real[at]]
    flooding = [at for at, (low, _) in enumerate(bounds) if low > max(FLOODING * real[at], 1 / len(real))]
    verdict: str
    level: Level
    if sum(real[at] for at in missing) >= COLLAPSED:
        verdict, level, advice = "collapsed", "error", AGAINST_COLLAPSE
    elif missing:
        verdict, level = "missing", "warning"
        advice = (
            "train longer or with a gradient penalty (R1); classes given to both networks (conditional) help"
        )
    elif flooding:
        verdict, level = "uneven", "warning"
        advice = "train longer; classes given to both networks (conditional) help"
    else:
        verdict, level, advice = "healthy", "note", ""
    odd = sorted({*missing, *flooding}, key=lambda at: -abs(hits[at] / count - real[at]))[:3]
    told = ", ".join(
        f"{jury.names[at]} {percent(hits[at] / count)} ({percent(real[at])} of real images)" for at in odd
    )
    lacking = f"{len(missing)}" if missing else "none"
    return Finding(
        name="classes",
        verdict=verdict,
        level=level,
        message=f"{count} samples lack {lacking} of {len(real)} classes" + (f": {told}" if told else ""),
        advice=advice,
        value=float(len(missing)),
        images=count,
    )
