"""Where the time of a training step on a CPU goes, and how far its convolutions are from the cores' peak.

Steps in the middle of a training through `striate.train` are timed operation by operation, by a mode of
torch's dispatcher; the time goes to what an operation is for: those within an optimiser's step to the
optimisers, the others by their names. What no operation accounts for is Python, of which timing itself is the
most; so the time of a step without it stands beside, and shares are of the operations alone. (torch's own
profiler keeps its records between the tensors of a step, which then come to lie on fresh memory each time: it
made steps of 50 ms take 69.)

The rates are the floating-point operations of the convolutions (backward twice as many as forward, but for
the first layer's input, which nobody needs: small) over their time, beside that of a matrix product in
bfloat16.

Measured on 2 cores of a shared AMD EPYC with avx512_bf16, torch 2.13.0, Python 3.11.7, nothing else running,
once each, batches of 512; ``--epochs 2``, ``--epochs 3.2``, and `recipes.cifar10_on_cpu` on CIFAR-10:

====================== ============= ============== ======
of the operations      compact-light compact-medium sprint
====================== ============= ============== ======
convolutions, backward 50 %          55 %           58 %
convolutions, forward  18            20             24
norms                  8             5              3
optimisers             8             6              5
pooling                5             7              4
rectifiers             4             2              3
other operations       4             3              3
the rest               2             1              1
ms a step, untimed     51            98             533
forward, of the peak   86 %          92 %           109 %
backward, of the peak  63 %          66 %           90 %
====================== ============= ============== ======

So what is left to the limit lies in the gradients of narrow convolutions: 18 % of a step of the compact
networks. Gathering, mirroring and shifting images are among the other operations and the copies.

Run it with nothing else running: ``python benchmarks/step_profile.py --epochs 2``.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode

import striate
from striate.core.events import Event
from striate.geometry import trace
from striate.studies.bench_machine import measure_products

FIRST = 15
"""Events of steps that pass before timing: the first steps pay for what later ones find prepared."""

STEPS = 40
"""Steps timed at least."""

KINDS = {
    "convolutions, backward": ("convolution_backward",),
    "convolutions, forward": ("convolution",),
    "norms": ("batch_norm",),
    "pooling": ("pool",),
    "rectifiers": ("relu", "threshold", "gelu", "silu"),
    "loss": ("softmax", "nll_loss"),
    "matrix products": ("mm",),
    "copies and conversions": ("copy", "clone"),
}
"""Kind -> parts of the names of its operations; the first kind that matches counts."""


class Timing(TorchDispatchMode):
    """Times each operation while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = defaultdict(float)
        self._optimising = False
        register_optimizer_step_pre_hook(lambda *_: self._set(True))
        register_optimizer_step_post_hook(lambda *_: self._set(False))

    def _set(self, optimising: bool) -> None:
        self._optimising = optimising

    def __torch_dispatch__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run one operation and note its time."""
        began = time.perf_counter()
        result = function(*args, **(kwargs or {}))
        spent = time.perf_counter() - began
        self.seconds["optimisers" if self._optimising else kind_of(str(function))] += spent
        return result


def kind_of(name: str) -> str:
    """Say what an operation is for."""
    kinds = (kind for kind, parts in KINDS.items() if any(part in name for part in parts))
    return next(kinds, "other operations")


class Watch:
    """Times the operations of some steps of a training, as its events come by."""

    def __init__(self) -> None:
        self.timing = Timing()
        self.steps = 0
        self.plain = 0.0
        self._seen = 0
        self._first = -1

    def __call__(self, event: Event) -> None:
        """Begin and end the timing as the training's events tell."""
        if event.kind != "step":
            return
        self._seen += 1
        if self._seen == FIRST:
            self._first, self.plain = event.data["step"], event.data["images_per_second"]
            self.timing.__enter__()
        elif self._first >= 0 and not self.steps and event.data["step"] >= self._first + STEPS:
            self.timing.__exit__(None, None, None)
            self.steps = event.data["step"] - self._first


def main() -> None:
    """Train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default="fashion-mnist")
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--recipe", help="a recipe's file (TOML), in the place of the default one")
    options = parser.parse_args()
    recipe = striate.Recipe.load(options.recipe) if options.recipe else striate.Recipe(seed=0)
    recipe = recipe.changed(epochs=options.epochs, minutes=None)
    peak, watch = measure_products()["bfloat16"], Watch()
    with tempfile.TemporaryDirectory() as folder:
        run = striate.train(
            options.data, recipe=recipe, device="cpu", out=Path(folder, "run"), on_event=watch
        )
        recipe, classifier = run.recipe, run.classifier
    if not watch.steps:
        raise SystemExit(f"the training ended before {STEPS} of its steps were timed; give more epochs")
    seconds = watch.timing.seconds
    whole, batch = sum(seconds.values()), recipe.batch or 1
    print(
        f"torch {torch.__version__}, Python {platform.python_version()}, {torch.get_num_threads()} threads; "
        f"{recipe.model}, {recipe.precision}, batches of {batch}, {watch.steps} steps: operations take "
        f"{1000 * whole / watch.steps:.1f} ms of a step, which takes {1000 * batch / watch.plain:.1f} untimed"
    )
    for kind, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"{kind:24} {spent / whole:6.1%} {1000 * spent / watch.steps:8.2f} ms a step")
    products = 2 * batch * trace(classifier.network, (classifier.channels, *classifier.size)).multiply_adds
    for kind, times in (("convolutions, forward", 1), ("convolutions, backward", 2)):
        rate = times * products * watch.steps / seconds[kind]
        print(f"{kind}: {rate / 1e9:.0f} GFLOP/s, {rate / peak:.0%} of a matrix product's {peak / 1e9:.0f}")


if __name__ == "__main__":
    main()
