"""The signs of masked gradients, one check each: what was measured, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from striate.attack.apgd import APGDCE
from striate.attack.ball import Ball
from striate.attack.balls import L0
from striate.attack.comparing import FEW, Beaten, Outcome, Trial, compared, makes_difference
from striate.attack.iterative import FGSM
from striate.attack.losses import cross_entropy
from striate.attack.radii import multiples, radius_text, widest
from striate.attack.random_points import RandomPoints
from striate.attack.square import Square
from striate.core.errors import AttackError
from striate.core.intervals import wilson

STEPS, RESTARTS, EARLY = 20, 5, 3
"""Of Auto-PGD, with which the others are compared, and how many restarts are early ones."""

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the radius, which single steps are as long as."""

TRIES, QUERIES = 20, 300
"""Random points of each image, and queries of the attack without gradients."""

WIDER = (2.0, 4.0)
"""Times the radius, at which attacks must go further."""

GRADIENTS = 2 + STEPS * (RESTARTS + len(WIDER) + 1) + len(SHARES)
FORWARDS = 3 + TRIES + QUERIES
"""How many passes with and without gradients an image takes in all checks, at most."""

APART = 0.01
"""Answers to the same image differ where logits do by more than this share of their spread."""

ALL = 0.95
"""So many must fall in the widest ball."""

RISING = 0.75
"""So many of the images that stand must come nearer to falling in the next larger ball."""


@dataclass(frozen=True, kw_only=True)
class Sign:
    """What one check found.

    Args:
        name: of the check.
        suspected: whether it found a sign of masked gradients; ``None`` where it could not be made.
        finding: what was measured, in a sentence.
        action: what to do where it is suspected.
    """

    name: str
    suspected: bool | None
    finding: str
    action: str


@dataclass(frozen=True, eq=False)
class Climbs:
    """What Auto-PGD reached: from its first random point, in the early restarts, and in all."""

    first: Outcome
    early: Outcome
    all: Outcome


def repeated_answers(trial: Trial) -> Sign:
    """Check whether the same images get the same answers.

    Args:
        trial: the images.

    Returns:
        The sign.
    """
    spread = trial.logits.std().item() or 1.0
    again = [trial.victim.logits(trial.images) for _ in range(2)]
    apart = max((each - trial.logits).abs().nan_to_num().max().item() for each in again) / spread
    others = int(torch.stack([(each.argmax(1) != trial.labels) for each in again]).any(dim=0).sum())
    return Sign(
        name="random answers",
        suspected=apart > APART,
        finding=(
            f"asked three times, logits differ by up to {apart:.2g} of their spread, and {others} of "
            f"{len(trial.labels)} answers change"
        ),
        action=(
            "fix what is random in the model, or let attacks ascend the mean over many draws of it; as it "
            "is, an image counts as fallen when one draw fails"
        ),
    )


def sound_gradients(trial: Trial, ball: Ball) -> tuple[Sign, bool]:
    """Check whether gradients of the cross entropy are there, finite and not 0, at images and at random
    points.

    Args:
        trial: the images.
        ball: gives the points.

    Returns:
        The sign, and whether there are gradients at all.
    """
    action = (
        "look for what stops gradients (rounding, a table, logits too large for the softmax) and take it "
        "out, or give it a smooth stand-in in the backward pass; believe attacks without gradients and on "
        "margins meanwhile"
    )
    count = len(trial.labels)
    zero, broken = torch.zeros(2, count, dtype=torch.bool, device=trial.labels.device)
    try:
        for points in (trial.images, ball.start(trial.images, trial.draws.derived("gradients"))):
            _, losses, slopes = trial.victim.gradient(
                points, lambda logits: cross_entropy(logits, trial.labels)
            )
            sizes = slopes.flatten(1).abs().amax(dim=1)
            zero, broken = zero | (sizes == 0), broken | ~sizes.isfinite() | ~losses.isfinite()
    except AttackError as error:
        sign = Sign(name="gradients", suspected=True, finding=str(error), action=action)
        return sign, False
    zeros, brokens = int(zero.sum()), int(broken.sum())
    return Sign(
        name="gradients",
        suspected=brokens > 0 or makes_difference(zeros, count),
        finding=(
            f"gradients of the cross entropy are 0 on {zeros} and not finite on {brokens} of {count} images"
        ),
        action=action,
    ), True


def climbs(trial: Trial, ball: Ball) -> Climbs:
    """Try Auto-PGD on the cross entropy with restarts, the strong attack that others are compared with.

    Args:
        trial: the images.
        ball: in which robustness is claimed.

    Returns:
        What it reached.
    """
    attack = APGDCE(ball, steps=STEPS)
    reached = [trial.outcome(attack, ("climb", 0))]
    for restart in range(1, RESTARTS):
        reached.append(reached[-1].joined(trial.outcome(attack, ("climb", restart))))
    return Climbs(reached[0], reached[EARLY - 1], reached[-1])


