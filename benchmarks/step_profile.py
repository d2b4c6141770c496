"""Where the time of a training step on a CPU goes, and how far its convolutions are from the cores' peak.

A training through `striate.train` is profiled for some steps in its middle, on its main thread. Each
operation's own time is given to what it is for: those within an optimiser's step to the optimisers, the
others by their names; what no operation accounts for is Python and waiting. The profiler itself adds a little
to each operation, so that shares of the smallest ones are bounds from above. The rates are the floating-point
operations of the convolutions (forward as the profiler counts them, backward twice as many, but for the first
layer's input, which is small) over their time, beside the rate of a matrix product of bfloat16.

Run it with nothing else running: ``python benchmarks/step_profile.py --epochs 2``.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

import striate
from striate.core.events import Event
from striate.geometry import trace
from striate.studies.bench_machine import measure_products

FIRST = 10
"""Events of steps that pass before profiling: the first steps pay for what later ones find prepared."""

STEPS = 40
"""Steps profiled at least."""

KINDS = {
    "convolutions, backward": ("convolution_backward",),
    "convolutions, forward": ("convolution", "conv2d"),
    "norms": ("batch_norm",),
    "pooling": ("pool",),
    "rectifiers": ("relu", "threshold", "gelu", "silu"),
    "loss": ("softmax", "nll_loss", "cross_entropy"),
    "matrix products": ("mm", "linear", "matmul"),
    "copies and conversions": ("copy", "clone", "contiguous", "to_copy"),
}
"""Kind -> parts of the names of its operations; the first kind that matches counts."""


class StepProfiler:
    """Profiles the steps between two events of a training."""

    def __init__(self) -> None:
        self._profile = profile(activities=[ProfilerActivity.CPU])
        self._seen = 0
        self._first: int | None = None
        self.steps = 0

    def __call__(self, event: Event) -> None:
        """Start and stop as the training's events tell."""
        if event.kind == "note":
            print("note:", event.data["message"])
        if event.kind != "step":
            return
        self._seen += 1
        if self._seen == FIRST:
            self._first = event.data["step"]
            self._profile.start()
        elif self._first is not None and not self.steps and event.data["step"] >= self._first + STEPS:
            self._profile.stop()
            self.steps = event.data["step"] - self._first

    def events(self) -> list[Any]:
        """Give what was recorded on the thread that did most."""
        if not self.steps:
            raise SystemExit(
                f"the training ended before {STEPS} of its steps were profiled; give more epochs"
            )
        threads: dict[int, list[Any]] = defaultdict(list)
        for event in self._profile.events():
            threads[event.thread].append(event)
        return max(threads.values(), key=lambda events: sum(each.self_cpu_time_total for each in events))


def kind_of(event: Any) -> str:
    """Say what an operation is for."""
    parent = event
    while parent is not None:
        if parent.name.startswith("Optimizer."):
            return "optimisers"
        parent = parent.cpu_parent
    for kind, parts in KINDS.items():
        if any(part in event.name for part in parts):
            return kind
    return "other operations"


def main() -> None:
    """Train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default="fashion-mnist")
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--recipe", help="a recipe's file (TOML), in the place of the default one")
    options = parser.parse_args()
    recipe = striate.Recipe.load(options.recipe) if options.recipe else striate.Recipe(seed=0)
    recipe = recipe.changed(epochs=options.epochs)
    peak = measure_products()["bfloat16"]
    profiler = StepProfiler()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "run")
        run = striate.train(options.data, recipe=recipe, device="cpu", out=out, on_event=profiler)
        recipe, classifier = run.recipe, run.classifier
    events = profiler.events()
    seconds: dict[str, float] = defaultdict(float)
    for event in events:
        seconds[kind_of(event)] += event.self_cpu_time_total / 1e6
    whole = (max(e.time_range.end for e in events) - min(e.time_range.start for e in events)) / 1e6
    seconds["Python and waiting"] = whole - sum(seconds.values())
    print(
        f"torch {torch.__version__}, Python {platform.python_version()}, {torch.get_num_threads()} threads; "
        f"{recipe.model}, {recipe.precision}, batches of {recipe.batch}: {profiler.steps} steps "
        f"of {1000 * whole / profiler.steps:.1f} ms"
    )
    for kind, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"{kind:24} {spent / whole:6.1%} {1000 * spent / profiler.steps:8.2f} ms a step")
    products = (
        2.0 * recipe.batch * trace(classifier.network, (classifier.channels, *classifier.size)).multiply_adds
    )
    for kind, times in (("convolutions, forward", 1), ("convolutions, backward", 2)):
        rate = times * products * profiler.steps / seconds[kind]
        print(f"{kind}: {rate / 1e9:.0f} GFLOP/s, {rate / peak:.0%} of a matrix product's {peak / 1e9:.0f}")


if __name__ == "__main__":
    main()
