"""Learning curves, measured: accuracy over the number of images, and a larger network beside more data.

``python -m striate.studies.learning_curve photos/ --out FOLDER`` leaves ``learning-curve.json`` and
``learning-curve.png``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from striate.core.device import choose_policy
from striate.core.errors import DataError, RecipeError
from striate.core.events import Event, OnEvent, ignore
from striate.core.recipe import Recipe
from striate.core.seeds import derive
from striate.data import Dataset
from striate.data.opening import Source
from striate.recipes import resolve
from striate.studies import command
from striate.studies.drawing import fewer
from striate.studies.learning_curve_results import LearningCurve, Point
from striate.studies.opening import open_once
from striate.studies.power_law import LEAST_SIZES
from striate.training import train

MOST_PASSES = 40
"""Small sets are seen more often, so that all trainings have about as many steps, but at most so often."""

LEAST_IMAGES = 8

LARGER = {
    "compact-light": "compact-medium",
    "compact-small": "compact-medium",
    "compact-medium": "compact-large",
    "compact-large": "preactresnet18",
    "efficientnet-lite0": "efficientnet-lite2",
    "efficientnet-lite1": "efficientnet-lite2",
    "lenet": "mnist-convnet",
    "plain20": "plain32",
    "resnet18": "resnet34",
    "resnet34": "resnet50",
    "resnet50": "resnet101",
    "resnet101": "resnet152",
    "resnet20": "resnet32",
    "resnet32": "resnet56",
    "resnet56": "resnet110",
    "vgg11": "vgg16",
    "vgg11-bn": "vgg16-bn",
    "vgg16": "vgg19",
    "vgg16-bn": "vgg19-bn",
    "wide-resnet16-4": "wide-resnet28-10",
}
"""Network -> one of the same kind with more weights."""


def study_learning_curve(
    source: Source = "fashion-mnist",
    *,
    epochs: int = 10,
    sizes: int = 5,
    seeds: int = 3,
    recipe: Recipe | None = None,
    device: str | None = None,
    on_event: OnEvent = ignore,
) -> LearningCurve:
    """Train on all images, on half of them, a quarter and so on, and a larger network on all and on half.

    Smaller sets are drawn evenly over the classes, each within the next larger one, anew for every seed, and
    are seen more often, so that all trainings have about as many steps. All else is as `striate.train` does
    it: the batch follows the number of images, and the best epoch is chosen on the validation part, which is
    the same for all. What is reported is measured on the test part, where there is one.

    Args:
        source: what `striate.open_dataset` takes.
        epochs: how often all images are seen, at least 1.
        sizes: how many numbers of images, at least 3; those that leave under two images a class are left out.
        seeds: how often everything is repeated, at least 1; a single one has no intervals.
        recipe: what is not left to be decided; ``None``: everything is decided from the data.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        on_event: is told of the progress.

    Returns:
        The study.

    Raises:
        RecipeError: where a number is out of range.
        DataError: where the data cannot be used, or are too few for a curve.
        TrainingError: where the loss is no longer a number.
    """
    for name, value, least in (("epochs", epochs, 1), ("sizes", sizes, LEAST_SIZES), ("seeds", seeds, 1)):
        if value < least:
            raise RecipeError(f"{name} is {value}, where at least {least} is wanted")
    began = time.perf_counter()
    wanted, dataset = open_once(recipe or Recipe(), source, on_event)
    policy = choose_policy(device, wanted.precision)
    decided = resolve(
        wanted.changed(epochs=epochs),
        images=len(dataset.train),
        size=dataset.size,
        flip=dataset.flip,
        precision=policy.precision,
    )
    counts = _counts(dataset, sizes)
    larger = _larger(wanted, decided)
    trainings = _Trainings(dataset, epochs, seeds, device, on_event)
    points = [trainings.point("usual", wanted, count) for count in counts]
    names = [decided.pretrained or decided.model or ""]
    if larger is not None:
        points += [trainings.point("larger", larger, count) for count in counts[-2:]]
        names.append(larger.pretrained or larger.model or "")
    measured = dataset.validation if dataset.test is None else dataset.test
    return LearningCurve(
        source=dataset.name,
        part="validation" if dataset.test is None else "test",
        measured_images=len(measured),
        models=tuple(names),
        seeds=seeds,
        precision=policy.precision,
        seconds=round(time.perf_counter() - began, 1),
        points=tuple(points),
    )


def _counts(dataset: Dataset, sizes: int) -> list[int]:
    """Halve the number of images until too few are left, the smallest number first."""
    total = len(dataset.train)
    least = max(LEAST_IMAGES, 2 * len(dataset.classes))
    counts = [count for power in range(sizes) if (count := total // 2**power) >= least]
    if len(counts) < LEAST_SIZES:
        raise DataError(
            f"{dataset.name} has {total:,} images to train on; a curve wants {LEAST_SIZES} numbers of images "
            f"of at least {least} (two a class), so {least * 2 ** (LEAST_SIZES - 1):,} and more work"
        )
    return counts[::-1]


def _larger(wanted: Recipe, decided: Recipe) -> Recipe | None:
    start = decided.pretrained
    if start is not None:
        return None if start not in LARGER else wanted.changed(pretrained=LARGER[start], model=None)
    model = LARGER.get(decided.model or "")
    return None if model is None else wanted.changed(model=model)


@dataclass(frozen=True)
class _Trainings:
    """The trainings of one study."""

    dataset: Dataset
    epochs: int
    seeds: int
    device: str | None
    on_event: OnEvent

    def point(self, network: str, recipe: Recipe, count: int) -> Point:
        """Train a network on a number of images with every seed."""
        passes = min(self.epochs * len(self.dataset.train) / count, max(self.epochs, MOST_PASSES))
        accuracies = []
        began = time.perf_counter()
        for seed in range(self.seeds):
            part = fewer(self.dataset, count, seed=derive(seed, "learning curve"))
            with tempfile.TemporaryDirectory(prefix="striate-") as folder:
                run = train(
                    part,
                    recipe=recipe.changed(epochs=passes, seed=seed),
                    out=Path(folder, "run"),
                    device=self.device,
                    on_event=self._shown,
                )
                accuracies.append(list(run.evaluation.values())[-1].accuracy)
            said = f"{accuracies[-1]:.2%}".replace("%", " %")
            message = f"{network} network, {count:,} images, seed {seed}: {said}"
            self.on_event(Event("note", {"message": message}))
        seconds = (time.perf_counter() - began) / self.seeds
        return Point(
            network=network,
            images=count,
            epochs=passes,
            accuracies=tuple(accuracies),
            seconds=round(seconds, 2),
        )

    def _shown(self, event: Event) -> None:
        if event.kind in ("step", "warning"):
            self.on_event(event)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, write its files and print its table.

    Args:
        arguments: of the command; ``None``: those of this process.
    """
    from striate.plots.learning_curve import learning_curve

    command.run(
        arguments,
        name="learning-curve",
        about="Measure how accuracy grows with the number of images, and with a larger network.",
        study=study_learning_curve,
        columns=LearningCurve.COLUMNS,
        pictures={"learning-curve.png": learning_curve},
        defaults={"epochs": 10, "sizes": 5, "seeds": 3},
    )


if __name__ == "__main__":
    main()
