"""How surely the watch over generators finds what is planted in samples, and what it costs, on Fashion-MNIST.

For each seed the 60,000 training images are divided anew into 50,000 that a generator would have learnt from,
5,000 held out, and others; samples are made of these, with a fault or without, and diagnosed. What is printed
is how many of the seeds each finding is no note, by kind of samples, with its 95 % interval (Wilson).
Then the time of a check and of a step's note.

    python benchmarks/gan_watch.py                    # about 2 minutes on 2 cores
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

import striate
from striate.core.intervals import wilson
from striate.data.batches import as_tensor
from striate.gan.diagnosis import Reference, diagnose
from striate.gan.watching import EVERY, Watch

TRAINING, HELD_OUT = 50_000, 5_000
NAMES = ("diversity", "resemblance", "coverage", "classes", "memorisation")


class Source:
    """Samples of a seed: made of training images or of others.

    Args:
        images: all real images, uint8.
        labels: their classes.
        seed: how they are divided.
        count: how many samples are made.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, seed: int, count: int) -> None:
        order = np.random.default_rng(seed).permutation(len(images))
        self.training, self.held_out, self.rest = np.split(order, [TRAINING, TRAINING + HELD_OUT])
        self.images, self.labels, self.count = images, labels, count
        self.generator = torch.Generator().manual_seed(seed)

    def pixels(self, rows: np.ndarray) -> Tensor:
        """Give images in [0, 1]."""
        return as_tensor(self.images[rows]).float() / 255

    def new(self) -> Tensor:
        """Give images that are in neither part."""
        return self.pixels(self.rest[: self.count])

    def noisy(self, samples: Tensor, deviation: float = 0.03) -> Tensor:
        """Change every pixel a little, as no generator repeats an image exactly."""
        return (samples + deviation * torch.randn(samples.shape, generator=self.generator)).clamp(0, 1)

    def modes(self, count: int) -> Tensor:
        """Give so many images again and again."""
        chosen = torch.randint(count, (self.count,), generator=self.generator).numpy()
        return self.noisy(self.pixels(self.rest[chosen]))

    def partly(self, share: float, other: Tensor) -> Tensor:
        """Put something else in the place of a share of new images."""
        mixed, replaced = self.new(), round(share * self.count)
        mixed[:replaced] = other[:replaced]
        return self.noisy(mixed)

    def of_classes(self, classes: int) -> Tensor:
        """Give new images of the first classes only."""
        return self.pixels(self.rest[self.labels[self.rest] < classes][: self.count])

    def copies(self) -> Tensor:
        """Give training images."""
        return self.noisy(self.pixels(self.training[: self.count]))


KINDS: dict[str, Callable[[Source], Tensor]] = {
    "other real images": Source.new,
    "the same, blurred": lambda made: torch.nn.functional.avg_pool2d(made.new(), 3, 1, 1),
    "the same, 15 % nearer to the mean": lambda made: 0.85 * made.new() + 0.15 * made.new().mean(dim=0),
    "one image": lambda made: made.modes(1),
    "8 images": lambda made: made.modes(8),
    "20 images": lambda made: made.modes(20),
    "40 images": lambda made: made.modes(40),
    "30 % one image": lambda made: made.partly(0.3, made.modes(1)),
    "5 of 10 classes": lambda made: made.of_classes(5),
    "8 of 10 classes": lambda made: made.of_classes(8),
    "copies": Source.copies,
    "half of them copies": lambda made: made.partly(0.5, made.copies()),
    "grey": lambda made: made.noisy(torch.full_like(made.new(), 0.5)),
    "the mean image": lambda made: made.noisy(made.new().mean(dim=0).expand_as(made.new())),
    "noise": lambda made: torch.rand(made.new().shape, generator=made.generator),
}
"""What is planted."""


def rates(images: np.ndarray, labels: np.ndarray, *, seeds: int, count: int) -> None:
    """Print how often each finding is no note."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    worst: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for seed in range(seeds):
        made = Source(images, labels, seed, count)
        known = Reference.of(
            images[made.training],
            labels=labels[made.training],
            held_out=images[made.held_out],
            seed=seed,
        )
        for kind, make in KINDS.items():
            findings = diagnose(make(made), known)
            found[kind].update(f"{each.name} {each.verdict}" for each in findings if each.level != "note")
            worst[kind].append(findings[0].value or 0.0)
    print(f"\n{count} samples, {seeds} seeds\n")
    print("| samples | pairs alike, times real ones' | found |\n|---|---|---|")
    for kind, counts in found.items():
        told = ", ".join(f"{name} {_of(counts[name], seeds)}" for name in sorted(counts)) or "nothing"
        low, high = min(worst[kind]), max(worst[kind])
        print(f"| {kind} | {low:.2g} to {high:.2g} | {told} |", flush=True)


def _of(hits: int, seeds: int) -> str:
    low, high = wilson(hits, seeds)
    return "always" if hits == seeds else f"{hits} of {seeds} ({low:.0%} to {high:.0%})"


def cost(images: np.ndarray, labels: np.ndarray, *, count: int) -> None:
    """Print what the watch costs."""
    began = time.perf_counter()
    watch = Watch(images[:TRAINING], labels=labels[:TRAINING], held_out=images[TRAINING:][:HELD_OUT])
    print(f"\nonce: {time.perf_counter() - began:.2f} s")
    scores, seconds = torch.randn(128), []
    for _ in range(40):
        began = time.perf_counter()
        for _ in range(25 * EVERY):
            watch.step(
                real_scores=scores,
                fake_scores=scores,
                generator_loss=scores[0],
                discriminator_loss=scores[1],
                generator_gradients=scores[2],
                discriminator_gradients=scores[3],
            )
        seconds.append((time.perf_counter() - began) / (25 * EVERY))
    print(f"a step: {1e6 * statistics.median(seconds):.1f} microseconds")
    samples, seconds = as_tensor(images[-count:]).float() / 255, []
    for _ in range(7):
        began = time.perf_counter()
        watch.check(samples, images_seen=10**6, epoch=1)
        seconds.append(time.perf_counter() - began)
    images_kept = f"{TRAINING + HELD_OUT:,} images"
    print(f"a check of {count} samples against {images_kept}: {statistics.median(seconds):.2f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50, help="(default: 50)")
    parser.add_argument("--samples", type=int, default=500, help="(default: 500)")
    options = parser.parse_args()
    data = striate.open_dataset("fashion-mnist")
    parts = (data.train, data.validation)
    images = np.concatenate([part.images for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    cost(images, labels, count=options.samples)
    rates(images, labels, seeds=options.seeds, count=options.samples)
    print(f"(torch {torch.__version__}, {torch.get_num_threads()} threads)")


if __name__ == "__main__":
    main()
