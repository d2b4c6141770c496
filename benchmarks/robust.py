"""Train a network that withstands attacks on Fashion-MNIST, and count what it withstands under the ensemble.

The training has a budget of minutes, fixed beforehand, and chooses its best epoch on validation images.
Then test images, as many of each class as it has a share, are attacked by APGD-CE, APGD-T, FAB-T and Square
in turn. What is printed is the course of the training, the clean accuracy of the whole test part, and the
share that withstands the ensemble, both with 95 % intervals (Wilson).

Measured on 2 cores of a shared AMD EPYC, torch 2.13.0, seed 0, after 573 s: clean 87.74 % (87.08 to 88.37),
and 73.60 % (69.57 to 77.27, 500 images) withstand the ensemble, where 82 and 72 are wanted. The training by
one step from random starts and with shifts, which was the default before, had 87.14 and 70.20 %.

Run it with nothing else running: ``python benchmarks/robust.py`` (10 minutes of training and some of attacks,
on 2 cores). To try it: ``--minutes 0.3 --images 20``.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from pathlib import Path

import torch

import striate
from striate.attack import parse_ball
from striate.attack.ensemble import Ensemble
from striate.attack.sampling import stratified
from striate.core.events import Event
from striate.core.intervals import wilson
from striate.data.batches import as_tensor
from striate.training import Run

WANTED = {"clean": 0.82, "robust": 0.72}
"""What was asked for at eps 0.1 in under 10 minutes on 2 cores."""


def say(event: Event) -> None:
    """Print an epoch or a warning as a line."""
    if event.kind == "epoch":
        row = event.data
        print(
            f"{row['epoch']:4.0f} {row['seconds']:8.1f} s  loss {row['train_loss']:.4f}  "
            f"validation {row['validation_accuracy']:.4f}  one step {row['single_step_accuracy']:.4f}  "
            f"PGD {row['robust_accuracy']:.4f}",
            flush=True,
        )
    elif event.kind in ("warning", "note"):
        print(f"{event.kind}: {event.data['message']}", flush=True)


def withstood(run: Run, dataset: striate.Dataset, *, ball: str, count: int) -> tuple[int, int, float]:
    """Attack test images, and give how many withstand it, how many there were, and the seconds."""
    test, classifier = dataset.test or dataset.validation, run.classifier
    labels = torch.as_tensor(test.labels).long()
    rows = stratified(labels, count, generator=torch.Generator().manual_seed(0))
    pixels = as_tensor(test.images[rows.numpy()]).float() / 255
    began = time.perf_counter()
    attacked = Ensemble(parse_ball(ball))(classifier, pixels, labels[rows], seeds=rows)
    seconds = time.perf_counter() - began
    # As it is deployed: in the precision and with the views of its predictions.
    left = classifier.logits(attacked).argmax(dim=1) == labels[rows]
    return int(left.sum()), len(rows), seconds


def percent(share: float, interval: tuple[float, float], count: int) -> str:
    """Write a share with its interval."""
    return f"{share:.2%} ({interval[0]:.2%} to {interval[1]:.2%}, {count:,} images)"


def main() -> None:
    """Train, attack and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="fashion-mnist", help="(default: fashion-mnist)")
    parser.add_argument("--ball", default="linf:0.1", help="(default: linf:0.1)")
    parser.add_argument("--method", help="fast, pgd, trades or free (default: as striate train decides)")
    parser.add_argument("--model", default=None, help="(default: as striate train decides)")
    parser.add_argument("--minutes", type=float, default=9.5, help="of training (default: 9.5)")
    parser.add_argument("--images", type=int, default=500, help="attacked (default: 500)")
    parser.add_argument("--seed", type=int, default=0, help="(default: 0)")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, Python {platform.python_version()}")
    dataset = striate.open_dataset(options.data)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run = striate.train(
            dataset,
            robust=options.ball,
            robust_method=options.method,
            model=options.model,
            minutes=options.minutes,
            seed=options.seed,
            out=Path(folder, "run"),
            on_event=say,
        )
        seconds = time.perf_counter() - began
        by = f"{run.recipe.robust_method}, {run.recipe.robust_steps} steps,"
        print(f"{run.recipe.model} by {by} within {options.ball}: {seconds:.0f} s in all")
        clean = list(run.evaluation.values())[-1]
        print(f"clean accuracy {percent(clean.accuracy, clean.interval, clean.images)}")
        left, count, took = withstood(run, dataset, ball=options.ball, count=options.images)
        robust = percent(left / count, wilson(left, count), count)
        print(f"withstands the ensemble: {robust}, in {took:.0f} s")
        print(f"wanted: clean {WANTED['clean']:.0%}, robust {WANTED['robust']:.0%}, under 600 s of training")


if __name__ == "__main__":
    main()
