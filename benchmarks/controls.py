"""Measure the controls of overfitting and of imbalance on a part of Fashion-MNIST, each beside doing without.

Three tables:

- ``controls``: each control by itself on 2,000 images, and the gap between training and validation that the
  run itself reports; ``deep``: stochastic depth on resnet20, on the same images.
- ``norms``: averaged weights with the running figures of the norms averaged as well, as they are kept, and
  with these estimated anew from 2,000 training images; the weights of the last step beside both.
- ``balance``: 1,600 images of which each class has 0.6 times as many as the one before it; accuracy and macro
  F1 on all test images, of which there are 1,000 a class.

All accuracies are on the 10,000 test images; differences are paired by seed, with the range over seeds.

Run it: ``python benchmarks/controls.py controls --seeds 3`` (minutes on 2 cores).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean
from unittest import mock

import numpy as np
import torch
from torch import nn

import striate
from striate.core.tensors import load_tensors
from striate.data import Split
from striate.training import Run, loop, train
from striate.training.averaging import AveragedWeights

IMAGES = 2000
SHARES = (0.05, 0.1, 0.3, 0.6, 1.0)
COMMON = {"batch": 64, "epochs": 20, "device": "cpu"}
CONTROLS: dict[str, dict[str, object]] = {
    "nothing": {},
    "dropout 0.3": {"dropout": 0.3},
    "weight decay 0.005": {"weight_decay": 0.005},
    "weight decay 0": {"weight_decay": 0.0},
    "l1 0.00001": {"l1": 1e-5},
    "l1 0.0001": {"l1": 1e-4},
    "lp 1.5:0.0001": {"lp": "1.5:0.0001"},
    "average weights 0.1": {"average_weights": 0.1},
    "average weights 0.3": {"average_weights": 0.3},
    "patience 3": {"patience": 3},
    "augment trivial": {"augment": "trivial"},
    "label smoothing 0": {"label_smoothing": 0.0},
}
DEEP: dict[str, dict[str, object]] = {
    "nothing (resnet20)": {"model": "resnet20"},
    "stochastic depth 0.2": {"model": "resnet20", "stochastic_depth": 0.2},
    "stochastic depth 0.5": {"model": "resnet20", "stochastic_depth": 0.5},
}
BALANCE: dict[str, dict[str, object]] = {
    "none": {},
    "none, chosen by macro F1": {"choose_by": "macro-f1"},
    "weights": {"balance": "weights", "choose_by": "macro-f1"},
    "sampling": {"balance": "sampling", "choose_by": "macro-f1"},
}


def part(counts: list[int]) -> striate.Dataset:
    """Give Fashion-MNIST with so many training images of each class, and 2,000 others to validate on."""
    whole = striate.open_dataset("fashion-mnist")
    labels = whole.train.labels
    rows = [np.flatnonzero(labels == label)[:count] for label, count in enumerate(counts)]
    chosen = np.sort(np.concatenate(rows))
    held = np.arange(2000) + 10 * max(counts) + 5000
    return replace(
        whole,
        train=Split(whole.train.images[chosen], labels[chosen]),
        validation=Split(whole.train.images[held], labels[held]),
    )


def runs(data: striate.Dataset, choices: dict[str, dict], seeds: int) -> Iterator[tuple[str, list[Run]]]:
    """Train each choice with each seed."""
    with tempfile.TemporaryDirectory() as folder:
        for name, fields in choices.items():
            began, made = time.perf_counter(), []
            for seed in range(seeds):
                out = Path(folder, f"{name}-{seed}".replace(" ", "-"))
                given = {**COMMON, **fields, "seed": seed}
                made.append(train(data, out=out, on_event=lambda _: None, **given))
            print(f"  ({name}: {time.perf_counter() - began:.0f} s)", flush=True)
            yield name, made


def print_controls(data: striate.Dataset, choices: dict[str, dict], seeds: int) -> None:
    """Print the table of controls."""
    base: list[float] = []
    print(f"{'control':24} {'test':>7} {'beside nothing':>24} {'training':>9} {'gap':>6} epochs verdicts")
    for name, made in runs(data, choices, seeds):
        found = [100 * run.evaluation["test"].accuracy for run in made]
        base = base or found
        apart = [one - other for one, other in zip(found, base, strict=True)]
        trained = mean(100 * run.overfitting.train_accuracy for run in made)
        gap = mean(100 * run.overfitting.gap for run in made)
        beside = f"{mean(apart):+.2f} ({min(apart):+.2f} to {max(apart):+.2f})"
        epochs = mean(len(run.rows) for run in made)
        verdicts = ", ".join(run.overfitting.verdict for run in made)
        print(f"{name:24} {mean(found):7.2f} {beside:>24} {trained:9.2f} {gap:6.2f} {epochs:6.1f} {verdicts}")


def print_balance(seeds: int) -> None:
    """Print the table of imbalance."""
    counts = [round(650 * 0.6**label) for label in range(10)]
    print(f"images of each class: {counts}, {sum(counts)} in all")
    print(f"{'balance':26} {'accuracy':>9} {'macro F1':>9} recall of the rarest three")
    for name, made in runs(part(counts), BALANCE, seeds):
        found = [run.evaluation["test"] for run in made]
        rare = [100 * mean(each.recall[label] for each in found) for label in (7, 8, 9)]
        scores = 100 * mean(each.accuracy for each in found), 100 * mean(each.macro_f1 for each in found)
        print(f"{name:26} {scores[0]:9.2f} {scores[1]:9.2f} {', '.join(f'{each:.1f}' for each in rare)}")


def print_norms(seeds: int) -> None:
    """Print the table of averaged and re-estimated norms."""
    data = part([IMAGES // 10] * 10)
    found = [_norms(data, seed) for seed in range(seeds)]
    print(f"last step {100 * mean(last for last, _ in found):.2f}")
    print(f"{'share':6} {'averaged norms':>15} {'estimated anew':>15}")
    for share in SHARES:
        averaged, anew = (100 * mean(table[share][column] for _, table in found) for column in (0, 1))
        print(f"{share:<6g} {averaged:15.2f} {anew:15.2f}")


def _norms(data: striate.Dataset, seed: int) -> tuple[float, dict[float, tuple[float, float]]]:
    """Train once with averages over all shares, and measure the last step and each of them in both ways."""
    kept: dict[float, AveragedWeights] = {}

    class Several(AveragedWeights):
        def __init__(self, network: nn.Module, *, share: float | None) -> None:
            super().__init__(network, share=share)
            kept.update({each: AveragedWeights(network, share=each) for each in SHARES})

        def update(self, step: int) -> None:
            super().update(step)
            for averages in kept.values():
                averages.update(step)

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(loop, "AveragedWeights", Several):
        run = train(data, out=Path(folder, "run"), on_event=lambda _: None, **{**COMMON, "seed": seed})
        classifier, (last, _) = run.classifier, load_tensors(run.path / "last.safetensors")
    classifier.network.load_state_dict(last)
    before, table = _accuracy(classifier, data.test), {}
    for share, averages in kept.items():
        classifier.network.load_state_dict(averages.tensors())
        averaged = _accuracy(classifier, data.test)
        _estimate_norms(classifier, data)
        table[share] = averaged, _accuracy(classifier, data.test)
    return before, table


def _estimate_norms(classifier: striate.Classifier, data: striate.Dataset) -> None:
    for norm in classifier.network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over the batches
    classifier.train()
    images = torch.from_numpy(np.ascontiguousarray(data.train.images[:IMAGES]))
    with torch.no_grad(), classifier.policy.autocast():
        for batch in images.split(100):
            classifier(batch.float() / 255)
    classifier.eval()


def _accuracy(classifier: striate.Classifier, split: Split) -> float:
    return float((classifier.logits(split.images).argmax(dim=1).numpy() == split.labels).mean())


def main() -> None:
    """Print the table that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=["controls", "norms", "balance", "deep"])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    data = part([IMAGES // 10] * 10)
    if arguments.table == "balance":
        print_balance(arguments.seeds)
    elif arguments.table == "norms":
        print_norms(arguments.seeds)
    else:
        print_controls(data, DEEP if arguments.table == "deep" else CONTROLS, arguments.seeds)


if __name__ == "__main__":
    main()
