"""What scoring a generator finds: each score with its interval and its bias, and what else is to be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Score:
    """One score.

    Args:
        name: what it is and by which network, such as ``FID[striate-fashion-v1]``.
        value: what was measured.
        interval: in which it would lie for 95 % of other samples of the same number.
        better: which way is better.
        bias: what the number of images does to it, as a clause.
    """

    name: str
    value: float
    interval: tuple[float, float]
    better: Literal["lower", "higher"]
    bias: str


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Everything measured of one set of generated images against real ones.

    Args:
        network: the name of the feature network.
        features: how many features it gives an image.
        real: how many real images were compared.
        generated: how many generated ones.
        scores: the scores by their short names: ``fid``, ``fid_infinite``, ``kid``, ``inception_score``,
            ``precision``, ``recall``, ``density`` and ``coverage``; those that mean nothing here are missing.
        class_shares: share of the generated images that the network sees as each class; empty where it
            names none.
        warnings: what was left out or is not to be trusted, and why, one sentence each.
        seconds: what all of it took.
    """

    network: str
    features: int
    real: int
    generated: int
    scores: Mapping[str, Score]
    class_shares: Mapping[str, float]
    warnings: tuple[str, ...]
    seconds: float

    def __getitem__(self, name: str) -> Score:
        """Give a score by its short name, such as ``fid``."""
        return self.scores[name]

    def to_dict(self) -> dict[str, Any]:
        """Give all figures by name, ready for JSON.

        Returns:
            A dictionary of plain values.
        """
        plain = {name: value for name, value in vars(self).items() if name != "scores"}
        plain["class_shares"] = dict(self.class_shares)
        plain["warnings"] = list(self.warnings)
        scores = {
            name: {**asdict(score), "interval": list(score.interval)} for name, score in self.scores.items()
        }
        return {**plain, "scores": scores}
