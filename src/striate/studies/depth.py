"""Depth, measured: plain and residual networks of 20 and 56 layers, sigmoid and ReLU, with and without norms.

``python -m striate.studies.depth --out FOLDER`` trains them on Fashion-MNIST at 14 x 14 pixels and leaves
``depth.json``, ``depth-gradients.png`` and ``depth-curves.png``.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from striate.core.device import Policy, choose_policy
from striate.core.errors import RecipeError
from striate.core.events import Event, OnEvent, ignore
from striate.core.seeds import derive
from striate.data import Split, open_dataset
from striate.data.label_sets import refuse_several
from striate.data.opening import Source
from striate.engine.randomness import borrowed_generators, seed_generators
from striate.explain import gradient_flow
from striate.studies import command
from striate.studies.depth_results import Course, DepthStudy, Start, Variant
from striate.studies.fitting import BATCH, Curve, Pixels, drawn, error_on, fit

TEST_IMAGES = 2000
IMAGES_AT_START = 32

_ALL = itertools.product((20, 56), (False, True), ("sigmoid", "ReLU"), (False, True))
MEASURED = tuple(Variant(depth=d, residual=r, activation=a, norm=n) for d, r, a, n in _ALL)
"""The networks whose gradients are measured at the start: all sixteen."""

TRAINED = tuple(each for each in MEASURED if each.depth == 20 or (each.activation == "ReLU" and each.norm))
"""The networks that are trained: all of 20 layers, and those of 56 with ReLU and norms."""


def study_depth(
    source: Source = "fashion-mnist",
    *,
    images: int = 5000,
    epochs: int = 8,
    seeds: int = 3,
    measured: Sequence[Variant] = MEASURED,
    trained: Sequence[Variant] = TRAINED,
    device: str | None = None,
    on_event: OnEvent = ignore,
) -> DepthStudy:
    """Measure the gradients of deep networks at the start, and train them.

    Images of 28 pixels and more are averaged over blocks of 2 x 2 pixels until they are smaller, so that the
    networks of 56 layers can be trained in minutes. All networks are trained alike, by gradient descent with
    momentum; only the highest rate depends on whether there are norms. Nothing is chosen by results, so no
    part is held out for choosing.

    Args:
        source: what `striate.open_dataset` takes.
        images: how many to train on, at least 1.
        epochs: how often each is seen, at least 1.
        seeds: how often everything is repeated with other weights, images and order, at least 1.
        measured: networks whose gradients are measured.
        trained: networks that are trained.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        on_event: is told of the progress.

    Returns:
        The study.

    Raises:
        RecipeError: where a number is under 1.
        DataError: where the images cannot be used.
        DeviceError: where this machine does not have the device.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), section 4.2 and figure 6, for the
    comparison; their networks see CIFAR-10, 64,000 steps and augmentation.
    """
    for name, value in (("images", images), ("epochs", epochs), ("seeds", seeds)):
        if value < 1:
            raise RecipeError(f"{name} is {value}, where at least 1 is wanted")
    began = time.perf_counter()
    policy = choose_policy(device)
    dataset = open_dataset(source, on_event=on_event)
    refuse_several(dataset.train.labels, what="this study")
    test = _shrunk(drawn(dataset.test or dataset.validation, TEST_IMAGES, derive(0, "test images")))
    draws = [_shrunk(drawn(dataset.train, images, derive(seed, "images"))) for seed in range(seeds)]
    kind = {"classes": len(dataset.classes), "channels": dataset.channels}
    with borrowed_generators(policy.device):
        starts = [_start(variant, draws, kind, on_event) for variant in measured]
        courses = [_course(variant, draws, test, kind, epochs, policy, on_event) for variant in trained]
    return DepthStudy(
        source=dataset.name,
        size=(test.images.shape[2], test.images.shape[3]),
        images=len(draws[0]),
        test_images=len(test),
        images_at_start=min(IMAGES_AT_START, len(draws[0])),
        epochs=epochs,
        batch=BATCH,
        seeds=seeds,
        precision=policy.precision,
        seconds=round(time.perf_counter() - began, 1),
        starts=tuple(starts),
        courses=tuple(courses),
    )


def _start(variant: Variant, draws: Sequence[Split], kind: dict[str, int], on_event: OnEvent) -> Start:
    gradients, reaches, verdicts = [], [], []
    for seed, split in enumerate(draws):
        seed_generators(derive(seed, "weights"), "cpu")
        # In float64, where what float32 rounds to 0 can still be told from 0.
        network = variant.build(**kind).double()
        images = torch.from_numpy(split.images[:IMAGES_AT_START]).double().div_(255)
        images = (images - images.mean()) / images.std()
        flow = gradient_flow(network, images, torch.from_numpy(split.labels[:IMAGES_AT_START]))
        layers = [layer for layer in flow.layers if layer.weights and "Norm" not in layer.kind]
        gradients.append(tuple(layer.output_gradient or 0.0 for layer in layers))
        reaches.append(flow.reach)
        verdicts.append(str(flow.verdict))
        _tell(on_event, f"gradients of {variant.label}", len(draws), "seeds", seed + 1)
    return Start(variant, tuple(gradients), tuple(reaches), tuple(verdicts))


def _course(
    variant: Variant,
    draws: Sequence[Split],
    test: Split,
    kind: dict[str, int],
    epochs: int,
    policy: Policy,
    on_event: OnEvent,
) -> Course:
    curves: list[Curve] = []
    test_errors: list[float | None] = []
    for seed, split in enumerate(draws):
        seed_generators(derive(seed, "weights"), policy.device)
        network = variant.build(**kind).to(policy.device)
        pixels = Pixels.of(split, policy)
        what = f"{variant.label}, seed {seed}"
        curve = fit(
            network,
            split,
            pixels,
            epochs=epochs,
            rate=variant.rate,
            seed=derive(seed, "training"),
            on_epoch=partial(_tell, on_event, what, epochs, "epochs"),
        )
        curves.append(curve)
        test_errors.append(None if curve.diverged else error_on(network, test, pixels))
        how = "diverged" if curve.diverged else f"training error {curve.errors[-1]:.1%}"
        on_event(Event("note", {"message": f"{what}: {how}".replace("%", " %")}))
    return Course(variant, tuple(curves), tuple(test_errors))


def _tell(on_event: OnEvent, what: str, total: int, unit: str, done: int) -> None:
    on_event(Event("prepare", {"what": what, "done": done, "total": total, "unit": unit}))


def _shrunk(split: Split) -> Split:
    images = split.images
    while min(images.shape[2:]) >= 28 and not any(side % 2 for side in images.shape[2:]):
        count, channels, height, width = images.shape
        blocks = images.reshape(count, channels, height // 2, 2, width // 2, 2)
        images = np.rint(blocks.mean(axis=(3, 5))).astype(np.uint8)
    return Split(images, split.labels)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, write its files and print its table.

    Args:
        arguments: of the command; ``None``: those of this process.
    """
    from striate.plots.depth_study import depth_curves, depth_gradients

    command.run(
        arguments,
        name="depth",
        about="Train plain and residual networks of 20 and 56 layers and measure their gradients.",
        study=study_depth,
        columns=DepthStudy.COLUMNS,
        pictures={"depth-gradients.png": depth_gradients, "depth-curves.png": depth_curves},
        defaults={"images": 5000, "epochs": 8, "seeds": 3},
    )


if __name__ == "__main__":
    main()
