"""Balance: whether generator and discriminator still teach each other, by scores and gradients of steps."""

from __future__ import annotations

import math

from torch import Tensor

from striate.core.finding import Finding, Level
from striate.gan.shares import percent

COLUMNS = (
    "ranked",
    "margin",
    "generator_loss",
    "discriminator_loss",
    "generator_gradients",
    "discriminator_gradients",
)
"""What is known of a step, in the order of a row."""

FEWEST_STEPS = 8
"""So many steps must have been looked at for a verdict."""

WINNING = 0.995
"""The discriminator wins where it ranks so many pairs of a real and a generated image rightly, or more, and
samples are not good."""

LOSING = 0.55
"""The discriminator loses where it ranks fewer rightly, and samples are not good."""

FACTOR = 100.0
"""Gradients vanish or explode where they are so many times smaller or larger than they used to be."""

NOTHING = 1e-8
"""Gradients of a smaller norm move nothing."""

_NORMAL = 1.96


def step_row(real: Tensor, fake: Tensor, figures: tuple[float | Tensor, ...]) -> list[float]:
    """Put what is known of a step into one row.

    The first two are how much the discriminator knows: the share of all pairs of a real and a generated image
    in which the real one has the higher score (the area under the ROC curve), which means the same
    whatever the loss; and the difference of the medians.

    Args:
        real: scores of real images, (N).
        fake: scores of generated images, (M).
        figures: losses and norms of gradients, as the last four of `COLUMNS`.

    Returns:
        One number for each of `COLUMNS`.

    >>> import torch
    >>> step_row(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0]), (0.5, 0.25, 1.0, 2.0))
    [0.75, 1.0, 0.5, 0.25, 1.0, 2.0]
    """
    real, fake = real.float().flatten().cpu(), fake.float().flatten().cpu()
    above = (real[:, None] > fake[None]).float() + 0.5 * (real[:, None] == fake[None]).float()
    margin = real.median() - fake.median()
    return [float(above.mean()), float(margin), *(float(figure) for figure in figures)]


def judge_balance(rows: Tensor, *, good: bool) -> Finding:
    """Judge whether the discriminator knows too much, or too little, for the generator to learn from.

    Args:
        rows: of the latest steps, N x `COLUMNS`.
        good: whether nothing is wrong with samples. Only where something is does the balance matter: behind
            a norm over batches, a discriminator often ranks all pairs rightly, and the generator learns on.

    Returns:
        ``winning``, ``losing``, ``ahead`` (which would be winning, were samples not good) or ``balanced``;
        the value is the mean share of pairs ranked rightly.
    """
    ranked, margin = rows[:, 0], float(rows[:, 1].median())
    value, error = float(ranked.mean()), float(ranked.std()) / math.sqrt(len(rows))
    verdict: str
    level: Level
    if value >= WINNING and good:
        verdict, level, advice = "ahead", "note", ""
    elif value >= WINNING:
        verdict, level = "winning", "warning"
        advice = (
            "where samples do not get better, lower the discriminator's rate, take fewer of its steps, "
            "penalise its gradient (R1), or augment what it sees"
        )
    elif value <= LOSING and not good:
        verdict, level = "losing", "warning"
        advice = (
            "raise the discriminator's rate, take more of its steps, widen it, or make its penalty weaker"
        )
    else:
        verdict, level, advice = "balanced", "note", ""
    return Finding(
        name="discriminator",
        verdict=verdict,
        level=level,
        message=(
            f"it scores the real image higher in {percent(value)} of pairs with a generated one, by "
            f"{margin:.3g} on the median ({len(rows)} steps)"
        ),
        advice=advice,
        value=value,
        interval=(max(0.0, value - _NORMAL * error), min(1.0, value + _NORMAL * error)),
        images=len(rows),
    )


def usual_gradients(rows: Tensor) -> Tensor:
    """Give the norms of gradients that are usual in some steps.

    Args:
        rows: of steps, N x `COLUMNS`.

    Returns:
        The medians, of the generator and of the discriminator, (2).
    """
    return rows[:, 4:6].median(dim=0).values


def judge_gradients(rows: Tensor, before: Tensor) -> Finding:
    """Judge the norms of the gradients against those of earlier.

    Args:
        rows: of the latest steps, N x `COLUMNS`.
        before: `usual_gradients` of earlier checks, H x 2; H may be 0.

    Returns:
        ``not finite``, ``vanishing``, ``exploding`` or ``healthy``; the value is the generator's usual norm.
    """
    usual = usual_gradients(rows)
    now = usual.tolist()
    earlier = before.median(dim=0).values.tolist() if len(before) else now
    broken = int((~rows[:, 2:].isfinite().all(dim=1)).sum())
    message = (
        f"in {len(rows)} steps the usual norm is {now[0]:.3g} in the generator and {now[1]:.3g} in the other"
    )
    if len(before):
        message += f", and was {earlier[0]:.3g} and {earlier[1]:.3g} before"
    verdict: str
    level: Level
    if broken:
        verdict, level = "not finite", "error"
        message = f"losses or gradients of {broken} of {len(rows)} steps are not finite numbers"
        advice = "start again with lower learning rates, or go back to an earlier checkpoint"
    elif now[0] <= max(NOTHING, earlier[0] / FACTOR):
        verdict, level = "vanishing", "warning"
        advice = (
            "the generator no longer learns: take another loss (non-saturating), or weaken the discriminator"
        )
    elif any(new > FACTOR * old for new, old in zip(now, earlier, strict=True)):
        verdict, level = "exploding", "warning"
        advice = "lower the learning rates, or penalise the discriminator's gradient (R1)"
    else:
        verdict, level, advice = "healthy", "note", ""
    return Finding(
        name="gradients",
        verdict=verdict,
        level=level,
        message=message,
        advice=advice,
        value=now[0],
        images=len(rows),
    )
