"""What an evaluation of robustness found, as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor

from striate.attack.ball import Ball
from striate.attack.curves import Measured
from striate.attack.masking import Masking
from striate.attack.radii import radius_text
from striate.attack.siege import Tried


@dataclass(frozen=True)
class RadiusPoint:
    """The accuracy that is left at a radius.

    Args:
        eps: the radius; 0 is the accuracy on clean images.
        accuracy: share of the images that are answered right, and at no point found in the ball wrong.
    """

    eps: float
    accuracy: Measured


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """What attacks left of a classifier, and how far to believe it.

    Args:
        ball: in which images were changed.
        images: how many were attacked: a sample that has the shares of the classes.
        clean: the accuracy on them as they are.
        robust: the share that is answered right and stood every attack; the truth is at most that.
        attacks: what each attack did, in order.
        curve: the accuracy at other radii too, rising from 0; radii for which there was no time are left out.
        level: of the strongest round that every image standing went through: ``light``, ``medium`` or
            ``full``; ``None`` where there was no time even for a light one.
        masking: the verdict on the evaluation itself; ``None`` where there was no time for it.
        notes: what else is to be known, in sentences.
        seconds: that all took.
        rows: int64, which of the images given were attacked.
        strongest: for each of these the attack that felled it or came nearest; ``None`` where it was answered
            wrong unchanged.
        fallen: booleans, which fell to an attack.
        changed: the images after the attack that came nearest.
    """

    ball: Ball
    images: int
    clean: Measured
    robust: Measured
    attacks: tuple[Tried, ...]
    curve: tuple[RadiusPoint, ...]
    level: str | None
    masking: Masking | None
    notes: tuple[str, ...]
    seconds: float
    rows: Tensor
    strongest: tuple[str | None, ...]
    fallen: Tensor
    changed: Tensor

    @property
    def finding(self) -> str:
        """What was found, in one sentence."""
        return (
            f"robust accuracy {_percent(self.robust.value)} (95 % interval {_percent(self.robust.low)} to "
            f"{_percent(self.robust.high)}, {self.images:,} images) within {radius_text(self.ball)}, clean "
            f"{_percent(self.clean.value)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Give everything but the images by name, ready for JSON.

        Returns:
            A dictionary of plain values, the finding among them.
        """
        return {
            "norm": self.ball.name,
            "eps": self.ball.eps,
            "images": self.images,
            "clean": asdict(self.clean),
            "robust": asdict(self.robust),
            "attacks": [asdict(each) for each in self.attacks],
            "curve": [{"eps": point.eps, **asdict(point.accuracy)} for point in self.curve],
            "level": self.level,
            "masking": None if self.masking is None else self.masking.to_dict(),
            "notes": list(self.notes),
            "seconds": self.seconds,
            "rows": self.rows.tolist(),
            "strongest": list(self.strongest),
            "fallen": self.fallen.tolist(),
            "finding": self.finding,
        }


def joined(tried: Iterable[Tried]) -> tuple[Tried, ...]:
    """Add up what the same attack of the same strength did to parts of the images.

    Args:
        tried: in their order.

    Returns:
        One for each attack and strength, in the order in which these came first.
    """
    found: dict[tuple[str, str], Tried] = {}
    for each in tried:
        key = each.name, each.how
        before = found.get(key)
        if before is not None:
            each = replace(
                each,
                attacked=before.attacked + each.attacked,
                standing=before.standing + each.standing,
                fell=before.fell + each.fell,
                seconds=before.seconds + each.seconds,
            )
        found[key] = each
    return tuple(found.values())


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")
