"""What a learning curve says: accuracy by number of images, its law, data against a larger network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

from striate.studies.power_law import PowerLaw, PowerLawFit, fit_power_law
from striate.studies.repeats import Mean, mean_of

NETWORKS = ("usual", "larger")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One network trained on one number of images, with several seeds.

    Args:
        network: ``usual`` or ``larger``.
        images: how many it was trained on.
        epochs: how often each was seen.
        accuracies: one for each seed.
        seconds: of a training, the mean.
    """

    network: str
    images: int
    epochs: float
    accuracies: tuple[float, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """How accuracy grows with the number of images.

    Args:
        source: where the images are from.
        part: what was measured on: ``test`` or ``validation``.
        measured_images: how many that are.
        models: names of the usual and of the larger network; one, where there is no larger one.
        seeds: how often everything was repeated with other weights, order and images drawn.
        precision: in which was trained.
        seconds: that everything took.
        points: those of the usual network by growing number of images, then those of the larger.
    """

    source: str
    part: str
    measured_images: int
    models: tuple[str, ...]
    seeds: int
    precision: str
    seconds: float
    points: tuple[Point, ...]

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "network",
        "training images",
        "epochs",
        "accuracy",
        "seconds a training",
    )
    """The titles of what `rows` gives."""

    @cached_property
    def fit(self) -> PowerLawFit:
        """The law of the usual network's error."""
        usual = self._points("usual")
        return fit_power_law(
            [point.images for point in usual],
            [[1 - accuracy for accuracy in point.accuracies] for point in usual],
        )

    @property
    def by_data(self) -> Mean:
        """What the last doubling of the data added to the accuracy, seed by seed."""
        half, whole = self._points("usual")[-2:]
        return _difference(whole, half)

    @property
    def by_size(self) -> dict[int, Mean]:
        """Number of images -> what the larger network added to the accuracy there, seed by seed."""
        usual = {point.images: point for point in self._points("usual")}
        return {point.images: _difference(point, usual[point.images]) for point in self._points("larger")}

    @property
    def advantage(self) -> Mean | None:
        """What doubling the data added more than the larger network, both from half of the images on."""
        half, whole = self._points("usual")[-2:]
        larger = [point for point in self._points("larger") if point.images == half.images]
        return _difference(whole, larger[0]) if larger else None

    @property
    def outlook(self) -> tuple[float, tuple[float, float] | None]:
        """What the law says that twice as many images would add, and its 95 % interval."""
        most = self._points("usual")[-1].images

        def gain(law: PowerLaw) -> float:
            return law.at(most) - law.at(2 * most)

        return gain(self.fit.law), self.fit.interval(gain)

    def rows(self) -> list[tuple[str, ...]]:
        """Give a row of texts for each point, under the titles in `COLUMNS`.

        Returns:
            The rows.
        """
        return [
            (
                self.models[NETWORKS.index(point.network)],
                f"{point.images:,}",
                f"{point.epochs:.1f}",
                mean_of(point.accuracies).percent(),
                f"{point.seconds:.1f}",
            )
            for point in self.points
        ]

    def findings(self) -> list[str]:
        """Say what more data and a larger network are worth.

        Returns:
            A sentence each: the law, what was measured at half of the images, the outlook, the verdict.
        """
        law, most = self.fit.law, self._points("usual")[-1].images
        exponents = self.fit.interval(lambda each: each.exponent)
        gain, interval = self.outlook
        sure = "" if exponents is None else f" (exponent {exponents[0]:.2f} to {exponents[1]:.2f})"
        gains = "" if interval is None else f" ({100 * interval[0]:.2f} to {100 * interval[1]:.2f})"
        found = [
            f"the error goes as {law.scale:.4f} (images / {law.reference:,.0f})^-{law.exponent:.2f} + "
            f"{law.floor:.4f}{sure}",
            f"twice as many images ({2 * most:,}) would by this law add {100 * gain:.2f} points{gains}",
        ]
        if self.advantage is None:
            return [*found, f"no larger network was measured beside {self.models[0]}"]
        half = self._points("usual")[-2].images
        by_size = self.by_size
        found.append(
            f"from {half:,} images on, {most - half:,} more add {self.by_data.points()}, and "
            f"{self.models[1]} instead of {self.models[0]} adds {by_size[half].points()} "
            f"(paired, {self.seeds} seeds)"
        )
        if most in by_size:
            found.append(f"with all {most:,} images {self.models[1]} adds {by_size[most].points()}")
        return [*found, f"verdict: {self.verdict()}"]

    def verdict(self) -> str:
        """Say whether more data would help more than a larger network, as far as it is shown.

        Returns:
            A clause; it rests on what was measured from half of the images on.
        """
        advantage = self.advantage
        if advantage is None or advantage.low is None or advantage.high is None:
            return "one training of each shows no difference; more seeds do"
        if advantage.low > 0:
            return f"more data help more than a larger network, by {advantage.points()}"
        if advantage.high < 0:
            return f"a larger network helps more than more data, by {_less(advantage).points()}"
        return f"neither is shown to help more: the difference is {advantage.points()}"

    def to_dict(self) -> dict[str, Any]:
        """Give everything by name, ready for JSON.

        Returns:
            A dictionary of plain values, with means, the law at the numbers of images and beyond, and the
            findings.
        """
        gain, interval = self.outlook
        counts = [point.images for point in self._points("usual")]
        wanted = [*counts, 2 * counts[-1], 4 * counts[-1]]
        bands = [self.fit.interval(_at(count)) for count in wanted]
        law = {
            **asdict(self.fit.law),
            "images": wanted,
            "errors": [self.fit.law.at(count) for count in wanted],
            "intervals": [None if band is None else list(band) for band in bands],
        }
        figures = {name: value for name, value in vars(self).items() if name not in ("points", "fit")}
        return {
            **figures,
            "points": [{**asdict(point), "mean": asdict(mean_of(point.accuracies))} for point in self.points],
            "law": law,
            "by_data": asdict(self.by_data),
            "by_size": {str(count): asdict(mean) for count, mean in self.by_size.items()},
            "advantage": None if self.advantage is None else asdict(self.advantage),
            "outlook": {"gain": gain, "interval": None if interval is None else list(interval)},
            "findings": self.findings(),
        }

    def _points(self, network: str) -> list[Point]:
        return [point for point in self.points if point.network == network]


def _difference(one: Point, other: Point) -> Mean:
    pairs = zip(one.accuracies, other.accuracies, strict=True)
    return mean_of([first - second for first, second in pairs])


def _less(mean: Mean) -> Mean:
    low = None if mean.high is None else -mean.high
    high = None if mean.low is None else -mean.low
    return Mean(-mean.mean, low, high, mean.count)


def _at(count: int) -> Callable[[PowerLaw], float]:
    return lambda law: law.at(count)
