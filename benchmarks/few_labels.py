"""Few labels: does it help to start from what a discriminator learnt of images without any?

A generator was trained on the training part of Fashion-MNIST, of which no label was told. Of the same part
100 images of each class are drawn anew for each seed, with their labels; 15 % of them are held out for every
choice, so that no other label is used. On each draw, with the same seed and for as many epochs:

- ``from scratch``: the network of the discriminator's trunk, from chance;
- ``fine-tuned``: the same network, from the run's backbone: ``striate train DATA --pretrained RUN``;
- ``at full rates``: the same at the rates of a training from chance, block after block from the last one:
  ``--freeze none --learning-rate 0.05 --other-rate 0.05``;
- ``features only``: its head alone: ``--freeze backbone``;
- ``default network``: what ``striate train DATA`` takes where nothing is named.

Accuracies are of the whole test part, which nothing is chosen by. Intervals are Student's over the seeds, and
differences to the first way are paired. They cover other draws and weights; other generators only where
several runs are given, which the seeds then take in turn.

A training that diverges counts with the model of its best epoch before that.

    striate gan train fashion-mnist --minutes 10 --out runs/g
    python benchmarks/few_labels.py runs/g --out few_labels.json      # about 20 minutes on 2 cores
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import striate
from striate.classifier import evaluate, find_pretrained
from striate.core.errors import TrainingError
from striate.core.events import ignore
from striate.core.seeds import derive
from striate.data import Dataset, Split
from striate.data.splitting import hold_out
from striate.studies.repeats import mean_of

FIRST = "from scratch"
WAYS = (FIRST, "fine-tuned", "at full rates", "features only", "default network")

FIELDS: dict[str, dict[str, Any]] = {
    "fine-tuned": {},
    "at full rates": {"freeze": "none", "learning_rate": 0.05, "other_rate": 0.05},
    "features only": {"freeze": "backbone"},
}
"""What is said of a training besides the run that it starts from."""


def few(dataset: Dataset, each: int, seed: int) -> Dataset:
    """Draw labelled images of each class, and hold some of these out to choose by."""
    labels = dataset.train.labels
    generator = np.random.default_rng(derive(seed, "few labels"))
    drawn = [
        generator.choice(np.flatnonzero(labels == label), each, replace=False)
        for label in range(len(dataset.classes))
    ]
    rows = np.sort(np.concatenate(drawn))
    kept, held = hold_out(labels[rows], share=0.15, seed=seed)
    parts = [
        Split(np.ascontiguousarray(dataset.train.images[rows[part]]), labels[rows[part]])
        for part in (kept, held)
    ]
    return replace(
        dataset, name=f"{dataset.name}-{each}-each", source=None, train=parts[0], validation=parts[1]
    )


def choices(way: str, run: Path) -> dict[str, Any]:
    """Give the fields of the recipe by which a way trains."""
    if way == "default network":
        return {"pretrained": "none"}
    if way == FIRST:
        found = find_pretrained(str(run))
        return {"pretrained": "none", "model": found.model, "layers": found.layers}
    return {"pretrained": str(run), **FIELDS[way]}


def measure(dataset: Dataset, runs: Sequence[Path], options: argparse.Namespace) -> dict[str, list[float]]:
    """Train each way on each draw, in turns, and give the accuracies on the test part."""
    found: dict[str, list[float]] = {way: [] for way in options.ways}
    for seed in range(options.seeds):
        draw = few(dataset, options.labels, seed)
        run = runs[seed % len(runs)]
        for way in options.ways:
            began = time.perf_counter()
            found[way].append(accuracy(draw, epochs=options.epochs, seed=seed, **choices(way, run)))
            seconds = time.perf_counter() - began
            print(f"seed {seed} {way}: {found[way][-1]:.2%} in {seconds:.1f} s", flush=True)
    return found


def accuracy(draw: Dataset, **fields: Any) -> float:
    """Train once and give the test accuracy; of a training that diverged, that of its best epoch before."""
    assert draw.test is not None
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "run")
        try:
            return striate.train(draw, out=out, on_event=ignore, **fields).evaluation["test"].accuracy
        except TrainingError as error:
            print(error, flush=True)
            return evaluate(striate.load(out), draw.test).accuracy


def report(found: dict[str, list[float]]) -> list[str]:
    """Write the table, and what each way gains over the first."""
    lines = ["| way | test accuracy, mean of seeds (95 %) | over the first, paired (95 %) |", "|---|---|---|"]
    first = found.get(FIRST)
    for way, accuracies in found.items():
        gained = ""
        if first is not None and way != FIRST:
            gained = mean_of([mine - theirs for mine, theirs in zip(accuracies, first, strict=True)]).points()
        lines.append(f"| {way} | {mean_of(accuracies).percent()} (n = {len(accuracies)}) | {gained} |")
    return lines


def main() -> None:
    """Measure, print the table, and keep the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run directories of generators")
    parser.add_argument("--data", default="fashion-mnist", help="(default: fashion-mnist)")
    parser.add_argument("--labels", type=int, default=100, help="of each class (default: 100)")
    parser.add_argument("--seeds", type=int, default=10, help="(default: 10)")
    parser.add_argument("--epochs", type=float, default=40, help="of every way (default: 40)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="(default: all)")
    parser.add_argument("--out", type=Path, help="a JSON file for all figures")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, Python {platform.python_version()}")
    found = measure(striate.open_dataset(options.data), options.runs, options)
    print("\n".join(report(found)))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
