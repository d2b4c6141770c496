"""How much faster a training step of ours is, image for image, than one of PyTorch's basic MNIST example.

Both train on random images of Fashion-MNIST's shape, since no arithmetic depends on what they show: ours by
`striate.train`, whose own figure is taken (the median of its steps), the example with its network, optimiser
and batches of 64 from memory. The two take turns; the ratio is the median over the rounds. It says nothing of
accuracy, and is no benchmark: it is there so that a change that slows the step down is seen.

Run it with nothing else running, ``python benchmarks/step_ratio.py`` (about half a minute on 2 cores). CI
prints it after the tests and never fails by it, since machines differ and are busy.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import striate
from striate.core.events import Event
from striate.studies.peers.pytorch_mnist import BATCH, make_network, prepared, take_step

RECORDED = "3.0 to 3.1 (2 runs on 2 cores of an AMD EPYC with avx512_bf16, torch 2.13.0)"
"""The ratio as it was measured with nothing else running, on what, and when."""

IMAGES = 12_500
"""Enough for ours to take the batches that it takes of Fashion-MNIST."""

SHAPE = (1, 28, 28)
CLASSES = 10
STEPS = 60
WARMUP = 5


def random_images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Make images and labels that mean nothing."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (count, *SHAPE[1:]), np.uint8), np.arange(count) % CLASSES


def ours(images: np.ndarray, labels: np.ndarray) -> float:
    """Train for an epoch and give the images a second of the median step."""
    speeds: list[float] = []

    def on_event(event: Event) -> None:
        if event.kind == "step":
            speeds.append(event.data["images_per_second"])

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "run")
        # Mirrored as Fashion-MNIST is, which the ten labels alone would take for digits.
        striate.train(
            (images, labels),
            model="compact-medium",
            epochs=1,
            flip=True,
            device="cpu",
            out=out,
            on_event=on_event,
        )
    return speeds[-1]


def example(images: np.ndarray, labels: np.ndarray, *, steps: int = STEPS) -> float:
    """Take steps of PyTorch's example and give the images a second of the median step."""
    pixels, targets = prepared(torch.from_numpy(images[:, None])), torch.from_numpy(labels)
    network = make_network(SHAPE, CLASSES).train()
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    order = torch.randperm(len(targets)).split(BATCH)
    seconds = []
    for step in range(WARMUP + steps):
        began = time.perf_counter()
        chosen = order[step % (len(order) - 1)]
        take_step(network, optimizer, pixels[chosen], targets[chosen])
        seconds.append(time.perf_counter() - began)
    return BATCH / statistics.median(seconds[WARMUP:])


def main() -> None:
    """Measure in turns and print the ratio beside the recorded one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="(default: 3)")
    options = parser.parse_args()
    images, labels = random_images(IMAGES)
    found = [(ours(images, labels), example(images, labels)) for _ in range(options.rounds)]
    mine, theirs = (statistics.median(speeds) for speeds in zip(*found, strict=True))
    ratio = statistics.median(one / other for one, other in found)
    print(f"training step: {mine:,.0f} images/s, PyTorch's MNIST example {theirs:,.0f}")
    print(f"ratio {ratio:.2f}; recorded: {RECORDED}")
    print(f"(torch {torch.__version__}, {torch.get_num_threads()} threads of {os.cpu_count()} processors)")


if __name__ == "__main__":
    main()
