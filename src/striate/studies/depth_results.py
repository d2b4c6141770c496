"""What the depth study finds: the networks compared, their gradients at the start, their trainings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, ClassVar

from torch import nn

from striate.models import plain20, plain56, resnet20, resnet56
from striate.studies.fitting import Curve
from striate.studies.repeats import Mean, mean_of

NETWORKS: dict[tuple[bool, int], Callable[..., nn.Module]] = {
    (False, 20): plain20,
    (False, 56): plain56,
    (True, 20): resnet20,
    (True, 56): resnet56,
}
ACTIVATIONS: dict[str, type[nn.Module]] = {"ReLU": nn.ReLU, "sigmoid": nn.Sigmoid}

RATE_WITH_NORMS, RATE_WITHOUT = 0.1, 0.01
"""Highest learning rates, fixed beforehand: 0.1 as published; a network without norms bears a tenth of it."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One of the networks compared.

    Args:
        depth: layers with weights on the way from the image to the logits: 20 or 56.
        residual: whether there is a skip connection around every two convolutions.
        activation: ``ReLU`` or ``sigmoid``.
        norm: whether batch normalisation follows every convolution.
    """

    depth: int
    residual: bool
    activation: str
    norm: bool

    @property
    def label(self) -> str:
        """What it is called in tables and pictures."""
        kind = "residual" if self.residual else "plain"
        return f"{kind}-{self.depth}, {self.activation}{', batch norm' if self.norm else ''}"

    @property
    def rate(self) -> float:
        """The highest learning rate that it is trained with."""
        return RATE_WITH_NORMS if self.norm else RATE_WITHOUT

    def build(self, *, classes: int, channels: int) -> nn.Module:
        """Build the network, its weights drawn from torch's global generator.

        Args:
            classes: number of outputs.
            channels: channels of the images.

        Returns:
            The network.
        """
        make = NETWORKS[self.residual, self.depth]
        activation = ACTIVATIONS[self.activation]
        return make(classes=classes, channels=channels, norm=self.norm, activation=activation)


@dataclass(frozen=True)
class Start:
    """The gradients of a network before its first step, for several seeds.

    Args:
        variant: which network.
        gradients: for each seed the norm of the gradient at the output of each convolution and of the head,
            in order.
        reaches: for each seed the first of these over the last.
        verdicts: for each seed what `striate.explain.gradient_flow` says.
    """

    variant: Variant
    gradients: tuple[tuple[float, ...], ...]
    reaches: tuple[float, ...]
    verdicts: tuple[str, ...]


@dataclass(frozen=True)
class Course:
    """The trainings of a network, for several seeds.

    Args:
        variant: which network.
        curves: a curve for each seed.
        test_errors: for each seed the share of test images classified wrongly at the end; ``None`` where the
            training diverged.
    """

    variant: Variant
    curves: tuple[Curve, ...]
    test_errors: tuple[float | None, ...]

    def training_error(self) -> Mean | None:
        """Give the training error of the last epoch.

        Returns:
            The mean over seeds; ``None`` where every training diverged.
        """
        ended = [curve.errors[-1] for curve in self.curves if not curve.diverged]
        return mean_of(ended) if ended else None

    def test_error(self) -> Mean | None:
        """Give the test error at the end.

        Returns:
            The mean over seeds; ``None`` where every training diverged.
        """
        ended = [error for error in self.test_errors if error is not None]
        return mean_of(ended) if ended else None


@dataclass(frozen=True, kw_only=True)
class DepthStudy:
    """What depth does to gradients and to training.

    Args:
        source: where the images are from.
        size: their height and width in pixels, as the networks got them.
        images: how many were trained on, drawn anew for each seed.
        test_images: how many were tested on, the same for all.
        images_at_start: how many the gradients at the start were measured on.
        epochs: how often each was seen.
        batch: images a step.
        seeds: how often everything was repeated.
        precision: in which the networks were trained; the gradients at the start are float64.
        seconds: that everything took.
        starts: the gradients at the start.
        courses: the trainings.
    """

    source: str
    size: tuple[int, int]
    images: int
    test_images: int
    images_at_start: int
    epochs: int
    batch: int
    seeds: int
    precision: str
    seconds: float
    starts: tuple[Start, ...]
    courses: tuple[Course, ...]

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "network",
        "gradient at the first layer over the last, at the start",
        "verdict",
        "rate",
        "training error",
        "test error",
        "diverged",
    )
    """The titles of what `rows` gives."""

    def rows(self) -> list[tuple[str, ...]]:
        """Give a row of texts for each network, under the titles in `COLUMNS`.

        Returns:
            The rows; what was not measured of a network is empty.
        """
        courses = {course.variant: course for course in self.courses}
        rows = []
        for start in self.starts:
            said = [f"{word} ({start.verdicts.count(word)})" for word in sorted({*start.verdicts})]
            texts = [start.variant.label, f"{median(start.reaches):.2g}", ", ".join(said)]
            course = courses.get(start.variant)
            if course is None:
                rows.append((*texts, "", "", "", ""))
                continue
            training, test = course.training_error(), course.test_error()
            rows.append(
                (
                    *texts,
                    f"{start.variant.rate:g}",
                    training.percent() if training else "",
                    test.percent() if test else "",
                    f"{sum(curve.diverged for curve in course.curves)} of {self.seeds}",
                )
            )
        return rows

    def findings(self) -> list[str]:
        """Say whether 56 layers trained worse than 20, with and without skip connections.

        Returns:
            A sentence for each pair that was trained; differences are between trainings of the same seed.
        """
        return [
            sentence
            for residual in (False, True)
            if (sentence := self._compared("residual" if residual else "plain", residual)) is not None
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give everything by name, ready for JSON.

        Returns:
            A dictionary of plain values; each variant has its label and rate, each course its means.
        """
        figures = asdict(self)
        for kind in ("starts", "courses"):
            for found, own in zip(figures[kind], getattr(self, kind), strict=True):
                found["variant"] |= {"label": own.variant.label, "rate": own.variant.rate}
        for found, course in zip(figures["courses"], self.courses, strict=True):
            training, test = course.training_error(), course.test_error()
            found["training_error"] = None if training is None else asdict(training)
            found["test_error"] = None if test is None else asdict(test)
        return figures

    def _compared(self, kind: str, residual: bool) -> str | None:
        found = {
            course.variant.depth: course
            for course in self.courses
            if course.variant.residual == residual
            and course.variant.norm
            and course.variant.activation == "ReLU"
        }
        if {20, 56} - set(found):
            return None
        pairs = [
            deep.errors[-1] - shallow.errors[-1]
            for deep, shallow in zip(found[56].curves, found[20].curves, strict=True)
            if not (deep.diverged or shallow.diverged)
        ]
        if not pairs:
            return f"{kind}: every pair of trainings holds one that diverged"
        difference = mean_of(pairs)
        return (
            f"{kind}, ReLU, batch norm: the training error of 56 layers less that of 20 is "
            f"{difference.points()} (paired, {difference.count} seeds): {_said(difference)}"
        )


def _said(difference: Mean) -> str:
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return "no difference is shown"
    return "more layers train worse" if difference.mean > 0 else "more layers train better"
