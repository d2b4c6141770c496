"""What a benchmark finds: every training, a row for each side and budget, and how much sooner one side is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median, stdev
from typing import Any, ClassVar

from striate.studies.bench_levels import compare
from striate.studies.command import table
from striate.studies.repeats import Mean, mean_of

OURS = "striate"
"""The name of our side."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """One budget of one training.

    Args:
        side: who trained: `OURS` or the name of a peer.
        seed: of its weights, its order and of the images held out.
        epochs: the budget.
        accuracy: on the test part, in [0, 1].
        training_seconds: of the training alone.
        process_seconds: of the whole process, as a user waits for it.
        images: how many were trained on, each time one was seen.
        precision: in which it computed.
        operations: floating-point operations of training on one image; ``None`` where that is not known.
        peak_bytes: the most memory that the process held; ``None`` where the system does not tell.
        versions: of Python and the libraries, by name.
        busy: the share of the processors that other work took just before, in [0, 1]; ``None``: not known.
        finished: when it was over.
    """

    side: str
    seed: int
    epochs: float
    accuracy: float
    training_seconds: float
    process_seconds: float
    images: int
    precision: str
    operations: float | None
    peak_bytes: int | None
    versions: dict[str, str]
    busy: float | None
    finished: str


@dataclass(frozen=True)
class Spread:
    """Seconds of several trainings.

    Args:
        median: of them.
        low: the shortest.
        high: the longest.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.median:.1f}"
        return f"{self.median:.1f} ({self.low:.1f}-{self.high:.1f})"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One side with one budget, over all its seeds.

    Args:
        side: who trained.
        epochs: the budget.
        accuracy: mean test accuracy with Student's 95 % interval over seeds.
        deviation: standard deviation of the accuracies over seeds; ``None`` of one.
        training_seconds: of the training alone.
        process_seconds: of the whole process.
        images_per_second: trained on; the median over seeds.
        precision: in which it computed.
        share_of_peak: of the matrix products' rate in that precision; ``None`` where that is not known.
        peak_bytes: the most memory that any of the processes held; ``None`` where the system does not tell.
    """

    side: str
    epochs: float
    accuracy: Mean
    deviation: float | None
    training_seconds: Spread
    process_seconds: Spread
    images_per_second: float
    precision: str
    share_of_peak: float | None
    peak_bytes: int | None

    def row(self) -> tuple[str, ...]:
        """Give the texts of its row, under the titles in `Benchmark.COLUMNS`.

        Returns:
            One a column; empty where a figure is not known.
        """
        share = "" if self.share_of_peak is None else f"{self.share_of_peak:.0%} of {self.precision}"
        return (
            self.side,
            f"{self.epochs:g}",
            self.accuracy.percent(),
            "" if self.deviation is None else f"{100 * self.deviation:.2f}",
            str(self.accuracy.count),
            str(self.training_seconds),
            str(self.process_seconds),
            f"{self.images_per_second:,.0f}",
            share.replace("%", " %"),
            "" if self.peak_bytes is None else f"{self.peak_bytes / 2**30:.2f}",
        )


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A benchmark, finished or under way.

    Args:
        settings: all that the figures depend on; a broken-off benchmark goes on only where they are the same.
        machine: what it ran on, by name.
        products: rates of matrix products, operations a second by precision, one entry for each seed.
        trainings: what was measured.
        skipped: peers that could not be run, and why.
        about: what each side trains, in a line.
    """

    settings: dict[str, Any]
    machine: dict[str, Any]
    products: tuple[dict[str, float], ...] = ()
    trainings: tuple[Training, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "side",
        "epochs",
        "test accuracy, mean and 95 % interval",
        "sd",
        "n",
        "training s, median (range)",
        "whole process s, median (range)",
        "images/s",
        "share of peak",
        "GiB",
    )
    """The titles of a summary's row."""

    def peak(self, precision: str) -> float | None:
        """Give the rate of matrix products in a precision.

        Args:
            precision: ``bfloat16`` or ``float32``.

        Returns:
            Operations a second, the median over what was measured; ``None`` where nothing was.
        """
        rates = [rates[precision] for rates in self.products if precision in rates]
        return median(rates) if rates else None

    def summaries(self) -> list[Summary]:
        """Give each side with each of its budgets, ours first.

        Returns:
            In the order of sides and budgets.
        """
        groups: dict[tuple[str, float], list[Training]] = {}
        for training in self.trainings:
            groups.setdefault((training.side, training.epochs), []).append(training)
        sides = list(dict.fromkeys(side for side, _ in groups))
        order = sorted(groups, key=lambda group: (group[0] != OURS, sides.index(group[0]), group[1]))
        return [self._summary(groups[group]) for group in order]

    def _summary(self, found: Sequence[Training]) -> Summary:
        accuracies = [each.accuracy for each in found]
        speeds = [each.images / each.training_seconds for each in found]
        first, speed = found[0], median(speeds)
        peak = self.peak(first.precision)
        known = first.operations is not None and peak is not None
        memory = [each.peak_bytes for each in found if each.peak_bytes is not None]
        return Summary(
            side=first.side,
            epochs=first.epochs,
            accuracy=mean_of(accuracies),
            deviation=stdev(accuracies) if len(found) > 1 else None,
            training_seconds=_spread([each.training_seconds for each in found]),
            process_seconds=_spread([each.process_seconds for each in found]),
            images_per_second=speed,
            precision=first.precision,
            share_of_peak=(first.operations or 0) * speed / (peak or 1) if known else None,
            peak_bytes=max(memory) if memory else None,
        )

    def findings(self) -> list[str]:
        """Say, for each whole percent of mean accuracy that ours reaches, how soon, beside the fastest peer.

        Returns:
            A sentence each.
        """
        return compare(self.summaries(), ours=OURS)

    def to_dict(self) -> dict[str, Any]:
        """Give everything by name, ready for JSON.

        Returns:
            A dictionary of plain values, with the summaries and findings.
        """
        return {
            **asdict(self),
            "summaries": [asdict(summary) for summary in self.summaries()],
            "findings": self.findings(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Benchmark:
        """Read what `to_dict` gave.

        Args:
            values: the dictionary.

        Returns:
            The benchmark.

        Raises:
            KeyError, TypeError: where it is none.
        """
        return cls(
            settings=values["settings"],
            machine=values["machine"],
            products=tuple(values["products"]),
            trainings=tuple(Training(**training) for training in values["trainings"]),
            skipped=values["skipped"],
            about=values["about"],
        )

    def markdown(self) -> str:
        """Write everything for people.

        Returns:
            A page of Markdown: the machine, the table, what was found and what was left out.
        """
        lines = [f"# Benchmark: {self.settings['data']}", "", self.conditions(), ""]
        lines += table(self.COLUMNS, [summary.row() for summary in self.summaries()])
        lines += ["", *(f"- {finding}" for finding in self.findings())]
        lines += ["", *(f"- {side}: {what}" for side, what in self.about.items())]
        lines += ["", *(f"- left out: {peer}, {why}" for peer, why in self.skipped.items())]
        return "\n".join(lines).rstrip() + "\n"

    def conditions(self) -> str:
        """Say in a few sentences on what and how was measured.

        Returns:
            One line of text.
        """
        machine, settings = self.machine, self.settings
        seeds = settings["seeds"]
        peaks = [
            f"{rate / 1e9:.0f} GFLOP/s in {precision}"
            for precision in ("bfloat16", "float32")
            if (rate := self.peak(precision)) is not None
        ]
        busiest = max((each.busy for each in self.trainings if each.busy is not None), default=None)
        said = [
            f"{machine['processor']}, {machine['threads']} of {machine['processors']} processors, "
            f"{machine['memory_gib']} GiB, {machine['system']} ({machine['bfloat16']}); "
            f"Python {machine['python']}, torch {machine['torch']}",
            f"{settings['images']['train']:,} images to train on, {settings['images']['test']:,} to test on; "
            f"seeds {min(seeds)} to {max(seeds)}, one process each, the sides in turns",
        ]
        if peaks:
            said.append(f"matrix products: {', '.join(peaks)}")
        if busiest is not None:
            said.append(f"other work took at most {busiest:.0%} of the processors before a training")
        return "; ".join(said).replace("%", " %") + "."


def _spread(seconds: Sequence[float]) -> Spread:
    return Spread(median(seconds), min(seconds), max(seconds))