def single_step(trial: Trial, ball: Ball, strong: Climbs) -> Sign:
    """Check whether one step of any length does better than many.

    Args:
        trial: the images.
        ball: in which robustness is claimed.
        strong: what many steps reached.

    Returns:
        The sign.
    """
    found = trial.outcome(FGSM(ball), "step")
    for each in multiples(ball, SHARES[:-1]):
        found = found.joined(trial.outcome(FGSM(each), "step"))
    beaten = compared(found, strong.all)
    return Sign(
        name="a single step",
        suspected=beaten.surely,
        finding=_said("a single step", beaten),
        action=(
            "the surface of the loss is bent near the images, as after training against single steps alone: "
            "judge by attacks with many steps, restarts and margin losses, and train against such"
        ),
    )


def without_gradients(trial: Trial, ball: Ball, strong: Outcome | None) -> Sign:
    """Check whether an attack that sees logits only does better than one with gradients.

    Args:
        trial: the images.
        ball: in which robustness is claimed.
        strong: what the attack with gradients reached; ``None`` where there are none.

    Returns:
        The sign.
    """
    action = (
        "believe the attack without gradients, give it more queries, and look for what spoils the gradients"
    )
    name = "black box"
    if isinstance(ball, L0):
        return Sign(
            name=name, suspected=None, finding=f"not checked: Square has no form for {ball.name}", action=""
        )
    found = trial.outcome(Square(ball, queries=QUERIES), "square")
    if strong is None:
        felled, count = int(found.met.sum()), len(found.met)
        finding = (
            f"Square with {QUERIES} queries fells {felled} of {count}; there are no gradients to compare with"
        )
        return Sign(name=name, suspected=None, finding=finding, action=action)
    beaten = compared(found, strong)
    said = _said(f"Square with {QUERIES} queries", beaten)
    return Sign(name=name, suspected=beaten.surely, finding=said, action=action)


def chance(trial: Trial, ball: Ball, strong: Climbs) -> Sign:
    """Check whether random points of the ball do as well as gradients.

    Args:
        trial: the images.
        ball: in which robustness is claimed.
        strong: what gradients reached.

    Returns:
        The sign.
    """
    beaten = compared(trial.outcome(RandomPoints(ball, tries=TRIES), "chance"), strong.all)
    return Sign(
        name="random noise",
        suspected=beaten.surely,
        finding=_said(f"the best of {TRIES} random points", beaten),
        action="gradients lead nowhere here: look for what makes them random or 0, and attack without them",
    )


def more_restarts(strong: Climbs) -> Sign:
    """Check whether restarts go on felling images.

    Args:
        strong: what the early restarts and all reached.

    Returns:
        The sign.
    """
    left, count = int((~strong.early.met).sum()), len(strong.all.met)
    felled = int((strong.all.met & ~strong.early.met).sum())
    return Sign(
        name="restarts",
        suspected=makes_difference(felled, count),
        finding=(
            f"of {count} images the first {EARLY} restarts left {left}; {RESTARTS - EARLY} more "
            f"felled {felled}"
        ),
        action="give attacks more restarts and steps until the figure stops falling: it is too high now",
    )


def larger_balls(trial: Trial, ball: Ball, strong: Climbs) -> Sign:
    """Check whether attacks go further as they may change more, until nothing stands.

    Args:
        trial: the images.
        ball: in which robustness is claimed.
        strong: what was reached in it.

    Returns:
        The sign.
    """
    last = widest(ball, trial.images)
    balls = [each for each in multiples(ball, WIDER) if each.eps < last.eps]
    before, said, flat = strong.first, [], False
    for number, each in enumerate([*balls, last]):
        after = trial.outcome(APGDCE(each, steps=STEPS), ("wider", number))
        standing = ~before.met
        left, rose = int(standing.sum()), int(((after.gains > before.gains) | after.met)[standing].sum())
        if each.eps > ball.eps and left:
            said.append(f"{rose} of {left} standing images come nearer to falling at {radius_text(each)}")
            flat |= left >= FEW and wilson(rose, left)[1] < RISING
        before = after
    fallen, count = int(before.met.sum()), len(before.met)
    said.append(f"{fallen} of {count} fall at {radius_text(last)}")
    return Sign(
        name="larger balls",
        suspected=flat or wilson(fallen, count)[1] < ALL,
        finding="; ".join(said),
        action=(
            "where any image may become any grey no answer can be right, so that an attack failing there "
            "fails for its own reasons: mend it (another loss, more steps, no gradients) before believing "
            "smaller radii"
        ),
    )


def _said(rival: str, beaten: Beaten) -> str:
    return (
        f"of {beaten.left} images that Auto-PGD left standing, {rival} felled {beaten.felled} and "
        f"went further on {beaten.further}"
    )
